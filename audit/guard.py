"""Guard: the last signed head and the journal of restrictions, outside the database.

A database that was restored from a backup knows nothing of what it lost; the guard does.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from audit.checkpoint import Signer
from audit.model import BadLedger, Tree
from kernel.canonical import BadJson, Json, canonical, parse

_FORM = 2
MAX_NOTE = 4096
MAX_LINE = 64 * 1024


class GuardUnreadable(BadLedger):
    """The guard cannot be read, so nothing says whether the database is complete."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """An entry that takes something away: where it stands, its public header, and sealed what
    is needed to put it back (`audit.journal`)."""

    index: int
    leaf_hash: bytes
    header: Mapping[str, Json]
    origin: str = ""
    sealed: bytes = b""
    """Empty in a line of the first form, which told nothing but the header."""

    def line(self) -> bytes:
        """Return its line in the journal."""
        leaf = b64encode(self.leaf_hash).decode()
        members: dict[str, Json] = {"header": self.header, "index": self.index, "leaf": leaf}
        if self.sealed:
            sealed = b64encode(self.sealed).decode()
            members |= {"v": _FORM, "origin": self.origin, "sealed": sealed}
        return canonical(members) + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> "Restriction":
        """Return what a line says; raise `ValueError` where it is damaged."""
        match parse(line, max_bytes=MAX_LINE):
            case {"header": dict(header), "index": int(index), "leaf": str(leaf), **rest}:
                value = b64decode(leaf, validate=True)
            case _:
                raise ValueError("it has no index")
        match rest:
            case {"v": 2, "origin": str(origin), "sealed": str(sealed)}:
                return cls(index, value, header, origin, b64decode(sealed, validate=True))
            case {} if not rest:
                return cls(index, value, header)
        raise ValueError("it has a form that this version does not know")


class Guard(Protocol):
    """Every method is called under the sequencer's lock, by any process of any host, and has a
    deadline of its own."""

    def exists(self) -> bool:
        """Return whether a head or a restriction was ever kept here; or `GuardUnreadable`."""
        ...

    def head(self) -> Tree:
        """Return the last signed head that was kept, or raise `GuardUnreadable`."""
        ...

    def signed(self) -> tuple[Signer, str]:
        """Return the last signed head that was kept, as it is, and the log's key under the name
        that the head has: that of a recovered log goes on. Raises `GuardUnreadable`."""
        ...

    def keep(self, note: str) -> None:
        """Put a signed head in place of the last one, durably, or raise `OSError`."""
        ...

    def last(self) -> tuple[int, bytes] | None:
        """Return index and leaf hash (base64) of the last restriction, or `GuardUnreadable`."""
        ...

    def restrictions(self, after: int = 0) -> Iterator[Restriction]:
        """Yield the whole journal in the order in which it was written, but for so many lines at
        its beginning, or raise `GuardUnreadable`; an index may stand there again, written after a
        recovery."""
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
