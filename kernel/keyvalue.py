"""Key-value: digests that were seen, in a file of this boot, each until a second of its own."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from kernel.bootfile import BootFile, boot_id, unavailable
from kernel.clock import SECOND, Clock

__all__ = ["KeyValue", "boot_id"]

_TIDY_EVERY = 512
_GRACE = 10
# What was tidied away may have been seen: it is never new again, even if the clock runs back.
_INSERT = """
INSERT OR IGNORE INTO seen SELECT ?, ? WHERE ? > (SELECT forgotten FROM store)
"""


class KeyValue(BootFile):
    """One open store; threads share it, processes open their own (after a fork)."""

    SCHEMA = """
CREATE TABLE IF NOT EXISTS store (one INTEGER PRIMARY KEY CHECK (one = 1),
    birth INTEGER NOT NULL, forgotten INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seen (digest BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_until ON seen (until);
"""

    def __init__(self, path: Path, clock: Clock, cap: int, first: Callable[[], bool]) -> None:
        """Keep what a new store asks; `open` is the way to get one."""
        super().__init__(path, clock)
        self._cap = cap
        self._first = first
        self._drift = clock.now() - int(clock.monotonic() * SECOND)
        self._until_tidy = 0
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
            store = cls(cls.place(directory, boot), clock, cap, first)
            store.start()
        except (OSError, sqlite3.Error) as error:
            raise unavailable("cannot be opened") from error
        return store

    def insert(self, digest: bytes, until: int) -> bool:
        """Return True when the digest was not there, and keep it until that second; False when it
        was, or when it may have been and is forgotten. Raises `state.unavailable`."""
        with self.held() as connection:
            if self._until_tidy == 0:
                self._tidy()
            self._until_tidy -= 1
            return connection.execute(_INSERT, (digest, until, until)).rowcount == 1

    def _begin(self) -> None:
        if self._connection.execute("SELECT count(*) FROM store").fetchone() == (0,):
            birth = 0 if self._first() else -(-self._clock.now() // SECOND)
            self._connection.execute("INSERT INTO store VALUES (1, ?, 0)", (birth,))
        (self.birth,) = self._connection.execute("SELECT birth FROM store").fetchone()

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
            raise unavailable(f"holds its {self._cap} entries")
        self._until_tidy = _TIDY_EVERY
