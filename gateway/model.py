"""Nouns of the exchange: what the catalogue registers, what each step hands to the next."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from crypto.model import Sealed
from identity.model import Caller
from kernel.canonical import Json
from kernel.clock import Micros
from kernel.entry import Concerned
from kernel.names import (
    AgencyId,
    AgreementId,
    ConsentId,
    ExchangeId,
    Pointer,
    Revision,
    ServiceId,
    Subject,
)

Text = Mapping[str, str]
"""A text by language tag; `en` is always there."""


class Basis(StrEnum):
    """On what an agreement rests; never chosen by the caller."""

    CONSENT = "consent"
    STATUTORY = "statutory"


@dataclass(frozen=True, slots=True)
class Agency:
    """A body that asks or answers."""

    id: AgencyId
    name: Text
    return_urls: frozenset[str] = frozenset()
    """Where a person may be sent back to after a request of this agency, letter by letter."""


@dataclass(frozen=True, slots=True)
class Field:
    """One fact that a service can tell."""

    pointer: Pointer
    title: Text
    category: str
    about: str = "subject"
    """Whose fact it is: subject, child, partner, other."""


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of record that an agency answers from one source."""

    id: ServiceId
    provider: AgencyId
    title: Text
    source: str
    """The name under which settings hold the source's address and secret."""
    adapter: str
    read: Mapping[str, Json]
    """How the adapter reads the source; its own schema (`adapters.registry`)."""
    subject_at: Pointer
    """Where an answer holds the identifier of the person whom it speaks of."""
    fields: Mapping[Pointer, Field]
    concerns: Mapping[str, Pointer] = field(default_factory=dict)
    """Where an answer names the other people whom facts are `about`: by that word, the pointer to
    their identifiers."""


class TransformKind(StrEnum):
    """How a fact becomes an answer, so that the fact itself stays home."""

    YES_NO = "yes_no"
    AT_LEAST_AGE = "at_least_age"
    BAND = "band"
    YEAR = "year"
    MASK = "mask"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Transform:
    """One kind with its parameters, as the catalogue's schema checked them."""

    kind: TransformKind
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Agreed:
    """How an agreement takes a field: whether the answer may lack it (`pii_optional`), and where
    only an answer travels, by which transform and to which question."""

    optional: bool
    transform: Transform | None = None
    question: Text | None = None


@dataclass(frozen=True, slots=True)
class Authority:
    """A law under which named bodies may ask for named categories for named purposes."""

    id: str
    act: Text
    article: str
    valid_from: Micros
    valid_until: Micros
    bodies: frozenset[AgencyId]
    purposes: frozenset[str]
    categories: frozenset[str]


@dataclass(frozen=True, slots=True)
class Agreement:
    """A sharing agreement: who may ask what, for which purpose, on which basis."""

    id: AgreementId
    revision: Revision
    agency: AgencyId
    title: Text
    basis: Basis
    lawful_basis: str
    purpose: str
    purpose_text: Text
    authority: str | None
    services: Mapping[ServiceId, Mapping[Pointer, Agreed]]
    """Per service its agreed fields."""
    case_required: bool
    user_required: bool
    valid_from: Micros
    valid_until: Micros
    impact_assessment_until: Micros
    max_valid_days: int
    max_uses: int | None
    if_refused: Text
    """What happens when the person says no, in plain words."""
    instead: Text
    """What the person can do or bring instead."""
    retention_days: int
    evidence_level: str
    """The level of sign-in that giving consent needs: low, substantial, high."""
    open_days: int
    again_after_days: int
    asked_per_day: int


@dataclass(frozen=True, slots=True, repr=False)
class Ask:
    """A well-formed request: the caller's words, parsed once."""

    agreement: AgreementId
    service: ServiceId
    subject: Subject
    fields: tuple[Pointer, ...]
    case: str | None
    user: str | None


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something that must be done with a permitted answer."""

    type: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policies answered, whichever engine evaluated them."""

    allow: bool
    reasons: tuple[str, ...]
    fields: tuple[Pointer, ...]
    obligations: tuple[Obligation, ...]


@dataclass(frozen=True, slots=True)
class Permit:
    """Yes, to these fields; only `gateway.policy.pdp` makes one."""

    fields: frozenset[Pointer]
    withheld: tuple[Pointer, ...]
    consent: ConsentId | None
    policy: Revision
    input: bytes
    """The canonical policy input that was decided on."""
    transforms: Mapping[Pointer, Transform] = field(default_factory=dict)
    """The released fields of which only an answer travels."""


@dataclass(frozen=True, slots=True, repr=False)
class Warrant:
    """The durable decision: these fields may be fetched; only `gateway.journal` makes one."""

    exchange: ExchangeId
    ask: Ask
    person: Concerned
    agreement: Agreement
    service: Service
    permit: Permit
    epoch: int


@dataclass(frozen=True, slots=True, repr=False)
class Extract:
    """A record cut down to its warrant, as bytes; only `gateway.minimise` makes one."""

    exchange: ExchangeId
    plaintext: bytes
    others: tuple[Subject, ...] = ()
    """The other people whom the source named in what leaves."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The durable release, signed; only `gateway.journal` makes one."""

    jws: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What leaves."""

    exchange: ExchangeId
    sealed: Sealed
    receipt: Receipt
    withheld: tuple[Pointer, ...]


class Stage(StrEnum):
    """How far an exchange came in the ledger."""

    OPENED = "opened"
    DECIDED = "decided"
    CLOSED = "closed"


@dataclass(slots=True, repr=False)
class Docket:
    """What is known of an exchange so far: every refusal is written down from it."""

    exchange: ExchangeId
    caller: Caller
    ask: Ask
    stage: Stage = Stage.OPENED
    person: Concerned | None = None
    agreement: Agreement | None = None
    service: Service | None = None
    consent: ConsentId | None = None
    policy: Revision | None = None
    input: bytes | None = None
