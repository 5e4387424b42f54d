"""Nouns of consent, named as in ISO/IEC TS 27560 and the Data Privacy Vocabulary."""

from dataclasses import dataclass

from consent.declined import Declined, Overtaken, Stale
from consent.states import FindingState, Kind, RequestState, Standing, State
from kernel.clock import Micros
from kernel.names import (
    AgencyId,
    AgreementId,
    ClientId,
    ConsentId,
    ExchangeId,
    Pointer,
    ReceiptId,
    RequestId,
    Revision,
    ServiceId,
    Subject,
    SubjectRef,
)

__all__ = [
    "Acknowledgement",
    "Act",
    "Asked",
    "Asking",
    "Choice",
    "ConsentRequest",
    "Declined",
    "Finding",
    "FindingState",
    "Found",
    "Grant",
    "Happened",
    "Kind",
    "Means",
    "Notice",
    "Overtaken",
    "Person",
    "Record",
    "RequestState",
    "Stale",
    "Standing",
    "State",
    "Terms",
    "Use",
]

Grant = tuple[ServiceId, Pointer]
"""One fact that may be shared: a field of a service."""


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
    required: frozenset[Grant]
    """The offered facts without which a service answers nothing."""
    max_valid_days: int
    max_uses: int | None
    asking: "Asking"


@dataclass(frozen=True, slots=True)
class Asking:
    """Ceilings: how long a request is open, nobody asked again, how many are asked a day (UTC)."""

    open_days: int
    again_after_days: int
    per_day: int


@dataclass(frozen=True, slots=True)
class Notice:
    """The exact text that a person saw, in one language; `digest` is its SHA-256 in hex."""

    digest: str
    language: str
    content: str
    """Canonical JSON (RFC 8785)."""


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
    """`web`, `counter`, `agency` (a request) or `authority`."""
    clerk: str
    """Who took it down; empty where the person acted alone."""
    level: str | None = None
    """The level of evidence of the sign-in: low, substantial or high."""


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """The person whose consent it is, their pseudonym, and their identifier encrypted."""

    subject: Subject
    ref: SubjectRef
    identifier: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Act:
    """One act about one person's consent to one agreement; a choice belongs to giving, and to
    narrowing, where its `granted` is what remains. What was asked for belongs to a request."""

    kind: Kind
    person: Person
    terms: Terms
    means: Means
    choice: Choice | None = None
    notice: Notice | None = None
    asked: "Asked | None" = None
    reason: str | None = None
    """Why, in an authority's own words; they stand only in the ledger entry's disclosures."""
    epoch: int | None = None
    """The control epoch under which the terms were read: the entry's own (`kernel.entry.Entry`)."""
    after: tuple[ConsentId, int] | None = None
    """The record and its epoch as the person saw them; once it moved on, the act is `Overtaken`."""


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """What an agency asks a person for; the case in clear goes to the entry's disclosure alone."""

    id: RequestId
    client: ClientId
    fields: frozenset[Grant]
    case: bytes | None
    """The agency's case, sealed (`identity.pseudonyms`: `seal_text`)."""
    return_url: str | None
    case_text: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ConsentRequest:
    """A request for consent, as it stands now."""

    id: RequestId
    consent: ConsentId
    subject_ref: SubjectRef
    agreement: AgreementId
    revision: Revision
    agency: AgencyId
    client: ClientId
    fields: frozenset[Grant]
    case: bytes | None
    return_url: str | None
    state: RequestState
    deferred: bool
    opened: Micros
    expires: Micros


@dataclass(frozen=True, slots=True)
class Record:
    """One person's consent under one agreement, as it stands now."""

    id: ConsentId
    subject_ref: SubjectRef
    agreement: AgreementId
    revision: Revision
    agency: AgencyId
    purpose: str
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
    notice: str | None
    """The digest of the notice that the person saw when they decided."""
    language: str | None


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a record, and what the record said after it (TS 27560: events)."""

    consent: ConsentId
    epoch: int
    time: Micros
    state: State
    type: str
    """The ledger's entry type, such as `consent.given`."""
    method: str
    level: str | None
    index: int
    revision: Revision
    agency: AgencyId
    purpose: str
    granted: frozenset[Grant]
    valid_from: Micros
    valid_until: Micros
    use_limit: int | None
    notice: str | None
    language: str | None
    receipt: ReceiptId


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
    receipt: ReceiptId
