"""Tables of the ledger: a whole batch read and written in one statement per table.

The SQL is plain and fixed per table, since SQLAlchemy built per call costs ten times the driver.
Statements come in few sizes, so that prepared ones serve batches of any size, two at a time.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Integer, Table, Text

from audit.merkle import EMPTY, TILE, fold, middle, node_hash
from audit.model import SHARD, BadLedger, Head
from kernel.clock import Micros
from kernel.database_model import Connection, Question, Sequencer
from kernel.effect import Key, Row, Value
from kernel.grants import CHANGES
from kernel.tables import metadata

_HEAD = Question(
    "SELECT origin, size, root, edge, last_time, epoch, batch FROM ledger_state WHERE shard = ?",
    (SHARD,),
)
_CAST = {BigInteger: "BIGINT", Integer: "BIGINT", Text: "TEXT"}
_MOST = 128
_FINE = 16
_HASH = 32
OWN = frozenset(name for name in metadata.tables if name.startswith("ledger_")) | {"person"}
"""Tables that only the ledger itself writes."""


class Statements:
    """The SQL of one table: rows by key, and rows written whole."""

    __slots__ = (
        "_first",
        "_insert",
        "_keys",
        "_match",
        "_name",
        "_update",
        "columns",
        "key_of",
        "keys",
    )

    def __init__(self, table: Table) -> None:
        """Precompute the parts that do not depend on the number of rows."""
        self.columns = tuple(column.name for column in table.columns)
        self.keys = tuple(column.name for column in table.primary_key.columns)
        names = ", ".join(f'"{name}"' for name in self.columns)
        self.key_of = _picker([self.columns.index(name) for name in self.keys])
        self._name = table.name
        self._keys = ", ".join(f'"{name}"' for name in self.keys)
        # PostgreSQL takes the types of a list from its first row, and a bare value for a text.
        types = [_CAST[column.type.as_generic().__class__] for column in table.primary_key.columns]
        self._first = "(" + ", ".join(f"CAST(? AS {name})" for name in types) + ")"
        self._match = " AND ".join(f't."{name}" = k."{name}"' for name in self.keys)
        rest = [name for name in self.columns if name in CHANGES[table.name]]
        change = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
        self._update = f" ON CONFLICT ({self._keys}) DO " + (
            f"UPDATE SET {change}" if change else "NOTHING"
        )
        self._insert = f'INSERT INTO "{table.name}" ({names}) VALUES '  # noqa: S608 - own names

    @lru_cache(maxsize=64)  # noqa: B019 - one object per table, for the life of the process
    def select(self, count: int) -> str:
        """Return the query for so many keys; joined, since SQLite scans on a row-value IN."""
        values = ",".join([self._first, *self._rows(len(self.keys), count - 1)])
        columns = ", ".join(f't."{name}"' for name in self.columns)
        return (
            f"WITH k({self._keys}) AS (VALUES {values}) "  # noqa: S608 - own names
            f'SELECT {columns} FROM k CROSS JOIN "{self._name}" AS t WHERE {self._match}'
        )

    @lru_cache(maxsize=64)  # noqa: B019 - one object per table, for the life of the process
    def write(self, count: int, *, replace: bool) -> str:
        """Return the statement that writes so many rows, in place of others or as new ones."""
        text = self._insert + ",".join(self._rows(len(self.columns), count))
        return text + self._update if replace else text

    @staticmethod
    def _rows(width: int, count: int) -> list[str]:
        return ["(" + ",".join("?" * width) + ")"] * count


def _picker(places: Sequence[int]) -> Callable[[Sequence[Value]], tuple[Value, ...]]:
    if len(places) == 1:  # itemgetter would return the value bare
        place = places[0]
        return lambda row: (row[place],)
    return itemgetter(*places)


TABLES: Mapping[str, Statements] = {
    name: Statements(table) for name, table in metadata.tables.items()
}


def load(connection: Connection, keys: Collection[Key]) -> dict[Key, Row | None]:
    """Return the rows under these keys, None where there is none: one query per table."""
    asked = _asked(keys)
    return _found(keys, asked, connection.ask([question for _, question in asked]))


def load_with_head(
    connection: Connection, keys: Collection[Key]
) -> tuple[Head | None, dict[Key, Row | None]]:
    """Return the state row and the rows under these keys, all asked at once."""
    asked = _asked(keys)
    first, *answers = connection.ask([_HEAD, *(question for _, question in asked)])
    return _head(first), _found(keys, asked, answers)


def _asked(keys: Iterable[Key]) -> list[tuple[str, Question]]:
    """Return the tables of these keys, each with the query for their rows."""
    wanted: dict[str, dict[tuple[Value, ...], None]] = {}
    for table, values in keys:
        wanted.setdefault(table, {})[values] = None
    asked: list[tuple[str, Question]] = []
    for table, distinct in wanted.items():
        sql, rows = TABLES[table], list(distinct)
        if {*map(len, rows)} != {len(sql.keys)}:
            raise ValueError(f"a key of {table} has {len(sql.keys)} values")
        for start in range(0, len(rows), _MOST):
            part = rows[start : start + _MOST]
            count = len(part) if len(part) <= _FINE else -(-len(part) // _FINE) * _FINE
            part += [part[-1]] * (count - len(part))
            question = Question(sql.select(count), list(chain.from_iterable(part)))
            asked.append((table, question))
    return asked


def _found(
    keys: Iterable[Key], asked: Sequence[tuple[str, Question]], answers: Sequence[Sequence[Any]]
) -> dict[Key, Row | None]:
    found: dict[Key, Row | None] = dict.fromkeys(keys)
    for (table, _), rows in zip(asked, answers, strict=True):
        sql = TABLES[table]
        for row in rows:
            found[Key(table, sql.key_of(row))] = dict(zip(sql.columns, row, strict=True))
    return found


def write(
    connection: Sequencer,
    table: str,
    rows: Sequence[Sequence[Value]],
    *,
    replace: bool,
) -> None:
    """Write rows, each in its table's column order: two statements for up to 128 of them."""
    sql = TABLES[table]
    start = 0
    while start < len(rows):
        left = min(_MOST, len(rows) - start)
        count = left if left <= _FINE else left - left % _FINE
        part = rows[start : start + count]
        connection.put(sql.write(count, replace=replace), tuple(chain.from_iterable(part)))
        start += count


def head(connection: Connection) -> Head | None:
    """Return the state row, or None in a database where no log was opened yet."""
    (rows,) = connection.ask([_HEAD])
    return _head(rows)


def _head(rows: Sequence[Any]) -> Head | None:
    if not rows:
        return None
    origin, size, root, edge, last_time, epoch, batch = rows[0]
    hashes = tuple(edge[i : i + _HASH] for i in range(0, len(edge), _HASH))
    return Head(origin, size, root, hashes, Micros(last_time), epoch, batch)


def write_head(connection: Sequencer, head: Head, size: int | None) -> None:
    """Write the state row in place of the one of that size, or the very first one."""
    columns = (
        head.origin,
        head.size,
        head.root,
        b"".join(head.edge),
        head.last_time,
        head.epoch,
        head.batch,
        SHARD,
    )
    if size is None:
        text = (
            "INSERT INTO ledger_state (origin, size, root, edge, last_time, epoch, batch, shard)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        )
        connection.put(text, columns)
        return
    text = (
        "UPDATE ledger_state SET origin = ?, size = ?, root = ?, edge = ?, last_time = ?,"
        " epoch = ?, batch = ? WHERE shard = ? AND size = ?"
    )
    connection.put(text, (*columns, size), exactly=1)  # nobody else may write


def leaves(connection: Connection, start: int, end: int) -> list[tuple[bytes, bytes]]:
    """Return leaf and hash of the entries from `start` up to `end`, or raise `BadLedger`."""
    rows = connection.execute(
        'SELECT leaf, hash FROM ledger_leaf WHERE "index" >= ? AND "index" < ? ORDER BY "index"',
        (start, end),
    ).fetchall()
    if len(rows) != end - start:
        raise BadLedger(f"{end - start - len(rows)} of the entries {start} to {end - 1} are gone")
    return rows


class StoredTree:
    """The tree as the tables hold it: leaf hashes, and the roots of full tiles of 256."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        """Read over this connection."""
        self._connection = connection

    def subtree(self, start: int, end: int) -> bytes:
        """Return MTH(D[start:end]), or raise `BadLedger` when a hash is gone."""
        width = end - start
        if width & (width - 1):
            split = middle(start, end)
            return node_hash(self.subtree(start, split), self.subtree(split, end))
        unit, level = 1, 0
        while width >= unit * TILE:
            unit, level = unit * TILE, level + 1
        return fold(self._row(level, start // unit, end // unit))

    def root(self, size: int) -> bytes:
        """Return the root over the first entries."""
        return self.subtree(0, size) if size else EMPTY

    def _row(self, level: int, start: int, end: int) -> list[bytes]:
        if level == 0:
            rows = self._connection.execute(
                'SELECT hash FROM ledger_leaf WHERE "index" >= ? AND "index" < ? ORDER BY "index"',
                (start, end),
            ).fetchall()
        else:
            rows = self._connection.execute(
                "SELECT root FROM ledger_tile WHERE level = ? AND n >= ? AND n < ? ORDER BY n",
                (level - 1, start, end),
            ).fetchall()
        if len(rows) != end - start:
            unit = TILE**level
            raise BadLedger(f"hashes of the entries {start * unit} to {end * unit - 1} are gone")
        return [row[0] for row in rows]
