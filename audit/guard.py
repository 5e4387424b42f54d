"""Guard: the last signed head and the journal of restrictions, outside the database.

A database that was restored from a backup knows nothing of what it lost; the guard does.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from audit.checkpoint import BadCheckpoint, Signer
from audit.durable import replace_durably, sync_directory
from audit.model import BadLedger, Tree
from kernel.canonical import BadJson, Json, canonical, parse

_HEAD = "head"
_JOURNAL = "restrictions.jsonl"
_FORM = 2
_MAX_NOTE = 4096
_MAX_LINE = 64 * 1024


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
        match parse(line, max_bytes=_MAX_LINE):
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


class Guard:
    """Two files in a directory; every method is called under the sequencer's lock."""

    def __init__(self, directory: Path, signer: Signer) -> None:
        """Use this directory, made for its owner alone when it is not there."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self._signer = signer

    def exists(self) -> bool:
        """Return whether a head was ever kept here."""
        return (self._directory / _HEAD).exists() or (self._directory / _JOURNAL).exists()

    def head(self) -> Tree:
        """Return the last signed head that was kept, or raise `GuardUnreadable`."""
        signer, note = self.signed()
        return signer.read(note)

    def signed(self) -> tuple[Signer, str]:
        """Return the last signed head that was kept, as it is, and the log's key under the name
        that the head has: that of a recovered log goes on. Raises `GuardUnreadable`."""
        path = self._directory / _HEAD
        try:
            with path.open("rb") as file:
                note = file.read(_MAX_NOTE).decode()
            signer = self._signer.heir(note)
            signer.read(note)
        except (OSError, UnicodeError) as error:
            raise GuardUnreadable(f"the guard's head {path} cannot be read: {error}") from error
        except BadCheckpoint as error:
            raise GuardUnreadable(f"the guard's head {path} is not ours: {error}") from error
        return signer, note

    def keep(self, note: str) -> None:
        """Put a signed head in place of the last one, durably."""
        path = self._directory / _HEAD
        replace_durably(path, note.encode())

    def last(self) -> tuple[int, bytes] | None:
        """Return index and leaf hash (base64) of the journal's last line, cutting a torn one off.

        A torn line was never acknowledged: the ledger writes it again from its own tables.
        """
        path = self._directory / _JOURNAL
        try:
            with path.open("r+b") as file:
                size = file.seek(0, os.SEEK_END)
                start = max(0, size - 2 * _MAX_LINE)
                file.seek(start)
                tail = file.read()
                whole = tail.rfind(b"\n") + 1
                if whole < len(tail):
                    file.truncate(start + whole)
                    os.fsync(file.fileno())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise GuardUnreadable(f"the guard's journal {path} cannot be read: {error}") from error
        lines = tail[:whole].splitlines()
        return self._place(lines[-1], path) if lines else None

    def restrictions(self, after: int = 0) -> Iterator[Restriction]:
        """Yield the whole journal in the order in which it was written, but for so many lines at
        its beginning; an index may stand there again, written after a recovery."""
        path = self._directory / _JOURNAL
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if number > after:
                        yield Restriction.of_line(line)
        except FileNotFoundError:
            return
        except OSError as error:
            raise GuardUnreadable(f"the guard's journal {path} cannot be read: {error}") from error
        except ValueError as error:  # BadJson, and base64 that is none
            what = f"the guard's journal {path} is damaged in line {number}: {error}"
            raise GuardUnreadable(what) from error

    def restrict(self, restrictions: Sequence[Restriction]) -> None:
        """Append restrictions to the journal, durably."""
        path = self._directory / _JOURNAL
        new = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            text = b"".join(restriction.line() for restriction in restrictions)
            try:
                _write_durably(file, text)
            except OSError:
                file.truncate(before)  # a line whose sync failed must not count as kept
                raise
        if new:
            sync_directory(self._directory)

    @staticmethod
    def _place(line: bytes, path: Path) -> tuple[int, bytes]:
        try:
            value = parse(line, max_bytes=_MAX_LINE)
        except BadJson as error:
            raise GuardUnreadable(f"the guard's journal {path} is damaged: {error}") from error
        if isinstance(value, dict):
            index, leaf = value.get("index"), value.get("leaf")
            if type(index) is int and isinstance(leaf, str):
                return index, leaf.encode()
        raise GuardUnreadable(f"the guard's journal {path} is damaged: its last line has no index")


def _write_durably(file: FileIO, text: bytes) -> None:
    if file.write(text) != len(text):
        raise OSError("the guard's journal took only part of a line")
    os.fsync(file.fileno())
