"""Guard: the last signed head and the journal of restrictions, outside the database.

A database that was restored from a backup knows nothing of what it lost; the guard does.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from audit.model import BadLedger, Tree
from kernel.canonical import BadJson, Json, canonical, parse

MAX_NOTE = 4096
MAX_LINE = 16 * 1024


class GuardUnreadable(BadLedger):
    """The guard cannot be read, so nothing says whether the database is complete."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """An entry that takes something away: where it stands, and its public header."""

    index: int
    leaf_hash: bytes
    header: Mapping[str, Json]

    def line(self) -> bytes:
        """Return its line in the journal."""
        leaf = b64encode(self.leaf_hash).decode()
        return canonical({"header": self.header, "index": self.index, "leaf": leaf}) + b"\n"


class Guard(Protocol):
    """Every method is called under the sequencer's lock, by any process of any host, and has a
    deadline of its own."""

    def exists(self) -> bool:
        """Return whether a head or a restriction was ever kept here; or `GuardUnreadable`."""
        ...

    def head(self) -> Tree:
        """Return the last signed head that was kept, or raise `GuardUnreadable`."""
        ...

    def keep(self, note: str) -> None:
        """Put a signed head in place of the last one, durably, or raise `OSError`."""
        ...

    def last(self) -> tuple[int, bytes] | None:
        """Return index and leaf hash (base64) of the last restriction, or `GuardUnreadable`."""
        ...

    def restrict(self, restrictions: Sequence[Restriction]) -> None:
        """Append restrictions to the journal, durably and all or none, or raise `OSError`."""
        ...


def place(line: bytes, where: str) -> tuple[int, bytes]:
    """Return index and leaf hash (base64) in a line of a journal, or raise `GuardUnreadable`."""
    try:
        value = parse(line, max_bytes=MAX_LINE)
    except BadJson as error:
        raise GuardUnreadable(f"the guard's {where} is damaged: {error}") from error
    if isinstance(value, dict):
        index, leaf = value.get("index"), value.get("leaf")
        if type(index) is int and isinstance(leaf, str):
            return index, leaf.encode()
    raise GuardUnreadable(f"the guard's {where} is damaged: its last line has no index")
