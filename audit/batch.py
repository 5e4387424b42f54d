"""Batch: entries placed one after another on one working set of rows, before anything is written.

Pure but for the keys that seal: the rows come in as data, and what changed goes out as data.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from audit import journal, leaf
from audit.checkpoint import Checkpoint, tlog_proof
from audit.disclosures import SECRET, Place, RootKey, seal
from audit.guard import Restriction
from audit.leaf import Draft
from audit.merkle import TILE, Growth, joined, leaf_hash
from audit.model import BadLedger, Body, Head
from audit.store import OWN, TABLES
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.clock import Micros, rfc3339
from kernel.effect import Effect, Key, Moment, Row, Value
from kernel.entry import Concerned, Entry
from kernel.errors import Outdated

Rows = dict[Key, Row | None]


class _View:
    """The rows that one effect asked for, and no others."""

    __slots__ = ("_reads", "_rows")

    def __init__(self, rows: Rows, reads: tuple[Key, ...]) -> None:
        self._rows = rows
        self._reads = reads

    def __getitem__(self, key: Key) -> Row | None:
        """Return the row as the entries before left it; `KeyError` for one not asked for."""
        if key not in self._reads:
            raise KeyError(f"the effect does not name this row of {key.table} in its reads")
        return self._rows[key]


class Committed(NamedTuple):
    """What a batch left behind for its callers: enough to prove each of its entries."""

    origin: str
    time: Micros
    growth: Growth
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Placed:
    """A durable entry; implements `kernel.entry.Logged`."""

    index: int
    committed: Committed

    @property
    def origin(self) -> str:
        """Return the log's origin."""
        return self.committed.origin

    @property
    def time(self) -> Micros:
        """Return the entry's time."""
        return self.committed.time

    @property
    def leaf_hash(self) -> bytes:
        """Return the RFC 6962 leaf hash."""
        return self.committed.growth.hashes[self.index - self.committed.growth.before]

    def proof(self) -> str:
        """Return a C2SP tlog-proof of this entry under its own batch's checkpoint."""
        path = self.committed.growth.inclusion(self.index)
        return tlog_proof(self.index, path, self.committed.checkpoint.note())


class Batch:
    """The working set: rows as the entries so far left them, the leaves, the growing tree."""

    def __init__(self, head: Head, now: Micros, root_key: RootKey, chance: Chance) -> None:
        """Start after this head; time never runs back in the ledger."""
        self.head = head
        self.time = Micros(max(now, head.last_time))
        self.growth = Growth(head.size, head.edge)
        self.leaves: list[tuple[int, bytes, bytes]] = []
        self.entries: list[Entry] = []
        self.bodies: list[Body] = []
        self.restrictions: list[Restriction] = []
        self._people: dict[Key, tuple[Value, ...]] = {}
        self.changed: dict[str, dict[Key, tuple[Value, ...]]] = {"person": self._people}
        self._epoch = head.epoch
        self._text = rfc3339(self.time)
        self._root_key = root_key
        self._chance = chance
        self._rows: Rows = {}

    def missing(self, drafted: Draft, effect: Effect | None) -> list[Key]:
        """Return the keys of the rows that the entry needs and the working set does not hold."""
        return [key for key in wanted(drafted, effect) if key not in self._rows]

    def add(self, rows: Rows) -> None:
        """Put rows that were read into the working set."""
        self._rows.update(rows)

    def place(self, drafted: Draft, effect: Effect | None) -> int:
        """Give the entry its place and carry out its effect; return its index.

        Raises `Outdated`, or what the effect raises; then the working set is as it was.
        """
        entry = drafted.entry
        if entry.epoch is not None and entry.epoch != self._epoch:
            raise Outdated
        index = self.growth.size
        if effect is not None:
            view = _View(self._rows, effect.reads)
            for key, row in tuple(effect.apply(view, Moment(self.time, index))):
                if key.table in OWN:
                    raise ValueError(f"only the ledger writes {key.table}")
                self._change(key, row)
        text = self._write_leaf(drafted, index)
        value = leaf_hash(text)
        self.leaves.append((index, value, text))
        self.growth.extend((value,))
        self._epoch += entry.control
        self.entries.append(entry)
        if entry.restricts:
            header = {**entry.header, "type": entry.type.value, "time": self._text}
            content = journal.Content(entry.concerned, entry.disclosures)
            sealed = journal.sealed(self._root_key, self.head.origin, index, content)
            self.restrictions.append(Restriction(index, value, header, self.head.origin, sealed))
        return index

    def tiles(self) -> list[tuple[int, int, bytes]]:
        """Return level, number and root of the tiles that this batch filled."""
        filled = []
        level, span = 0, TILE
        while self.growth.before // span < self.growth.size // span:
            filled += [
                (level, n, self.growth.subtree(n * span, (n + 1) * span))
                for n in range(self.growth.before // span, self.growth.size // span)
            ]
            level, span = level + 1, span * TILE
        return filled

    def after(self) -> Head:
        """Return the head that the batch leads to."""
        edge = tuple(self.growth.edge())
        return Head(
            origin=self.head.origin,
            size=self.growth.size,
            root=joined(edge),
            edge=edge,
            last_time=self.time,
            epoch=self._epoch,
            batch=self._chance.bits(8).hex(),
        )

    def _change(self, key: Key, row: Row) -> None:
        sql = TABLES[key.table]
        values = tuple(map(row.__getitem__, sql.columns))
        if len(row) != len(values) or key.values != sql.key_of(values):
            raise ValueError(f"a row of {key.table} is written whole, and under its own key")
        self._rows[key] = row
        self.changed.setdefault(key.table, {})[key] = values

    def _write_leaf(self, drafted: Draft, index: int) -> bytes:
        """Return the leaf; number the entry for everybody it concerns, seal what they may see."""
        subjects: list[str] = []
        pairs = zip(drafted.entry.concerned, drafted.salts, drafted.nonces, strict=False)
        for person, salt, nonce in pairs:
            number, previous, secret = self._number(person, index)
            place: dict[str, Json] = {
                "origin": self.head.origin,
                "number": number,
                "previous": previous,
            }
            shared = drafted.beside if subjects else drafted.shared
            subjects.append(leaf.subject(salt, person.subject, place))
            shown = (subjects[-1], *shared)
            self._seal(Place(self.head.origin, index, person.ref), number, secret, nonce, shown)
        if not subjects and drafted.shared:
            nobody = Place(self.head.origin, index, "")
            self._seal(nobody, None, b"", drafted.nonces[0], drafted.shared)
        return leaf.leaf(drafted, self._text, subjects)

    def _number(self, person: Concerned, index: int) -> tuple[int, int | None, bytes]:
        """Give the person's list its next number, and a secret to somebody seen first."""
        key = Key("person", (person.ref,))
        number, previous, secret = _listed(self._rows[key]) or (0, None, self._chance.bits(SECRET))
        row: Row = {"ref": person.ref, "secret": secret, "number": number + 1, "last": index}
        self._rows[key] = row
        self._people[key] = (person.ref, secret, number + 1, index)
        return number + 1, previous, secret

    def _seal(
        self, place: Place, number: int | None, secret: bytes, nonce: bytes, shown: Iterable[str]
    ) -> None:
        sealed = seal(self._root_key, secret, place, nonce, tuple(shown))
        self.bodies.append(Body(place.person, place.entry, number, sealed))


def wanted(drafted: Draft, effect: Effect | None) -> list[Key]:
    """Return the keys of the rows that the entry needs."""
    keys = [Key("person", (person.ref,)) for person in drafted.entry.concerned]
    keys += effect.reads if effect is not None else ()
    return keys


def _listed(row: Row | None) -> tuple[int, int | None, bytes] | None:
    """Return number, last entry and secret of somebody whom the ledger knows."""
    if row is None:
        return None
    number, last, secret = row["number"], row["last"], row["secret"]
    if isinstance(number, int) and isinstance(last, int | None) and isinstance(secret, bytes):
        return number, last, secret
    raise BadLedger("a row of the person table is not as the ledger wrote it")
