"""SQLite database: one file, its writer under an exclusive file lock, and its readers."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from weakref import WeakSet

from kernel.clock import Deadline
from kernel.database_model import Forked, Question, Replaced, StorageError
from kernel.effect import Value
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
_CHECKPOINT_ROWS = 2 * 1024
_TRUNCATE_BYTES = 128 * 1024 * 1024
_CACHE_KIBIBYTES = 16 * 1024
_STATEMENTS = 512


_BROKEN = ("IOERR", "FULL", "CORRUPT", "NOTADB", "CANTOPEN", "READONLY", "BUSY", "PROTOCOL")


def _fail(error: sqlite3.Error) -> NoReturn:
    name = getattr(error, "sqlite_errorname", None) or ""
    raise StorageError(str(error), broken=any(word in name for word in _BROKEN)) from error


class _Cursor(sqlite3.Cursor):
    """A cursor whose errors are those of the port."""

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            _fail(error)

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            _fail(error)

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            _fail(error)


class SqliteConnection(sqlite3.Connection):
    """Implements `kernel.database_model.Sequencer`; in autocommit mode until it begins."""

    now = None
    outlasts = True

    def execute(self, sql: str, values: Any = (), /) -> _Cursor:
        """Carry out one statement."""
        try:
            return self.cursor(_Cursor).execute(sql, values)
        except sqlite3.Error as error:
            _fail(error)

    def ask(self, questions: Sequence[Question], /) -> list[list[Any]]:
        """Return the rows of each question."""
        execute = super().execute
        try:
            return [execute(sql, values).fetchall() for sql, values in questions]
        except sqlite3.Error as error:
            _fail(error)

    def begin(self) -> None:
        """Begin the transaction."""
        self.put("BEGIN IMMEDIATE", ())

    def put(self, sql: str, values: Sequence[Value], /, *, exactly: int | None = None) -> None:
        """Write at once."""
        try:
            changed = super().execute(sql, values).rowcount
        except sqlite3.Error as error:
            _fail(error)
        if exactly is not None and changed != exactly:
            raise StorageError(f"{changed} rows were there to change, and not {exactly}")

    def commit(self) -> None:
        """Commit."""
        self.put("COMMIT", ())

    def rollback(self) -> None:
        """Roll back."""
        self.put("ROLLBACK", ())


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class _Reader:
    """A thread's connection, and the file that it was opened on."""

    inode: int
    connection: SqliteConnection


class SqliteDatabase:
    """One SQLite file: one writer at a time over all processes, and a reader per thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make an empty one that only its owner may read."""
        self.path = path.absolute()
        refuse_network(self.path.parent)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._pid = os.getpid()
        self._lock = FileLock(self.path)
        self._writer: SqliteConnection | None = None
        self._checkpointed = 0
        self._inode = self.path.stat().st_ino
        self._local = threading.local()
        self._readers: WeakSet[_Reader] = WeakSet()  # a thread that ends lets its own go
        self._mutex = threading.Lock()

    @contextmanager
    def sequence(self, deadline: Deadline) -> Iterator[SqliteConnection]:
        """Hold the one right to write and hand out the writing connection, in autocommit mode.

        A transaction that is left open, or an error, closes the connection.
        """
        self.same_process()
        self._lock.take(deadline)
        clean = False
        try:
            writer = self._current_writer()
            yield writer
            clean = not writer.in_transaction
        finally:
            try:
                if not clean:
                    self._drop_writer()
            finally:
                self._lock.let_go()

    def read(self) -> SqliteConnection:
        """Return this thread's read-only connection; read every result to its end."""
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

    def _current_writer(self) -> SqliteConnection:
        try:
            inode = os.stat(self.path).st_ino  # noqa: PTH116 - half the price, at every turn
        except FileNotFoundError:
            inode = 0
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

    def _checkpoint(self, writer: SqliteConnection) -> None:
        """Move the write-ahead log into the file now and then, so that it stays bounded."""
        if writer.total_changes - self._checkpointed < _CHECKPOINT_ROWS:
            return
        self._checkpointed = writer.total_changes
        writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        log = self.path.with_name(self.path.name + "-wal")
        if log.stat().st_size > _TRUNCATE_BYTES:
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _connect(self, mode: str) -> SqliteConnection:
        try:
            connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_STATEMENTS,
                factory=SqliteConnection,
            )
        except sqlite3.Error as error:
            _fail(error)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        return connection

    def _drop_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
