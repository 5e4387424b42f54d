"""PostgreSQL sequencer: the connection that writes, inside the transaction with the ledger's row.

A batch takes three round trips: the lock with the time, the rows that are read, and all writes with
the commit. The lock is a statement of its own, so that what reads comes after it: one statement
that locked and read returned what stood there before it waited.
"""

from collections.abc import Sequence
from typing import Any, Final

from kernel.clock import SECOND, Deadline, Micros
from kernel.database_model import CommitUnknown, Question, StorageError
from kernel.effect import Value
from kernel.postgres_rows import Answer
from kernel.postgres_wire import Broken, Rejected, Wire

SKEW: Final = 2 * SECOND
"""Microseconds by which a process's clock may differ from the database's."""
_BEGIN = Question("BEGIN ISOLATION LEVEL READ COMMITTED")
_LIMITS = "SELECT set_config('lock_timeout', ?, true), set_config('statement_timeout', ?, true)"
_REST = "SELECT set_config('idle_in_transaction_session_timeout', ?, true)"
_LOCK = Question("SELECT size FROM ledger_state WHERE shard = 1 FOR UPDATE")
# Nobody holds a row that is not there yet: those who make it come one after another as well.
_FIRST = Question("SELECT pg_advisory_xact_lock(7161734950)::text")
_TIME = Question("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
_LOCK_NOT_AVAILABLE = "55P03"
_DIVISION_BY_ZERO = "22012"
# Whoever cancels a commit that waits for its standby leaves it committed here, and says so only in
# a warning: no time limit may do that.
_UNLIMITED = Question("SET LOCAL statement_timeout = 0")
_COMMIT = Question("COMMIT")
_ROLLBACK = Question("ROLLBACK")
_LONG: Final = 60
"""Seconds; who takes longer, as a recovery does, reads elsewhere between two statements."""
_LOCK_SHARE, _SHARE = 0.8, 0.9
"""The parts of the time left after which the server gives up, so that we still hear of it."""


class Sequencer:
    """Implements `kernel.database_model.Sequencer` over a connection, until a deadline."""

    outlasts = False

    def __init__(self, wire: Wire, deadline: Deadline) -> None:
        """Prepare; `begin` takes the lock."""
        self._wire = wire
        self._deadline = deadline
        self._waiting: list[Question] = []
        self.now: Micros | None = None

    def begin(self) -> None:
        """Begin the transaction, wait for the ledger's row, and then read the time."""
        if not self._wire.idle:
            return
        clock = self._deadline.clock
        before = clock.now()
        left = self._deadline.left() * 1000
        limits = [Question(_LIMITS, (f"{left * _LOCK_SHARE:.0f}", f"{left * _SHARE + 1:.0f}"))]
        if left > _LONG * 1000:
            limits.append(Question(_REST, (f"{left:.0f}",)))
        try:
            *_, locked, time = self._run([_BEGIN, *limits, _LOCK, _TIME])
            if not locked.rows:
                *_, time = self._run([_FIRST, _LOCK, _TIME])
        except Rejected as error:
            if error.state == _LOCK_NOT_AVAILABLE:
                raise TimeoutError("another process holds the ledger's row") from error
            raise
        self.now = self._agreed(Micros(time.rows[0][0]), before, clock.now())

    def _agreed(self, told: Micros, before: Micros, after: Micros) -> Micros:
        """Return the database's time, unless our clock is off whatever the round trip took."""
        off = max(before - told, told - after)
        if off > SKEW:
            seconds = off / SECOND
            raise StorageError(f"this machine's clock is {seconds:.0f} s off the database's")
        return told

    def execute(self, sql: str, values: Sequence[Value] = (), /) -> Answer:
        """Carry out one statement, behind those that wait."""
        return self._run([Question(sql, values)])[0]

    def ask(self, questions: Sequence[Question], /) -> list[list[Any]]:
        """Return the rows of each question, all asked at once."""
        return [one.rows for one in self._run(questions)] if questions else []

    def put(self, sql: str, values: Sequence[Value], /, *, exactly: int | None = None) -> None:
        """Write together with the commit."""
        if exactly is not None:
            # An error before the commit keeps that from being carried out.
            changed = f"(SELECT count(*) FROM w) = {exactly}"  # noqa: S608 - a number of ours
            sql = f"WITH w AS ({sql} RETURNING 1) SELECT 1 / ({changed})::int"
        self._waiting.append(Question(sql, values))

    def commit(self) -> None:
        """Send everything written and the commit, and return when it is durable."""
        try:
            *_, done = self._run([_UNLIMITED, _COMMIT])
        except Rejected as error:
            if error.state == _DIVISION_BY_ZERO:
                raise StorageError("a row is not as it was, though nobody else writes") from error
            raise
        except Broken as error:
            raise CommitUnknown(error.what) from error
        if self._wire.warned:
            raise StorageError("PostgreSQL committed with a warning: a standby may lack it")
        if done.tag != "COMMIT":
            raise StorageError("PostgreSQL rolled the transaction back")

    def rollback(self) -> None:
        """Roll back."""
        self._waiting.clear()
        self._run([_ROLLBACK])

    def _run(self, questions: Sequence[Question]) -> list[Answer]:
        waiting, self._waiting = self._waiting, []
        return self._wire.run([*waiting, *questions], self._deadline)[len(waiting) :]
