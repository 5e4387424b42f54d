"""Cases: what a person objects to or does not recognise, and what an officer answers.

The texts stand only in the ledger's disclosures, for the person and the officer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from consent import words
from consent.model import Declined, Person
from consent.rows import integer
from kernel.chance import Chance
from kernel.clock import Micros
from kernel.database import Database
from kernel.effect import Effect, Key, Moment, Row, Rows, Value, Write
from kernel.entry import Concerned, Entry, EntryType, Ledger, Logged
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId, CaseId, Subject, SubjectRef

MAX_TEXT = 1500
"""Characters; in a form one of them takes up to nine bytes, and a body has 16 KiB."""
MOST_OPEN = 20
MOST_LISTED = 500

_OF = "SELECT * FROM resident_case WHERE subject_ref = ? ORDER BY opened DESC, opening DESC LIMIT ?"
_ONE = "SELECT * FROM resident_case WHERE id = ? AND subject_ref = ?"
_GET = "SELECT * FROM resident_case WHERE id = ?"
_COUNT = "SELECT count(*) FROM resident_case WHERE subject_ref = ?"
_QUEUE = "SELECT * FROM resident_case WHERE state = ? ORDER BY opened, opening LIMIT ?"

Identify = Callable[[bytes, SubjectRef], Subject]
"""Opens a sealed identifier (`identity.pseudonyms`)."""


class CaseKind(StrEnum):
    """An objection to an agreement, or a report of an entry that the person does not recognise."""

    OBJECTION = "objection"
    REPORT = "report"


class CaseState(StrEnum):
    """How far a case came; all but the first are what an officer answered."""

    OPEN = "open"
    UPHELD = "upheld"
    DISMISSED = "dismissed"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Case:
    """An objection or a report; `opening` and `closing` are the indices of its entries."""

    id: CaseId
    ref: SubjectRef
    kind: CaseKind
    about: str
    """The agreement that is objected to, or the index of the entry that is reported."""
    agency: AgencyId
    state: CaseState
    opened: Micros
    opening: int
    closed: Micros | None
    closing: int | None


class CaseStore:
    """The cases of everybody, each step of them one ledger entry."""

    def __init__(
        self, database: Database, ledger: Ledger, chance: Chance, identify: Identify
    ) -> None:
        """Take the database to read, the ledger to write, a source of identifiers, and what
        opens a sealed identifier, since an answer concerns the person by name."""
        self._database = database
        self._ledger = ledger
        self._chance = chance
        self._identify = identify

    def open(self, person: Person, kind: CaseKind, about: str, agency: AgencyId, text: str) -> Case:
        """Open a case in the person's own words; raises `Declined` where those are too many or
        none, and `Refusal` (`quota.exceeded`) where too many of their cases wait."""
        told = checked(text)
        case = CaseId(self._chance.identifier("ca"))
        entry = Entry(
            type=EntryType.CASE_OPENED,
            header={"case": case},
            disclosures={
                "request": {"text": told, "kind": kind.value, "about": about, "agency": agency},
            },
            concerned=(Concerned(person.ref, person.subject),),
        )
        new = Case(case, person.ref, kind, about, agency, CaseState.OPEN, Micros(0), 0, None, None)
        logged = self._ledger.append(entry, _opened(new, person.identifier))
        return replace(new, opened=logged.time, opening=logged.index)

    def answer(self, case: Case, officer: str, outcome: CaseState, text: str) -> Case:
        """Answer an open case for good; raises `Declined` where it is answered already."""
        if outcome is CaseState.OPEN:
            raise Declined("An answer closes the case: say how.")
        told = checked(text)
        row = self._database.read().execute(_GET, (case.id,)).fetchone()
        if row is None:
            raise Declined("There is no such case.")
        subject = self._identify(row["identifier"], case.ref)
        entry = Entry(
            type=EntryType.CASE_ANSWERED,
            header={"case": case.id},
            disclosures={
                "actor": {"officer": officer},
                "response": {"outcome": outcome.value, "text": told},
            },
            concerned=(Concerned(case.ref, subject),),
        )
        logged: Logged = self._ledger.append(entry, _answered(case, outcome))
        return replace(case, state=outcome, closed=logged.time, closing=logged.index)

    def of(self, ref: SubjectRef) -> tuple[Case, ...]:
        """Return a person's cases, newest first."""
        return self._cases(_OF, ref, MOST_LISTED)

    def count(self, ref: SubjectRef) -> int:
        """Return how many cases a person has, listed or not."""
        return int(self._database.read().execute(_COUNT, (ref,)).fetchone()[0])

    def one(self, ref: SubjectRef, case: CaseId) -> Case | None:
        """Return a person's case; None also where it is somebody else's."""
        return next(iter(self._cases(_ONE, case, ref)), None)

    def get(self, case: CaseId) -> Case | None:
        """Return a case, whosever it is: for the officer."""
        return next(iter(self._cases(_GET, case)), None)

    def queue(self, state: CaseState, limit: int) -> tuple[Case, ...]:
        """Return the cases in a state, those that wait longest first."""
        return self._cases(_QUEUE, state.value, min(limit, MOST_LISTED))

    def _cases(self, question: str, *values: Value) -> tuple[Case, ...]:
        rows = self._database.read().execute(question, values).fetchall()
        return tuple(_case_of(dict(row)) for row in rows)


def checked(text: str) -> str:
    """Return what a person wrote with plain line ends, or raise `Declined`: 1 to 1500 characters,
    no control character but the end of a line."""
    return words.checked(text, MAX_TEXT)


def _key(case: CaseId) -> Key:
    return Key("resident_case", (case,))


def _open_cases(rows: Rows, key: Key) -> int:
    row = rows[key]
    return integer(row["open"]) if row else 0


def _counted(key: Key, count: int) -> Write:
    return Write(key, {"subject_ref": key.values[0], "open": count})


def _opened(case: Case, identifier: bytes) -> Effect:
    counter = Key("resident_cases", (case.ref,))

    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        if (waiting := _open_cases(rows, counter)) >= MOST_OPEN:
            raise Refusal(
                Reason.QUOTA_EXCEEDED,
                f"{MOST_OPEN} of your cases wait for an answer; open the next after one has it.",
            )
        row: Row = {
            "id": case.id,
            "subject_ref": case.ref,
            "kind": case.kind.value,
            "about": case.about,
            "agency": case.agency,
            "state": case.state.value,
            "opened": moment.time,
            "opening": moment.index,
            "closed": None,
            "closing": None,
            "identifier": identifier,
        }
        return (Write(_key(case.id), row), _counted(counter, waiting + 1))

    return Effect((counter,), apply)


def _answered(case: Case, outcome: CaseState) -> Effect:
    key, counter = _key(case.id), Key("resident_cases", (case.ref,))

    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        row = rows[key]
        if row is None or row["state"] != CaseState.OPEN:
            raise Declined("This case was answered already.")
        after: Row = {
            **row,
            "state": outcome.value,
            "closed": moment.time,
            "closing": moment.index,
        }
        return (Write(key, after), _counted(counter, _open_cases(rows, counter) - 1))

    return Effect((key, counter), apply)


def _case_of(row: Mapping[str, Value]) -> Case:
    closed, closing = row["closed"], row["closing"]
    return Case(
        id=CaseId(str(row["id"])),
        ref=SubjectRef(str(row["subject_ref"])),
        kind=CaseKind(str(row["kind"])),
        about=str(row["about"]),
        agency=AgencyId(str(row["agency"])),
        state=CaseState(str(row["state"])),
        opened=Micros(integer(row["opened"])),
        opening=integer(row["opening"]),
        closed=None if closed is None else Micros(integer(closed)),
        closing=None if closing is None else integer(closing),
    )
