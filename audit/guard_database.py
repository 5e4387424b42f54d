"""Guard database: the guard as two tables of a PostgreSQL on another server, for all hosts.

Its role may read and insert, and nothing else: what was kept once stays, whoever took a gateway
over. Each call is one transaction, durable when it returns, with one deadline.
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from audit import shards
from audit.checkpoint import BadCheckpoint, Signer
from audit.guard import GuardUnreadable, Restriction, place
from audit.model import Tree
from kernel.clock import Clock, Deadline
from kernel.database_model import Question, StorageError
from kernel.database_postgres import PostgresDatabase
from kernel.effect import Value
from kernel.postgres_wire import Broken, Wire

PATIENCE = 2.0
_OPTIONS = {
    "statement_timeout": f"{PATIENCE * 1000:.0f}ms",
    "lock_timeout": f"{PATIENCE * 1000:.0f}ms",
    "synchronous_commit": "on",
    "client_min_messages": "warning",
}
_EXISTS = """
SELECT EXISTS (SELECT 1 FROM guard_head) OR EXISTS (SELECT 1 FROM guard_restriction)
"""
# Under each name that the log had, its largest head: an old one that is put in again changes
# nothing. It goes from name to name through the index, since every head stays.
_HEADS = """
WITH RECURSIVE log (origin) AS (
  SELECT min(origin) FROM guard_head
  UNION ALL
  SELECT (SELECT min(h.origin) FROM guard_head AS h WHERE h.origin > log.origin)
  FROM log WHERE log.origin IS NOT NULL)
SELECT origin, (SELECT h.note FROM guard_head AS h WHERE h.origin = log.origin
                ORDER BY h.size DESC LIMIT 1)
FROM log WHERE origin IS NOT NULL
"""
_KEEP = """
INSERT INTO guard_head (number, origin, size, note)
SELECT coalesce(max(number), 0) + 1, ?::text, ?::bigint, ?::text FROM guard_head
ON CONFLICT (origin, size) DO NOTHING
"""
_KEPT = "SELECT note FROM guard_head WHERE origin = ? AND size = ?"
_LAST = "SELECT line FROM guard_restriction ORDER BY number DESC LIMIT 1"
_SOME = "SELECT number, line FROM guard_restriction WHERE number > ? ORDER BY number LIMIT ?"
_AT_ONCE = 256
_RESTRICT = """
INSERT INTO guard_restriction (number, line)
SELECT coalesce(max(number), 0) + 1, ?::text FROM guard_restriction
"""
_PROBE = Question("SELECT 1")
_DURABLE = "SELECT current_setting('fsync'), current_setting('full_page_writes')"


class DatabaseGuard:
    """Implements `audit.guard.Guard` by a database that holds nothing else."""

    def __init__(self, url: str, signer: Signer, clock: Clock) -> None:
        """Take a URL of libpq's; the connection is made when it is first needed."""
        self._database = PostgresDatabase(url, clock)
        self._signer = signer
        self._clock = clock
        self._wire: Wire | None = None

    def exists(self) -> bool:
        """Return whether a head or a restriction was ever kept here; or `GuardUnreadable`."""
        return bool(self._read(_EXISTS)[0][0])

    def head(self) -> Tree:
        """Return the last signed head that was kept, or raise `GuardUnreadable`."""
        signer, note = self.signed()
        return signer.read(note)

    def signed(self) -> tuple[Signer, str]:
        """Return the last signed head that was kept, and the log's key under the head's name."""
        notes = {str(origin): str(note) for origin, note in self._read(_HEADS)}
        if not notes:
            raise GuardUnreadable("the guard holds no head")
        for origin in notes:
            if not shards.same_log(origin, self._signer.name):
                raise GuardUnreadable(f"the guard holds heads of another log, {origin}, too")
        note = notes[max(notes, key=shards.number)]
        try:
            signer = self._signer.heir(note)
            signer.read(note)
        except BadCheckpoint as error:
            raise GuardUnreadable(f"the guard's head is not ours: {error}") from error
        return signer, note

    def keep(self, note: str) -> None:
        """Add a signed head, durably, or raise `OSError`: also where another one of that size,
        which can only be that of a fork, is kept already."""
        origin, size, _ = note.split("\n", 2)
        of = (origin, int(size))
        try:
            _, kept = self._run(Question(_KEEP, (*of, note)), Question(_KEPT, of))
        except StorageError as error:
            raise _unwritable(error.what) from error
        if kept != [(note,)]:
            raise _unwritable(f"it holds another head over {size} entries")

    def last(self) -> tuple[int, bytes] | None:
        """Return index and leaf hash (base64) of the last restriction, or `GuardUnreadable`."""
        rows = self._read(_LAST)
        return place(rows[0][0].encode(), "journal") if rows else None

    def restrictions(self, after: int = 0) -> Iterator[Restriction]:
        """Yield the journal but for so many lines at its beginning, or raise `GuardUnreadable`."""
        while rows := self._read(_SOME, after, _AT_ONCE):
            for number, line in rows:
                try:
                    yield Restriction.of_line(line.encode())
                except ValueError as error:  # BadJson, and base64 that is none
                    what = f"the guard's journal is damaged in line {number}: {error}"
                    raise GuardUnreadable(what) from error
                after = int(number)

    def restrict(self, restrictions: Sequence[Restriction]) -> None:
        """Add restrictions, durably and all or none, or raise `OSError`."""
        lines = [Question(_RESTRICT, (one.line().decode(),)) for one in restrictions]
        deadline = Deadline.within(PATIENCE, self._clock)
        try:
            self._once(self._live(deadline), lines, deadline)  # a line goes out once
        except StorageError as error:
            raise _unwritable(error.what) from error

    def close(self) -> None:
        """Let go of the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _read(self, sql: str, *values: Value) -> list[Any]:
        try:
            return self._run(Question(sql, values))[0]
        except StorageError as error:
            raise GuardUnreadable(f"the guard cannot be read: {error.what}") from error

    def _run(self, *questions: Question) -> list[list[Any]]:
        """Ask in one transaction over a connection that answers."""
        deadline = Deadline.within(PATIENCE, self._clock)
        return self._once(self._live(deadline), questions, deadline)

    def _live(self, deadline: Deadline) -> Wire:
        """Return a connection that answered just now: that a server was started again since the
        last call is no reason to refuse this one."""
        self._database.same_process()
        if self._wire is not None:
            wire = self._wire
            with suppress(Broken):
                self._once(wire, (_PROBE,), deadline)
                return wire
        self._wire = self._connected(deadline)
        return self._wire

    def _once(
        self, wire: Wire, questions: Sequence[Question], deadline: Deadline
    ) -> list[list[Any]]:
        try:
            return [answer.rows for answer in wire.run(questions, deadline)]
        except StorageError:
            wire.close()
            self._wire = None
            raise

    def _connected(self, deadline: Deadline) -> Wire:
        wire = self._database.connect(_OPTIONS, deadline)
        ((*durable,),) = self._once(wire, [Question(_DURABLE)], deadline)[0]
        if "off" in durable:
            wire.close()
            raise StorageError("fsync and full_page_writes may not be off there")
        return wire


def _unwritable(why: str) -> OSError:
    return OSError(errno.EIO, f"the guard cannot be written: {why}", "the guard's database")
