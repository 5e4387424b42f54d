"""The catalogue's agreements: who may learn what on which terms, and what a person is told."""

from hashlib import sha256
from typing import Annotated, Literal

from pydantic import Field as Member

from gateway import model
from gateway.policy.catalogue_agreed import AgreedMember
from gateway.policy.catalogue_members import (
    Code,
    Day,
    Days,
    Name,
    PointerText,
    ServiceName,
    Strict,
    Texts,
    instant,
)
from kernel.canonical import canonical
from kernel.names import AgencyId, AgreementId, Pointer, Revision, ServiceId


class AskingEntry(Strict):
    """How often, and for how long, people may be asked for their consent."""

    open_days: Annotated[int, Member(ge=1, le=90)]
    again_after_days: Annotated[int, Member(ge=1, le=365)]
    per_day: Annotated[int, Member(ge=0, le=1_000_000)]


NOBODY_IS_ASKED = AskingEntry(open_days=1, again_after_days=1, per_day=0)
"""The ceilings of an agreement that rests on law: it asks nobody."""


class AgreementEntry(Strict):
    """One file of `agreements/`."""

    agreement: Name
    agency: Name
    title: Texts
    basis: Literal["consent", "statutory"]
    lawful_basis: Code
    purpose: Code
    purpose_text: Texts
    authority: Name | None = None
    services: Annotated[dict[ServiceName, dict[PointerText, AgreedMember]], Member(min_length=1)]
    case_required: bool
    user_required: bool
    valid_from: Day
    valid_until: Day
    impact_assessment_until: Day
    max_valid_days: Days
    max_uses: Annotated[int, Member(ge=1, le=1_000_000)] | None
    if_refused: Texts
    instead: Texts
    retention_days: Annotated[int, Member(ge=1, le=36_500)]
    evidence_level: Literal["low", "substantial", "high"]
    asking: AskingEntry | None = None

    def noun(self) -> model.Agreement:
        """Return the agreement that it registers, under the digest of what it says."""
        asking = self.asking or NOBODY_IS_ASKED
        return model.Agreement(
            id=AgreementId(self.agreement),
            revision=Revision(sha256(canonical(self.model_dump(by_alias=True))).hexdigest()),
            agency=AgencyId(self.agency),
            title=self.title,
            basis=model.Basis(self.basis),
            lawful_basis=self.lawful_basis,
            purpose=self.purpose,
            purpose_text=self.purpose_text,
            authority=self.authority,
            services={
                ServiceId(service): {
                    Pointer(pointer): agreed.noun() for pointer, agreed in fields.items()
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
            if_refused=self.if_refused,
            instead=self.instead,
            retention_days=self.retention_days,
            evidence_level=self.evidence_level,
            open_days=asking.open_days,
            again_after_days=asking.again_after_days,
            asked_per_day=asking.per_day,
        )
