"""People's log: a person's own list out of the ledger, for the pages (`consent.pages.seen`)."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Protocol

from audit import person
from audit.disclosures import RootKey
from audit.evidence import evidence
from audit.model import Activity, BadLedger, Shown
from consent.pages.seen import TYPES, NotWhole, Only, Seen, Stretch
from kernel.canonical import canonical
from kernel.database import Connection, Database
from kernel.entry import EntryType
from kernel.names import SubjectRef

PAGE = 50
_EXCHANGES = frozenset(
    {EntryType.EXCHANGE_DECISION, EntryType.EXCHANGE_RELEASE, EntryType.EXCHANGE_REFUSAL}
)
# The decision concerns only the person who was asked about; others join the list at the release.
_ASKED_ABOUT = (
    "SELECT e.decision IS NULL OR b.person IS NOT NULL FROM exchange AS e LEFT JOIN ledger_body"
    ' AS b ON b.person = ? AND b."index" = e.decision WHERE e.id = ?'
)


class Log(Protocol):
    """What evidence needs of the ledger."""

    def proof(self, index: int) -> str:
        """Return a C2SP tlog-proof in the tree of the latest checkpoint."""
        ...

    def vkey(self) -> str:
        """Return the verifier key of the log (C2SP signed-note)."""
        ...


class PeopleLog:
    """Implements `consent.pages.seen.PeopleLog` over the ledger's tables."""

    def __init__(
        self, database: Database, root: RootKey, log: Log, report: Callable[[Exception, str], None]
    ) -> None:
        """Take the database to read, the disclosures' root key, the log to prove from, and whom
        to tell of a list that is not whole."""
        self._database = database
        self._root = root
        self._log = log
        self._report = report

    def page(self, ref: SubjectRef, before: int | None, only: Only) -> Stretch:
        """Return the newest entries, those before a number where one is given."""
        try:
            page = person.page(self._read(), self._root, ref, before, PAGE, _wanted(only))
        except BadLedger as bad:
            raise self._not_whole(bad) from bad
        entries = tuple(self._seen(ref, one) for one in page.entries)
        recovered = person.recovered(self._read())
        return Stretch(entries, page.total, page.before, recovered)

    def one(self, ref: SubjectRef, number: int) -> Seen | None:
        """Return the entry of a number in the person's list."""
        shown = self._shown(ref, number)
        return None if shown is None else self._seen(ref, person.opened(shown))

    def at(self, ref: SubjectRef, index: int) -> Seen | None:
        """Return the entry of an index in the log, where it concerns the person."""
        try:
            shown = person.at(self._read(), self._root, ref, index)
        except BadLedger as bad:
            raise self._not_whole(bad) from bad
        return None if shown is None else self._seen(ref, person.opened(shown))

    def evidence(self, ref: SubjectRef, number: int) -> bytes | None:
        """Return the evidence file of an entry."""
        shown = self._shown(ref, number)
        if shown is None:
            return None
        return evidence(shown, self._log.proof(shown.index), self._log.vkey())

    def newest(self, ref: SubjectRef, upto: int, limit: int) -> Iterator[Seen]:
        """Yield at most so many entries from a number down, a few of them in memory at a time."""
        try:
            for one in islice(person.newest(self._read(), self._root, ref, upto), limit):
                yield self._seen(ref, one)
        except BadLedger as bad:
            raise self._not_whole(bad) from bad

    def count(self, ref: SubjectRef) -> int:
        """Return how many entries concern the person."""
        return person.count(self._read(), ref)

    def _shown(self, ref: SubjectRef, number: int) -> Shown | None:
        try:
            return person.one(self._read(), self._root, ref, number)
        except BadLedger as bad:
            raise self._not_whole(bad) from bad

    def _seen(self, ref: SubjectRef, one: Activity) -> Seen:
        named = one.header["type"] in _EXCHANGES and not self._asked_about(ref, one)
        return Seen(one.number, one.index, one.header, one.disclosures, named)

    def _asked_about(self, ref: SubjectRef, one: Activity) -> bool:
        if one.header["type"] != EntryType.EXCHANGE_RELEASE:
            return True
        row = self._read().execute(_ASKED_ABOUT, (ref, str(one.header["exchange"]))).fetchone()
        return row is None or bool(row[0])

    def _read(self) -> Connection:
        return self._database.read()

    def _not_whole(self, bad: BadLedger) -> NotWhole:
        self._report(bad, "-")
        return NotWhole()


def _wanted(only: Only) -> person.Wanted:
    """Return what finds the leaves in question: each is canonical JSON, so that a member stands
    there in exactly one way."""
    agency = b"" if only.agency is None else _member("consumer", only.agency)
    kinds = [] if only.outcome is None else [_member("type", one) for one in TYPES[only.outcome]]
    if not agency and not kinds:
        return person.everything
    return lambda leaf: agency in leaf and (not kinds or any(kind in leaf for kind in kinds))


def _member(name: str, value: str) -> bytes:
    return canonical({name: value})[1:-1]
