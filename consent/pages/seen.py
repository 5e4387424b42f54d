"""Seen: an entry of the ledger as the person whom it concerns may see it, and who fetches it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kernel.canonical import Json
from kernel.entry import EntryType
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId, Subject, SubjectRef


class Outcome(StrEnum):
    """What a reader can look for in their list."""

    SHARED = "shared"
    REFUSED = "refused"
    LOOKED = "looked"
    DECIDED = "decided"
    ASKED = "asked"
    LOCKED = "locked"
    CASES = "cases"


TYPES: Mapping[Outcome, frozenset[EntryType]] = {
    Outcome.SHARED: frozenset({EntryType.EXCHANGE_DECISION, EntryType.EXCHANGE_RELEASE}),
    Outcome.REFUSED: frozenset({EntryType.EXCHANGE_REFUSAL}),
    Outcome.LOOKED: frozenset({EntryType.ACCESS_VIEW, EntryType.SUBJECT_ACCESS}),
    Outcome.DECIDED: frozenset(
        {
            EntryType.CONSENT_GIVEN,
            EntryType.CONSENT_RENEWED,
            EntryType.CONSENT_REFUSED,
            EntryType.CONSENT_WITHDRAWN,
            EntryType.CONSENT_DEFERRED,
            EntryType.CONSENT_SUSPENDED,
            EntryType.CONSENT_RESUMED,
            EntryType.CONSENT_NARROWED,
            EntryType.CONSENT_REVOKED,
            EntryType.CONSENT_INVALIDATED,
        }
    ),
    Outcome.ASKED: frozenset({EntryType.CONSENT_REQUESTED}),
    Outcome.LOCKED: frozenset({EntryType.BLOCK_SET, EntryType.BLOCK_LIFTED}),
    Outcome.CASES: frozenset({EntryType.CASE_OPENED, EntryType.CASE_ANSWERED}),
}
"""Every type of entry that can concern a person is found under one outcome."""


@dataclass(frozen=True, slots=True)
class Only:
    """What a reader wants to see of their list; None is everything."""

    agency: AgencyId | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """One entry of a person's own list."""

    number: int
    index: int
    header: Mapping[str, Json]
    disclosures: Mapping[str, Json]
    named: bool
    """Whether the question was about somebody else, and the answer named this person."""

    @property
    def type(self) -> EntryType:
        """Return what kind of thing happened."""
        return EntryType(self.text("type"))

    def text(self, member: str) -> str:
        """Return a member of the leaf, empty where it has none."""
        return str(self.header.get(member, ""))

    def said(self, name: str, member: str) -> str | None:
        """Return a text out of a disclosure, None where there is none."""
        value = self.part(name).get(member)
        return value if isinstance(value, str) else None

    def part(self, name: str) -> Mapping[str, Json]:
        """Return a disclosure that is an object, empty where there is none."""
        value = self.disclosures.get(name)
        return value if isinstance(value, Mapping) else {}

    def listed(self, name: str, member: str) -> tuple[str, ...]:
        """Return a list of texts out of a disclosure."""
        value = self.part(name).get(member)
        if not isinstance(value, list | tuple):
            return ()
        return tuple(item for item in value if isinstance(item, str))

    @property
    def answers(self) -> Mapping[str, Json]:
        """Return the fields of which only an answer travelled, each with the kind of answer."""
        value = self.part("response").get("answers")
        return value if isinstance(value, Mapping) else {}

    @property
    def subject(self) -> Subject | None:
        """Return the person whose list this is, as the entry names them."""
        scheme, value = self.said("subject", "scheme"), self.said("subject", "value")
        return Subject(scheme, value) if scheme is not None and value is not None else None


@dataclass(frozen=True, slots=True, repr=False)
class Stretch:
    """Some entries of a list, newest first; of how many; before which number it goes on; and when
    the log was last recovered from a copy, RFC 3339, None where it never was."""

    entries: tuple[Seen, ...]
    total: int
    before: int | None
    recovered: str | None = None


class PeopleLog(Protocol):
    """Reads what the ledger says about a person; each method raises where a number is missing."""

    def page(self, ref: SubjectRef, before: int | None, only: Only) -> Stretch:
        """Return the newest entries, those before a number where one is given."""
        ...

    def one(self, ref: SubjectRef, number: int) -> Seen | None:
        """Return the entry of a number in the person's list."""
        ...

    def at(self, ref: SubjectRef, index: int) -> Seen | None:
        """Return the entry of an index in the log, where it concerns the person."""
        ...

    def evidence(self, ref: SubjectRef, number: int) -> bytes | None:
        """Return the evidence file of an entry."""
        ...

    def newest(self, ref: SubjectRef, upto: int, limit: int) -> Iterator[Seen]:
        """Yield at most so many entries from a number down to 1."""
        ...

    def count(self, ref: SubjectRef) -> int:
        """Return how many entries concern the person."""
        ...


class NotWhole(Refusal):
    """A person's list has a gap, or holds what the log does not say: it is not shown as whole."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(Reason.INTERNAL, "The list is not whole.")
