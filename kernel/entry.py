"""Entry: one thing that happened, and the port through which it is written down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from kernel.canonical import Json
from kernel.clock import Micros
from kernel.effect import Effect
from kernel.errors import Refusal
from kernel.names import Subject, SubjectRef


class EntryType(StrEnum):
    """The types of leaf; later work adds some and never changes one (ADR 1)."""

    LOG_OPENED = "log.opened"
    LOG_RECOVERED = "log.recovered"
    EXCHANGE_DECISION = "exchange.decision"
    EXCHANGE_RELEASE = "exchange.release"
    EXCHANGE_REFUSAL = "exchange.refusal"
    CONSENT_GIVEN = "consent.given"
    CONSENT_RENEWED = "consent.renewed"
    CONSENT_REFUSED = "consent.refused"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    CONSENT_REQUESTED = "consent.requested"
    CONSENT_DEFERRED = "consent.deferred"
    CONSENT_SUSPENDED = "consent.suspended"
    CONSENT_RESUMED = "consent.resumed"
    CONSENT_NARROWED = "consent.narrowed"
    CONSENT_REVOKED = "consent.revoked"
    CONSENT_INVALIDATED = "consent.invalidated"
    BLOCK_SET = "block.set"
    BLOCK_LIFTED = "block.lifted"
    CASE_OPENED = "case.opened"
    CASE_ANSWERED = "case.answered"
    ACCESS_VIEW = "access.view"
    SUBJECT_ACCESS = "subject.access"
    POLICY_ACTIVATED = "policy.activated"
    CLIENT_ADDED = "client.added"
    CLIENT_DISABLED = "client.disabled"
    KEY_ADDED = "key.added"
    STOP_SET = "stop.set"
    STOP_LIFTED = "stop.lifted"


@dataclass(frozen=True, slots=True, repr=False)
class Concerned:
    """A person whom an entry concerns; they get a number for it in their own gapless list."""

    ref: SubjectRef
    subject: Subject


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """One thing that happened: a public header, disclosures for those entitled, and its weight.

    `header` holds the members of the leaf besides `v`, `type`, `time` and `_sd`; `disclosures`
    maps names (`actor`, `request`, `input`, `consents`, `response`) to values. `epoch` is the
    control epoch under which the entry was decided: the append raises `Outdated` when it moved.
    `control` raises that epoch; `restricts` puts the entry into the guard's journal as well.
    """

    type: EntryType
    header: Mapping[str, Json]
    disclosures: Mapping[str, Json] = field(default_factory=dict)
    concerned: tuple[Concerned, ...] = ()
    epoch: int | None = None
    control: bool = False
    restricts: bool = False
    beside: Mapping[str, Json] | None = None
    """What those behind the first of `concerned` are shown in place of `disclosures`."""


@dataclass(frozen=True, slots=True)
class Change:
    """An entry and what it does to the tables: both commit, or neither."""

    entry: Entry
    effect: Effect | None = None


class Logged(Protocol):
    """Where a durable entry stands, and the proof of it."""

    @property
    def origin(self) -> str:
        """Return the log's origin (C2SP tlog-checkpoint)."""
        ...

    @property
    def index(self) -> int:
        """Return the entry's index in the log, from 0."""
        ...

    @property
    def time(self) -> Micros:
        """Return the entry's time: the sequencer's, never before the entry ahead of it."""
        ...

    @property
    def leaf_hash(self) -> bytes:
        """Return the RFC 6962 leaf hash, 32 bytes."""
        ...

    def proof(self) -> str:
        """Return a C2SP tlog-proof of this entry under a signed checkpoint that covers it."""
        ...


class Ledger(Protocol):
    """The one place where things happen."""

    def append(
        self,
        entry: Entry,
        effect: Effect | None = None,
        refused: Callable[[Refusal], Change] | None = None,
    ) -> Logged:
        """Commit the entry with its effect and return when both are durable.

        When the effect raises `Refusal`, the change made by `refused` commits instead and the
        refusal propagates. Raises `Outdated`, or `Refusal` with `ledger.unavailable`; then
        nothing was committed that the caller may rely on.
        """
        ...
