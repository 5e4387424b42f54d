"""Boot file: a SQLite file for short-lived state, of which nothing survives a reboot.

The file is named for the machine's boot. Within one boot the kernel keeps what a killed process
wrote, so `synchronous=OFF` loses nothing; after another boot the file is not even opened, and a
new one is made. SQLite before 3.51.3 can lose a commit when two connections write and checkpoint
at once, hence one exclusive file lock around every use, and checkpoints happen in writes alone.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernel.clock import Clock, Deadline
from kernel.errors import Reason, Refusal
from kernel.filelock import FileLock, refuse_network

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_WAIT = 1.0
_START = 20.0
"""Seconds to wait for the lock: of those who serve, and of workers that open the file together."""


def boot_id() -> str:
    """Return the name that Linux gives to the time since the machine started."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


class BootFile:
    """One open file; threads share it, processes open their own (after a fork)."""

    SCHEMA = ""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Make the lock; `start` opens the file."""
        self._path = path
        self._name = str(path)
        self._clock = clock
        self._lock = FileLock(path)
        self._connection: sqlite3.Connection
        self._file: tuple[int, int]

    @staticmethod
    def place(directory: Path, boot: str) -> Path:
        """Return the file of this boot in a directory of its own, which is made where it is
        missing; raises `OSError` on a disk whose locks cannot be trusted."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_network(directory)
        return directory / f"{boot}.db"

    @contextmanager
    def held(self) -> Iterator[sqlite3.Connection]:
        """Hold the file alone, over all threads and processes, or raise `state.unavailable`."""
        try:
            with self._lock.held(self._deadline()):
                if not self._still_there():
                    raise unavailable("was deleted while in use")
                yield self._connection
        except (OSError, sqlite3.Error) as error:
            raise unavailable("does not answer") from error

    def close(self) -> None:
        """Close the file, under the lock because the last one out checkpoints."""
        with self._lock.held(self._deadline()):
            self._connection.close()
        self._lock.close()

    def start(self) -> None:
        """Open the file, and delete those of other boots; raises `OSError` or `sqlite3.Error`."""
        with self._lock.held(Deadline.within(_START, self._clock)):
            for old in self._path.parent.glob("*.db*"):
                if not old.name.startswith(self._path.name):
                    old.unlink()
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, cached_statements=16
            )
            self._path.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=OFF")
            self._connection.executescript(self.SCHEMA)
            self._begin()
            status = self._path.stat()
            self._file = (status.st_dev, status.st_ino)

    def _begin(self) -> None:
        """Fill a new file; the lock is held."""

    def _deadline(self) -> Deadline:
        return Deadline.within(_WAIT, self._clock)

    def _still_there(self) -> bool:
        """Tell whether the open file is still the one that others find under its name."""
        status = os.stat(self._name)  # noqa: PTH116 - a third of the price, on the hot path
        return (status.st_dev, status.st_ino) == self._file


def unavailable(what: str) -> Refusal:
    """Return the refusal of a store that cannot say; `what` completes "The store …"."""
    return Refusal(
        Reason.STATE_UNAVAILABLE, f"The store of short-lived state {what}; try again later."
    )
