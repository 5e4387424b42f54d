"""Key-value: short-lived state in a SQLite file of its own, of which nothing survives a reboot.

The file is named for the machine's boot. Within one boot the kernel keeps what a killed process
wrote, so `synchronous=OFF` loses nothing; after another boot the file is not even opened, and the
store is born anew. SQLite before 3.51.3 can lose a commit when two connections write and checkpoint
at once, hence one exclusive file lock around every write, and checkpoints happen in writes alone.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from kernel.clock import SECOND, Clock, Deadline
from kernel.errors import Reason, Refusal
from kernel.filelock import FileLock, refuse_network

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_WAIT = 1.0
_TIDY_EVERY = 512
_GRACE = 10
_SCHEMA = """
CREATE TABLE IF NOT EXISTS store (one INTEGER PRIMARY KEY CHECK (one = 1),
    birth INTEGER NOT NULL, forgotten INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen (digest BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_until ON seen (until);
"""
# What was tidied away may have been seen: it is never new again, even if the clock runs back.
_INSERT = """
INSERT OR IGNORE INTO seen SELECT ?, ? WHERE ? > (SELECT forgotten FROM store)
"""


def boot_id() -> str:
    """Return the name that Linux gives to the time since the machine started."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


class KeyValue:
    """One open store; threads share it, processes open their own (after a fork)."""

    def __init__(self, path: Path, clock: Clock, cap: int) -> None:
        """Connect; `open` is the way to get one."""
        self._path = path
        self._name = str(path)
        self._clock = clock
        self._cap = cap
        self._lock = FileLock(path)
        self._drift = clock.now() - int(clock.monotonic() * SECOND)
        self._until_tidy = 0
        self._connection: sqlite3.Connection
        self._file: tuple[int, int]
        self.birth: int

    @classmethod
    def open(
        cls,
        directory: Path,
        clock: Clock,
        boot: str,
        first: Callable[[], bool] = lambda: False,
        cap: int = 1_000_000,
    ) -> "KeyValue":
        """Return the store of this boot in a directory of its own, or raise `Refusal` with
        `state.unavailable`. A new store is born now, or, where `first` knows that nothing can
        have happened before, at the beginning of time (`birth` 0)."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_network(directory)
            store = cls(directory / f"{boot}.db", clock, cap)
            with store._lock.held(store._deadline()):
                store._begin(first)
        except (OSError, sqlite3.Error) as error:
            raise _unavailable("cannot be opened") from error
        return store

    def insert(self, digest: bytes, until: int) -> bool:
        """Return True when the digest was not there, and keep it until that second; False when it
        was, or when it may have been and is forgotten. Raises `state.unavailable`."""
        try:
            with self._lock.held(self._deadline()):
                if not self._still_there():
                    raise _unavailable("was deleted while in use")
                if self._until_tidy == 0:
                    self._tidy()
                self._until_tidy -= 1
                return self._connection.execute(_INSERT, (digest, until, until)).rowcount == 1
        except (OSError, sqlite3.Error) as error:
            raise _unavailable("does not answer") from error

    def close(self) -> None:
        """Close the file, under the lock because the last one out checkpoints."""
        with self._lock.held(self._deadline()):
            self._connection.close()
        self._lock.close()

    def _begin(self, first: Callable[[], bool]) -> None:
        for old in self._path.parent.glob("*.db*"):
            if not old.name.startswith(self._path.name):
                old.unlink()
        self._connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=8
        )
        self._path.chmod(0o600)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.executescript(_SCHEMA)
        if self._connection.execute("SELECT count(*) FROM store").fetchone() == (0,):
            birth = 0 if first() else -(-self._clock.now() // SECOND)
            self._connection.execute("INSERT INTO store VALUES (1, ?, 0)", (birth,))
        (self.birth,) = self._connection.execute("SELECT birth FROM store").fetchone()
        status = self._path.stat()
        self._file = (status.st_dev, status.st_ino)

    def _deadline(self) -> Deadline:
        return Deadline.within(_WAIT, self._clock)

    def _still_there(self) -> bool:
        """Tell whether the open file is still the one that others find under its name."""
        status = os.stat(self._name)  # noqa: PTH116 - a third of the price, on the hot path
        return (status.st_dev, status.st_ino) == self._file

    def _tidy(self) -> None:
        """Delete what has long expired, and refuse to grow beyond the cap."""
        now = self._clock.now()
        # A clock that leapt ahead must not make the store forget: monotonic time leads.
        elapsed = int(self._clock.monotonic() * SECOND) + self._drift
        past = min(now, elapsed) // SECOND - _GRACE
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            if self._connection.execute("DELETE FROM seen WHERE until <= ?", (past,)).rowcount:
                self._connection.execute("UPDATE store SET forgotten = max(forgotten, ?)", (past,))
        (held,) = self._connection.execute("SELECT count(*) FROM seen").fetchone()
        if held >= self._cap:
            raise _unavailable(f"holds its {self._cap} entries")
        self._until_tidy = _TIDY_EVERY


def _unavailable(what: str) -> Refusal:
    return Refusal(
        Reason.STATE_UNAVAILABLE, f"The store of short-lived state {what}; try again later."
    )
