"""SQLite as a source: opened read-only, bounded in time and in the size of a value."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Dialect
from sqlalchemy.dialects.sqlite import dialect

from adapters.base import Faults
from adapters.record import MAX_RECORD
from kernel.clock import Deadline
from kernel.errors import Refusal

_STEPS = 2_000
"""Virtual machine steps between two looks at the clock: about 20 microseconds."""
_LATE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT}
_DOWN = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_READONLY,
}


class SqliteConnection(sqlite3.Connection):
    """One connection, which cannot write."""

    def begin(self, deadline: Deadline) -> None:
        """Begin a snapshot in which no statement waits or runs past the deadline."""
        self.execute(f"PRAGMA busy_timeout = {int(deadline.left() * 1000)}")
        self.set_progress_handler(lambda: deadline.left() <= 0, _STEPS)
        self.execute("BEGIN")


class SqliteDatabase:
    """A database file of an agency on this host."""

    def __init__(self, url: URL) -> None:
        """Keep the place; the file is opened by the first fetch. Raises `ValueError`."""
        if not url.database or not Path(url.database).is_absolute() or url.query or url.host:
            raise ValueError("an SQLite source needs an address like sqlite:////absolute/path.db")
        self._uri = f"file:{quote(url.database)}?mode=ro"
        self.dialect: Dialect = dialect()

    def connect(self) -> SqliteConnection:
        """Return a new connection; raises the driver's error."""
        raw = sqlite3.connect(
            self._uri,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            factory=SqliteConnection,
        )
        raw.execute("PRAGMA query_only = ON")
        raw.execute("PRAGMA trusted_schema = OFF")
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_RECORD)
        raw.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        return raw

    @property
    def error(self) -> type[Exception]:
        """Return the class of the driver's errors (PEP 249)."""
        return sqlite3.Error

    def refusal(self, error: Exception, faults: Faults) -> Refusal:
        """Return what a driver's error means: late, down, or not the database described."""
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if primary in _LATE:
            return faults.timeout()
        if primary in _DOWN:
            return faults.unavailable("cannot be opened or read")
        return faults.bad_answer("does not hold the tables and columns that the catalogue names")
