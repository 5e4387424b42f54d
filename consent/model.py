"""Nouns of consent, named as in ISO/IEC TS 27560 and the Data Privacy Vocabulary."""

from dataclasses import dataclass
from enum import StrEnum

from kernel.clock import Micros
from kernel.errors import Reason, Refusal
from kernel.names import (
    AgencyId,
    AgreementId,
    ConsentId,
    ExchangeId,
    Pointer,
    Revision,
    ServiceId,
    Subject,
    SubjectRef,
)

Grant = tuple[ServiceId, Pointer]
"""One fact that may be shared: a field of a service."""


class State(StrEnum):
    """The states that a record stores; expired and exhausted are derived, never stored."""

    GIVEN = "ConsentGiven"
    RENEWED = "RenewedConsentGiven"
    REFUSED = "ConsentRefused"
    WITHDRAWN = "ConsentWithdrawn"


class FindingState(StrEnum):
    """What a record means for one request at one moment: what the policies see."""

    NOT_APPLICABLE = "not_applicable"
    ABSENT = "absent"
    GIVEN = "given"
    RENEWED = "renewed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of the consent rules to a request; "nothing" is an answer too."""

    state: FindingState
    consent: ConsentId | None = None
    granted: frozenset[Grant] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """A finding, and the blocks that stand before everything."""

    finding: Finding
    blocks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Terms:
    """What an agreement offers for consent: its revision, its facts and its ceilings."""

    agreement: AgreementId
    revision: Revision
    agency: AgencyId
    purpose: str
    offered: frozenset[Grant]
    max_valid_days: int
    max_uses: int | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person allowed: which facts, for how many days, how many uses of each service."""

    granted: frozenset[Grant]
    valid_days: int
    uses: int | None


@dataclass(frozen=True, slots=True)
class Means:
    """How a person's word reached us (TS 27560: hasIndicationMethod), and who took it down."""

    method: str
    clerk: str


class Kind(StrEnum):
    """What a person can do about a consent."""

    GIVE = "give"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """The person whose consent it is, their pseudonym, and their identifier encrypted."""

    subject: Subject
    ref: SubjectRef
    identifier: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Act:
    """One act of a person about one agreement; a choice belongs to giving alone."""

    kind: Kind
    person: Person
    terms: Terms
    means: Means
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One person's consent under one agreement, as it stands now."""

    id: ConsentId
    subject_ref: SubjectRef
    agreement: AgreementId
    revision: Revision
    state: State
    granted: frozenset[Grant]
    valid_from: Micros
    valid_until: Micros
    use_limit: int | None
    term: int
    """Counts the renewals; uses are counted anew in each."""
    epoch: int
    """Counts the events."""
    since: Micros
    identifier: bytes
    """The person's identifier, encrypted."""


@dataclass(frozen=True, slots=True)
class Use:
    """One release under a consent."""

    exchange: ExchangeId
    at: Micros
    agency: AgencyId
    service: ServiceId


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the person is told after an act: the record, where it is logged, and every use."""

    consent: ConsentId
    state: State
    at: Micros
    index: int
    uses: tuple[Use, ...]


class Declined(Refusal):
    """The consent rules say no to an act; the text says why in plain words."""

    def __init__(self, why: str) -> None:
        """Keep the words for the person."""
        super().__init__(Reason.POLICY_DENIED, why)


class Stale(Refusal):
    """The record changed between reading and writing; reading again settles it."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(Reason.LEDGER_UNAVAILABLE, "The consent changed a moment ago.")
