"""Database: the one SQLite file, its writer under an exclusive file lock, and its readers."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from weakref import WeakSet

from sqlalchemy.engine import make_url

from kernel.clock import Deadline
from kernel.filelock import FileLock, refuse_network

_PRAGMAS = (
    # Checkpoints run only under the lock: before 3.51.3 SQLite can lose a commit when two
    # connections write and checkpoint at once.
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA synchronous = FULL",
    "PRAGMA secure_delete = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 2000",
)
_CHECKPOINT_ROWS = 16 * 1024
_TRUNCATE_BYTES = 128 * 1024 * 1024
_CACHE_KIBIBYTES = 16 * 1024
_STATEMENTS = 512


class Forked(RuntimeError):
    """The database was opened before this process was forked off."""


class Replaced(Exception):
    """The database file is no longer the one that was opened."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class _Reader:
    """A thread's connection, and the file that it was opened on."""

    inode: int
    connection: sqlite3.Connection


class Database:
    """One SQLite file: one writer at a time over all processes, and a reader per thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make an empty one that only its owner may read."""
        self.path = path.absolute()
        refuse_network(self.path.parent)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._pid = os.getpid()
        self._lock = FileLock(self.path)
        self._writer: sqlite3.Connection | None = None
        self._checkpointed = 0
        self._inode = self.path.stat().st_ino
        self._local = threading.local()
        self._readers: WeakSet[_Reader] = WeakSet()  # a thread that ends lets its own go
        self._mutex = threading.Lock()

    @classmethod
    def at(cls, url: str) -> Self:
        """Return the database of a URL `sqlite:///path`; other databases come with production."""
        parsed = make_url(url)
        if parsed.drivername not in {"sqlite", "sqlite+pysqlite"} or not parsed.database:
            raise ValueError("the database URL must be sqlite:/// and the path of a file")
        return cls(Path(parsed.database))

    @contextmanager
    def sequence(self, deadline: Deadline) -> Iterator[sqlite3.Connection]:
        """Hold the one right to write and hand out the writing connection, in autocommit mode.

        Raises `TimeoutError` when the deadline passes first, and `Replaced` once when the file
        was exchanged. A transaction that is left open, or an error, closes the connection.
        """
        self.same_process()
        with self._lock.held(deadline):
            clean = False
            try:
                writer = self._current_writer()
                yield writer
                clean = not writer.in_transaction
            finally:
                if not clean:
                    self._drop_writer()

    def read(self) -> sqlite3.Connection:
        """Return this thread's read-only connection, whose rows are `sqlite3.Row`; read every
        result to its end."""
        self.same_process()
        kept: _Reader | None = getattr(self._local, "kept", None)
        if kept is None or kept.inode != self._inode:
            kept = _Reader(self._inode, self._connect("ro"))
            kept.connection.row_factory = sqlite3.Row
            self._local.kept = kept
            with self._mutex:
                self._readers.add(kept)
        return kept.connection

    def same_process(self) -> None:
        """Raise `Forked` in a child process: neither SQLite nor the lock survives a fork."""
        if os.getpid() != self._pid:
            raise Forked("the database was opened before the fork; open it in each process")

    def close(self, deadline: Deadline) -> None:
        """Close every connection, under the lock, since closing the last one checkpoints."""
        self.same_process()
        with self._lock.held(deadline):
            with self._mutex:
                for reader in self._readers:
                    reader.connection.close()
            self._drop_writer()
        self._lock.close()

    def _current_writer(self) -> sqlite3.Connection:
        inode = 0
        with suppress(FileNotFoundError):
            inode = self.path.stat().st_ino
        if inode != self._inode:
            self._inode = inode
            raise Replaced(f"{self.path.name} was exchanged for another file, or removed")
        if self._writer is None:
            self._writer = self._connect("rw")
            self._writer.execute("PRAGMA journal_mode = WAL")
            self._writer.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
            self._checkpointed = 0
        self._checkpoint(self._writer)
        return self._writer

    def _checkpoint(self, writer: sqlite3.Connection) -> None:
        """Move the write-ahead log into the file now and then, so that it stays bounded."""
        if writer.total_changes - self._checkpointed < _CHECKPOINT_ROWS:
            return
        self._checkpointed = writer.total_changes
        writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        log = self.path.with_name(self.path.name + "-wal")
        if log.stat().st_size > _TRUNCATE_BYTES:
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        return connection

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
