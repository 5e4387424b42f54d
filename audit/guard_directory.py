"""Guard directory: the guard as two files, for one host or on a volume that all hosts share."""

import os
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path

from audit.checkpoint import BadCheckpoint, Signer
from audit.guard import MAX_LINE, MAX_NOTE, GuardUnreadable, Restriction, place
from audit.model import Tree
from kernel.durable import replace_durably, sync_directory

_HEAD = "head"
_JOURNAL = "restrictions.jsonl"


class DirectoryGuard:
    """Implements `audit.guard.Guard` by two files in a directory."""

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
        """Return the last signed head that was kept, and the log's key under the head's name."""
        path = self._directory / _HEAD
        try:
            with path.open("rb") as file:
                note = file.read(MAX_NOTE).decode()
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
                start = max(0, size - 2 * MAX_LINE)
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
        return place(lines[-1], f"journal {path}") if lines else None

    def restrictions(self, after: int = 0) -> Iterator[Restriction]:
        """Yield the journal but for so many lines at its beginning, or raise `GuardUnreadable`."""
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


def _write_durably(file: FileIO, text: bytes) -> None:
    if file.write(text) != len(text):
        raise OSError("the guard's journal took only part of a line")
    os.fsync(file.fileno())
