"""The catalogue's documents: the members that each kind has, and the noun that it registers."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic import Field as Member

from gateway import model
from kernel.canonical import canonical
from kernel.clock import SECOND, Micros
from kernel.names import AgencyId, AgreementId, Pointer, Revision, ServiceId

MAX_NAME = 200
MAX_TEXT = 2000
_KEBAB = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"


def _shaped(pattern: str, sentence: str) -> Callable[[str], str]:
    shape = re.compile(pattern, re.ASCII)

    def check(text: str) -> str:
        if len(text) > MAX_NAME or not shape.fullmatch(text):
            raise ValueError(sentence)
        return text

    return check


def _instant(text: str) -> str:
    try:
        datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("must be a day, as in 2031-01-31") from None
    return _shaped(r"\d{4}-\d\d-\d\d", "must be a day, as in 2031-01-31")(text)


def _told(texts: Mapping[str, str]) -> Mapping[str, str]:
    if "en" not in texts:
        raise ValueError("must have an `en` text")
    if not all(0 < len(text) <= MAX_TEXT and text == text.strip() for text in texts.values()):
        raise ValueError(f"must have texts of 1 to {MAX_TEXT} characters without space around")
    return texts


_Name = Annotated[str, AfterValidator(_shaped(_KEBAB, "must be lower-case-words-with-hyphens"))]
_ServiceName = Annotated[
    str, AfterValidator(_shaped(f"{_KEBAB}/{_KEBAB}", "must be provider/service"))
]
_Pointer = Annotated[
    str,
    AfterValidator(
        _shaped(
            r"(/([A-Za-z0-9_-]+|\*))+", "must be a path such as /name/family or /children/*/name"
        )
    ),
]
_Code = Annotated[
    str, AfterValidator(_shaped(r"[A-Za-z][A-Za-z0-9-]*:[A-Za-z0-9-]+", "must be vocabulary:Term"))
]
_Language = Annotated[
    str, AfterValidator(_shaped(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", "must be a language tag"))
]
_Day = Annotated[str, AfterValidator(_instant)]
_Text = Annotated[dict[_Language, str], AfterValidator(_told)]
_Words = Annotated[str, AfterValidator(_shaped(r"\S(.*\S)?", "must be a line of text"))]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class SchemeEntry(_Entry):
    """`scheme.yaml`: the one way in which this deployment names people."""

    scheme: _Name
    title: _Text
    prefix: Annotated[str, AfterValidator(_shaped(r"[A-Z]{1,8}-", "must be capitals and a -"))]
    digits: Annotated[int, Member(ge=2, le=18)]
    check: Literal["luhn"]


class AgencyEntry(_Entry):
    """One item of `agencies.yaml`."""

    id: _Name
    name: _Text

    def noun(self) -> model.Agency:
        """Return the agency that it registers."""
        return model.Agency(AgencyId(self.id), self.name)


class AgenciesEntry(_Entry):
    """`agencies.yaml`."""

    agencies: Annotated[list[AgencyEntry], Member(min_length=1)]


class FieldEntry(_Entry):
    """One fact that a service can tell."""

    title: _Text
    category: _Name


class ServiceEntry(_Entry):
    """One file of `services/`."""

    service: _ServiceName
    title: _Text
    source: _Name
    adapter: _Name
    read: dict[str, Any]
    subject_at: _Pointer
    fields: Annotated[dict[_Pointer, FieldEntry], Member(min_length=1)]

    @property
    def provider(self) -> str:
        """Return the agency that the name begins with."""
        return self.service.partition("/")[0]

    def noun(self) -> model.Service:
        """Return the service that it registers."""
        return model.Service(
            id=ServiceId(self.service),
            provider=AgencyId(self.provider),
            title=self.title,
            source=self.source,
            adapter=self.adapter,
            read=self.read,
            subject_at=Pointer(self.subject_at),
            fields={
                Pointer(pointer): model.Field(Pointer(pointer), field.title, field.category)
                for pointer, field in self.fields.items()
            },
        )


class AuthorityEntry(_Entry):
    """One file of `authorities/`."""

    authority: _Name
    act: _Text
    article: _Words
    valid_from: _Day
    valid_until: _Day
    bodies: Annotated[list[_Name], Member(min_length=1)]
    purposes: Annotated[list[_Code], Member(min_length=1)]
    categories: Annotated[list[_Name], Member(min_length=1)]

    def noun(self) -> model.Authority:
        """Return the law that it registers."""
        return model.Authority(
            id=self.authority,
            act=self.act,
            article=self.article,
            valid_from=instant(self.valid_from),
            valid_until=instant(self.valid_until),
            bodies=frozenset(map(AgencyId, self.bodies)),
            purposes=frozenset(self.purposes),
            categories=frozenset(self.categories),
        )


class AgreementEntry(_Entry):
    """One file of `agreements/`."""

    agreement: _Name
    agency: _Name
    title: _Text
    basis: Literal["consent", "statutory"]
    lawful_basis: _Code
    purpose: _Code
    purpose_text: _Text
    authority: _Name | None = None
    services: Annotated[
        dict[_ServiceName, dict[_Pointer, Literal["required", "optional"]]], Member(min_length=1)
    ]
    case_required: bool
    user_required: bool
    valid_from: _Day
    valid_until: _Day
    impact_assessment_until: _Day
    max_valid_days: Annotated[int, Member(ge=1, le=3650)]
    max_uses: Annotated[int, Member(ge=1, le=1_000_000)] | None

    def noun(self) -> model.Agreement:
        """Return the agreement that it registers, under the digest of what it says."""
        return model.Agreement(
            id=AgreementId(self.agreement),
            revision=Revision(sha256(canonical(self.model_dump())).hexdigest()),
            agency=AgencyId(self.agency),
            title=self.title,
            basis=model.Basis(self.basis),
            lawful_basis=self.lawful_basis,
            purpose=self.purpose,
            purpose_text=self.purpose_text,
            authority=self.authority,
            services={
                ServiceId(service): {
                    Pointer(pointer): how == "optional" for pointer, how in fields.items()
                }
                for service, fields in self.services.items()
            },
            case_required=self.case_required,
            user_required=self.user_required,
            valid_from=instant(self.valid_from),
            valid_until=instant(self.valid_until),
            impact_assessment_until=instant(self.impact_assessment_until),
            max_valid_days=self.max_valid_days,
            max_uses=self.max_uses,
        )


def instant(day: str) -> Micros:
    """Return the first moment of a day in UTC; as an end, the first that no longer counts."""
    at = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    return Micros(int(at.timestamp()) * SECOND)
