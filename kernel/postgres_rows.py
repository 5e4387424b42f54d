"""PostgreSQL rows: values on their way to the server, and answers on their way back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from psycopg import pq

from kernel.database_model import StorageError
from kernel.effect import Value

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1


def _integer(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


_DECODERS: dict[int, Callable[[bytes], Any]] = {  # by the OID of pg_type
    16: lambda value: value != b"\0",
    17: bytes,
    19: bytes.decode,
    20: _integer,
    21: _integer,
    23: _integer,
    25: bytes.decode,
    26: lambda value: int.from_bytes(value, "big"),
    1043: bytes.decode,
}


@dataclass(slots=True)
class Answer:
    """Implements `kernel.database_model.Cursor`: all rows of a statement, and what it changed."""

    rows: list[Any]
    rowcount: int
    tag: str
    names: tuple[str, ...]
    _at: int = 0

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        if self._at == len(self.rows):
            return None
        self._at += 1
        return self.rows[self._at - 1]

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        left = self.rows[self._at :] if self._at else self.rows
        self._at = len(self.rows)
        return left

    def close(self) -> None:
        """Forget the rows that are left."""
        self._at = len(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())

    def named(self) -> "Answer":
        """Return the answer with rows that are read by name as well."""
        row = _row(self.names)
        return Answer([row(one) for one in self.rows], self.rowcount, self.tag, self.names)


def encoded(values: Sequence[Value]) -> tuple[list[bytes | None], list[int]]:
    """Return values and their formats as libpq takes them: texts and bytes with their length,
    since its own text format ends at a zero byte, and integers as text of any width."""
    texts: list[bytes | None] = []
    formats: list[int] = []
    for value in values:
        if isinstance(value, int):
            if not _LEAST <= value <= _MOST:
                raise OverflowError("a number does not fit into 64 bits")
            texts.append(b"%d" % value)
            formats.append(0)
        else:
            texts.append(value.encode() if isinstance(value, str) else value)
            formats.append(1)
    return texts, formats


def answer(result: pq.abc.PGresult) -> Answer:
    """Return the answer that a result of binary columns holds."""
    columns = range(result.nfields)
    decoders = [_DECODERS.get(result.ftype(column)) for column in columns]
    if None in decoders:
        raise StorageError("a column has a type that the tables do not have")
    get = result.get_value
    rows = [
        tuple(
            None if (value := get(row, column)) is None else decode(value)  # type: ignore[misc]  # None is refused above
            for column, decode in enumerate(decoders)
        )
        for row in range(result.ntuples)
    ]
    names = tuple((result.fname(column) or b"").decode() for column in columns)
    tag = (result.command_status or b"").decode()
    return Answer(rows, result.command_tuples or 0, tag, names)


@lru_cache(maxsize=512)
def _row(names: tuple[str, ...]) -> type[tuple[Any, ...]]:
    """Return the type of rows with these columns."""
    places = {name: place for place, name in enumerate(names)}

    class Row(tuple[Any, ...]):
        """A row that is read by place and by name."""

        __slots__ = ()

        def keys(self) -> tuple[str, ...]:
            return names

        def __getitem__(self, key: Any) -> Any:
            return tuple.__getitem__(self, places[key] if isinstance(key, str) else key)

    return Row
