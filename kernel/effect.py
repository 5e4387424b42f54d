"""Effect: what an entry does to the tables, as data that the ledger carries out in its commit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from kernel.clock import Micros

Value = None | int | str | bytes
Row = Mapping[str, Value]


class Key(NamedTuple):
    """One row: its table and the values of its primary key, in the key's order."""

    table: str
    values: tuple[Value, ...]


class Write(NamedTuple):
    """One row to write whole, in place of whatever stood under its key."""

    key: Key
    row: Row


class Rows(Protocol):
    """The rows that an effect asked for, as the entries before it in the batch left them."""

    def __getitem__(self, key: Key) -> Row | None:
        """Return the row, or None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where an entry stands: its time, and its index in the ledger."""

    time: Micros
    index: int


Apply = Callable[[Rows, Moment], Sequence[Write]]


@dataclass(frozen=True, slots=True)
class Effect:
    """The rows to read, and a pure function of them and the moment; it may raise `Refusal`."""

    reads: tuple[Key, ...]
    apply: Apply
