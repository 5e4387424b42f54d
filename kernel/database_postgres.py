"""PostgreSQL database: the ledger's row as the one right to write, and readers that are shared."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from kernel.clock import Clock, Deadline, SystemClock
from kernel.database_model import Forked, Question, Replaced, StorageError
from kernel.postgres_reader import Reader
from kernel.postgres_sequencer import Sequencer
from kernel.postgres_wire import Broken, Wire
from kernel.waits import OwnThread, Waits

PATIENCE: Final = 2.0
"""Seconds for which a reader waits for an answer."""
_NAME = "causeway"
_COMMON = {
    "client_min_messages": "warning",
    "statement_timeout": f"{PATIENCE:.0f}s",
    # A process that hangs, or a host that is cut off, gives the ledger's row back.
    "idle_in_transaction_session_timeout": "5s",
}
_READER = _COMMON | {"default_transaction_read_only": "on"}
# Another cluster, another database, a database that was restored to an earlier time: each of them
# shows in one of these, which everybody may read.
_WHICH = Question("""
SELECT pg_is_in_recovery(),
       (SELECT system_identifier FROM pg_control_system())::text || '/' ||
       (SELECT oid FROM pg_database WHERE datname = current_database())::text || '/' ||
       CASE WHEN pg_is_in_recovery() THEN ''
            ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
       current_setting('fsync'), current_setting('full_page_writes'),
       current_setting('synchronous_commit')
""")


class PostgresDatabase:
    """Implements `kernel.database_model.Database`."""

    def __init__(self, url: str, clock: Clock | None = None, waits: Waits | None = None) -> None:
        """Take a URL of libpq's, and how those who read wait; connections are made when they are
        needed."""
        try:
            self._given = conninfo_to_dict(url)
        except psycopg.Error:  # libpq's words may repeat a password
            raise ValueError("the database URL is none that libpq understands") from None
        self._clock = clock or SystemClock()
        self._pid = os.getpid()
        self._turn = threading.Lock()
        self._writer: Wire | None = None
        self._identity: str | None = None
        self._waits = waits or OwnThread()
        reading = partial(self.connect, _READER)
        self._reader = Reader(reading, self._clock, PATIENCE, self._waits)

    @contextmanager
    def sequence(self, deadline: Deadline) -> Iterator[Sequencer]:
        """Hold the ledger's row, and hand out the connection inside the transaction that does."""
        self.same_process()
        if not self._turn.acquire(timeout=deadline.left()):
            raise TimeoutError("another thread holds the ledger's row")
        try:
            clean = False
            try:
                yield self._begun(deadline)
                clean = True
            finally:
                self._end(clean=clean)
        finally:
            self._turn.release()

    def sequencer(self, wire: Wire, deadline: Deadline) -> Sequencer:
        """Return what writes over a connection."""
        return Sequencer(wire, deadline)

    def read(self) -> Reader:
        """Return what asks over connections that cannot write."""
        self.same_process()
        return self._reader

    @property
    def trips(self) -> int:
        """Return the round trips of the writing connection so far."""
        return self._writer.trips if self._writer is not None else 0

    def same_process(self) -> None:
        """Raise `Forked` in a child process: a connection that two use serves neither."""
        if os.getpid() != self._pid:
            raise Forked("the database was opened before the fork; open it in each process")

    def close(self, deadline: Deadline) -> None:
        """Close every connection."""
        self.same_process()
        if not self._turn.acquire(timeout=deadline.left()):
            raise TimeoutError("another thread holds the ledger's row")
        try:
            self._drop()
            self._reader.close()
        finally:
            self._turn.release()

    def connect(self, options: dict[str, str], deadline: Deadline) -> Wire:
        """Return a connection to the server that may be written to, of those that the URL names."""
        told = dict(self._given)
        ours = " ".join(f"-c {name}={value}" for name, value in options.items())
        told["options"] = f"{told.get('options', '')} {ours}".strip()
        told["client_encoding"] = "UTF8"
        told.setdefault("application_name", _NAME)
        told.setdefault("target_session_attrs", "primary")
        return Wire.connect(make_conninfo("", **told), deadline, self._waits)

    def _begun(self, deadline: Deadline) -> Sequencer:
        """Return what holds the ledger's row; a connection that died since is no reason to fail,
        since nothing was written over it."""
        if self._writer is not None:
            try:
                return self._begin(self._writer, deadline)
            except Broken:
                self._drop()
                if deadline.left() == 0:
                    raise
        return self._begin(self._connected(deadline), deadline)

    def _begin(self, wire: Wire, deadline: Deadline) -> Sequencer:
        sequencer = self.sequencer(wire, deadline)
        sequencer.begin()
        return sequencer

    def _connected(self, deadline: Deadline) -> Wire:
        """Return a new connection that writes, once it said which database it leads to."""
        wire = self._writer = self.connect(_COMMON, deadline)
        self._check(wire, deadline)
        return wire

    def _check(self, wire: Wire, deadline: Deadline) -> None:
        ((standby, identity, *durable),) = wire.run([_WHICH], deadline)[0].rows
        if standby:
            raise StorageError("this PostgreSQL is a standby, which takes no entries")
        if "off" in durable:
            raise StorageError("fsync, full_page_writes and synchronous_commit may not be off")
        before, self._identity = self._identity, identity
        if before not in {None, identity}:
            raise Replaced("PostgreSQL is not the one that was opened: all is checked anew")

    def _end(self, *, clean: bool) -> None:
        """Keep the connection where nothing is left open, or can be rolled back at once."""
        if self._writer is None:
            return
        if clean and self._writer.alive and not self._writer.idle:
            with suppress(StorageError):
                self._writer.run([Question("ROLLBACK")], Deadline.within(PATIENCE, self._clock))
        if not clean or not self._writer.alive or not self._writer.idle:
            self._drop()

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
