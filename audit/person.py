"""Person: everything that the ledger says about somebody, in their own numbered list."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import orjson

from audit import shards, store
from audit.disclosures import Place, RootKey, Unreadable, unseal
from audit.leaf import digest, disclosed
from audit.model import Activity, BadLedger, Page, Shown
from kernel.canonical import Json
from kernel.database_model import Connection
from kernel.effect import Key
from kernel.names import SubjectRef

_CHUNK = 256
MAX_LOOKED_AT = 3_000
"""How many entries one page looks at for those that are wanted."""

_LINES = (
    'SELECT b.number, b."index", l.leaf FROM ledger_body AS b'
    ' JOIN ledger_leaf AS l ON l."index" = b."index"'
    ' WHERE b.person = ? AND b."index" {side} ? ORDER BY b."index" {order} LIMIT ?'
)
_OLDER = _LINES.format(side="<=", order="DESC")
_NEWER = _LINES.format(side=">", order="ASC")
# Numbers grow with the index, so the n-th row by the key is number n; no index on it is needed.
_SKIP = (
    'SELECT "index" FROM ledger_body WHERE person = ? AND "index" <= ?'
    ' ORDER BY "index" DESC LIMIT 1 OFFSET ?'
)
_SEALED = 'SELECT sealed FROM ledger_body WHERE person = ? AND "index" = ?'
_NUMBER = 'SELECT number FROM ledger_body WHERE person = ? AND "index" = ?'

Wanted = Callable[[bytes], bool]
"""Says of a leaf whether its entry is wanted."""


class _Line(NamedTuple):
    """An entry of the list, its disclosures still sealed."""

    number: int
    entry: int
    leaf: bytes


def everything(_: bytes) -> bool:
    """Want every entry."""
    return True


def page(
    connection: Connection,
    root: RootKey,
    ref: SubjectRef,
    before: int | None,
    limit: int,
    wanted: Wanted = everything,
) -> Page:
    """Return the newest wanted entries about a person, from the one before a number on.

    Raises `BadLedger` when a number is missing, or a disclosure is not the one in the leaf.
    """
    person = _Person.find(connection, root, ref)
    if person is None:
        return Page((), 0, None)
    top = person.total if before is None else min(before - 1, person.total)
    found: list[Activity] = []
    looked = top
    for line in person.back_from(top):
        if len(found) == limit or top - line.number >= MAX_LOOKED_AT:
            break
        looked = line.number - 1
        if wanted(line.leaf):
            found.append(opened(person.shown(line)))
    return Page(tuple(found), person.total, looked + 1 if looked > 0 else None)


def recovered(connection: Connection) -> str | None:
    """Return when the log was last recovered from a copy, as its entry says; None where never."""
    rows = connection.execute('SELECT max("index") FROM ledger_recovery').fetchall()
    if not rows or (index := rows[0][0]) is None:
        return None
    ((text, _),) = store.leaves(connection, index, index + 1)
    return str(orjson.loads(text)["time"])


def one(connection: Connection, root: RootKey, ref: SubjectRef, number: int) -> Shown | None:
    """Return the entry of that number in a person's list with the texts that they may see."""
    person = _Person.find(connection, root, ref)
    if person is None or not 1 <= number <= person.total:
        return None
    return person.shown(next(person.back_from(number)))


def at(connection: Connection, root: RootKey, ref: SubjectRef, index: int) -> Shown | None:
    """Return the entry of that index in the log, where it concerns the person."""
    row = connection.execute(_NUMBER, (ref, index)).fetchone()
    return None if row is None else one(connection, root, ref, int(row[0]))


def count(connection: Connection, ref: SubjectRef) -> int:
    """Return how many entries concern a person."""
    row = store.load(connection, [key := Key("person", (ref,))])[key]
    return 0 if row is None else int(str(row["number"]))


def activity(connection: Connection, root: RootKey, ref: SubjectRef) -> Iterator[Activity]:
    """Yield the entries that concern a person, in order, opened with their own key.

    Raises `BadLedger` when a number is missing, or a disclosure is not the one in the leaf.
    """
    person = _Person.find(connection, root, ref)
    if person is not None:
        for line in person.onwards():
            yield opened(person.shown(line))


def newest(connection: Connection, root: RootKey, ref: SubjectRef, upto: int) -> Iterator[Activity]:
    """Yield the entries that concern a person from a number down to 1, checked as `activity`."""
    person = _Person.find(connection, root, ref)
    if person is not None:
        for line in person.back_from(min(upto, person.total)):
            yield opened(person.shown(line))


def opened(shown: Shown) -> Activity:
    """Return an entry with its disclosures read."""
    header: dict[str, Json] = orjson.loads(shown.leaf)
    del header["_sd"], header["_sd_alg"]
    disclosures = dict(map(disclosed, shown.disclosures))
    return Activity(shown.number, shown.index, header, disclosures)


class _Person(NamedTuple):
    """The list of one person as it was when it was looked up: it only grows."""

    connection: Connection
    root: RootKey
    ref: SubjectRef
    origins: shards.Origins
    secret: bytes
    total: int
    last: int

    @classmethod
    def find(cls, connection: Connection, root: RootKey, ref: SubjectRef) -> "_Person | None":
        row = store.load(connection, [key := Key("person", (ref,))])[key]
        head = store.head(connection)
        if row is None or head is None:
            return None
        secret, number, last = row["secret"], row["number"], row["last"]
        if not (isinstance(secret, bytes) and isinstance(number, int) and isinstance(last, int)):
            raise BadLedger("a row of the person table is not as the ledger wrote it")
        origins = shards.origins(connection, head.origin)
        return cls(connection, root, ref, origins, secret, number, last)

    def back_from(self, number: int) -> Iterator[_Line]:
        """Yield the lines from a number down to 1."""
        if number < 1:
            return
        skipped = (self.ref, self.last, self.total - number)
        start = self.connection.execute(_SKIP, skipped).fetchone()
        index = -1 if start is None else int(start[0])
        while number > 0:
            lines = self._lines(_OLDER, index, range(number, max(number - _CHUNK, 0), -1))
            yield from lines
            number, index = lines[-1].number - 1, lines[-1].entry - 1

    def onwards(self) -> Iterator[_Line]:
        """Yield every line from 1 on."""
        number, index = 1, -1
        while number <= self.total:
            expected = range(number, min(number + _CHUNK, self.total + 1))
            lines = self._lines(_NEWER, index, expected)
            yield from lines
            number, index = lines[-1].number + 1, lines[-1].entry

    def _lines(self, query: str, index: int, expected: range) -> list[_Line]:
        rows = self.connection.execute(query, (self.ref, index, len(expected))).fetchall()
        if [row[0] for row in rows] != list(expected):
            raise BadLedger("a person's list has a gap: an entry about them was removed")
        return [_Line(*row) for row in rows]

    def shown(self, line: _Line) -> Shown:
        """Return a line with its disclosures opened, each found in the leaf."""
        digests = orjson.loads(line.leaf)["_sd"]
        sealed = self.connection.execute(_SEALED, (self.ref, line.entry)).fetchone()[0]
        try:
            place = Place(self.origins.at(line.entry), line.entry, self.ref)
            texts = unseal(self.root, self.secret, place, sealed)
        except Unreadable as error:
            what = f"the disclosures of entry {line.entry} do not open: {error}"
            raise BadLedger(what) from error
        if not isinstance(digests, list) or any(digest(text) not in digests for text in texts):
            raise BadLedger(f"a disclosure of entry {line.entry} is not the one in its leaf")
        return Shown(line.number, line.entry, line.leaf, tuple(texts))
