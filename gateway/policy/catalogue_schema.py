"""The catalogue's documents: the members that each kind has, and the noun that it registers."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator
from pydantic import Field as Member

from gateway import model
from gateway.policy.catalogue_members import (
    Code,
    Day,
    Name,
    PointerText,
    ServiceName,
    Strict,
    Texts,
    Words,
    instant,
    shaped,
)
from kernel.names import AgencyId, Pointer, ServiceId

MAX_RETURN_URLS = 16
Person = Literal["child", "partner", "other"]
"""Somebody else whom a fact can be about."""
_ReturnUrl = Annotated[
    str,
    AfterValidator(
        shaped(
            r"https://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?"
            r"|http://(127\.0\.0\.1|localhost)(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?",
            "must be an https address without query or fragment; http only for 127.0.0.1",
        )
    ),
]


class SchemeEntry(Strict):
    """`scheme.yaml`: the one way in which this deployment names people."""

    scheme: Name
    title: Texts
    prefix: Annotated[str, AfterValidator(shaped(r"[A-Z]{1,8}-", "must be capitals and a -"))]
    digits: Annotated[int, Member(ge=2, le=18)]
    check: Literal["luhn"]


class AgencyEntry(Strict):
    """One item of `agencies.yaml`."""

    id: Name
    name: Texts
    return_urls: Annotated[
        list[_ReturnUrl], Member(default_factory=list, max_length=MAX_RETURN_URLS)
    ]

    def noun(self) -> model.Agency:
        """Return the agency that it registers."""
        return model.Agency(AgencyId(self.id), self.name, frozenset(self.return_urls))


class AgenciesEntry(Strict):
    """`agencies.yaml`."""

    agencies: Annotated[list[AgencyEntry], Member(min_length=1)]


class FieldEntry(Strict):
    """One fact that a service can tell."""

    title: Texts
    category: Name
    about: Literal["subject", "child", "partner", "other"] = "subject"


class ServiceEntry(Strict):
    """One file of `services/`."""

    service: ServiceName
    title: Texts
    source: Name
    adapter: Name
    read: dict[str, Any]
    subject_at: PointerText
    fields: Annotated[dict[PointerText, FieldEntry], Member(min_length=1)]
    concerns: Annotated[dict[Person, PointerText], Member(default_factory=dict)]
    unnamed: Annotated[dict[Person, Words], Member(default_factory=dict)]

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
                Pointer(pointer): model.Field(
                    Pointer(pointer), field.title, field.category, field.about
                )
                for pointer, field in self.fields.items()
            },
            concerns={who: Pointer(pointer) for who, pointer in self.concerns.items()},
        )


class AuthorityEntry(Strict):
    """One file of `authorities/`."""

    authority: Name
    act: Texts
    article: Words
    valid_from: Day
    valid_until: Day
    bodies: Annotated[list[Name], Member(min_length=1)]
    purposes: Annotated[list[Code], Member(min_length=1)]
    categories: Annotated[list[Name], Member(min_length=1)]

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
