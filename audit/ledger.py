"""Ledger: the one place where things happen; entries and their effects commit in batches."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Self

import orjson

from audit import leaf, store
from audit.batch import Committed, Placed
from audit.checkpoint import Checkpoint, Signer, tlog_proof
from audit.guard import Guard
from audit.merkle import inclusion
from audit.model import BadLedger, Limits, Turn
from audit.waiting import Job, Line, Refused, settle, unavailable
from audit.writer import Keys, Writer
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.clock import Clock, Deadline
from kernel.database_model import CommitUnknown, Database, Forked, Replaced, StorageError
from kernel.effect import Effect
from kernel.entry import Entry

_log = logging.getLogger(__name__)

_AGAIN = 1.0
"""Seconds after which a ledger that does not serve looks whether it can."""
_LEAST = 0.02
"""Seconds between two looks at the guard's head."""


class Ledger:
    """Implements `kernel.entry.Ledger`: one per process, opened after any fork."""

    def __init__(
        self,
        database: Database,
        guard: Guard,
        keys: Keys,
        clock: Clock,
        chance: Chance,
        limits: Limits | None = None,
    ) -> None:
        """Prepare; `open` checks and starts."""
        self._limits = limits or Limits()
        self._database = database
        self._clock = clock
        self._chance = chance
        head_age = self._limits.head_age
        self._writer = Writer(guard, keys, clock, chance, head_age)
        self._line = Line(self._limits.waiting)
        self._watch: Callable[[Turn], None] = lambda _: None
        self._fault: str | None = "it is not open"
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep_up, name="ledger", daemon=True)

    def open(self) -> Self:
        """Check database, tree and guard, open the log where there is none, and start.

        Raises `BadLedger` that says what was found, or `TimeoutError` when another process
        keeps the lock.
        """
        with self._database.sequence(Deadline.within(10, self._clock)) as connection:
            self._writer.ready(connection)
        self._line.shut = self._fault = None
        self._keeper.start()
        return self

    def close(self) -> None:
        """Let those who wait write, keep the head, and stop; later appends are refused."""
        if self._line.shut is None:
            self._line.shut = "it is closed"
            self._ended.set()
            self._line.nudge()
            self._keeper.join()  # it takes the lead, and never leaves it
            while jobs := list(self._line.more(self._limits.batch)):
                self._turn(jobs)
            self._turn([])
        self._fault = "it is closed"

    @property
    def signer(self) -> Signer:
        """Return the log's key under the log's name now, which a recovery changes."""
        return self._writer.signer

    def watch(self, watch: Callable[[Turn], None]) -> None:
        """Tell each turn from now on to whoever measures."""
        self._watch = watch

    @property
    def waiting(self) -> int:
        """Return how many appends wait now for others to write."""
        return self._line.waiting

    @property
    def behind(self) -> float:
        """Return for how many seconds the guard has not had the newest head."""
        return self._writer.behind()

    @property
    def fault(self) -> str | None:
        """Return why the ledger does not serve now, or None when it does."""
        return self._fault

    def append(
        self, entry: Entry, effect: Effect | None = None, refused: Refused | None = None
    ) -> Placed:
        """Commit the entry with its effect and return when both are durable.

        When the effect raises `Refusal`, the change made by `refused` commits instead and the
        refusal propagates. Raises `Outdated`, or `Refusal` with `ledger.unavailable`.
        """
        waits = self._limits.waits
        parked = waits.parked()
        job = Job(leaf.draft(entry, self._chance), effect, refused, parked)
        if parked is not None:
            return job.placed(self._wait(job))
        return job.placed(waits.aside(lambda: self._wait(job)))

    def checkpoint(self) -> str:
        """Return a signed checkpoint of the newest state (C2SP tlog-checkpoint)."""
        return self._newest().note()

    def proof(self, index: int) -> str:
        """Return a C2SP tlog-proof of an entry in the newest checkpoint's tree; `IndexError`
        when there is no such entry."""
        newest = self._newest()
        path = inclusion(index, newest.tree.size, store.StoredTree(self._database.read()).subtree)
        return tlog_proof(index, path, newest.note())

    def entry(self, index: int) -> Mapping[str, Json]:
        """Return the members of an entry's leaf; `IndexError` when there is no such entry."""
        if not 0 <= index < self.size:
            raise IndexError("the log has no such entry")
        ((text, _),) = store.leaves(self._database.read(), index, index + 1)
        members: Mapping[str, Json] = orjson.loads(text)
        return members

    @property
    def size(self) -> int:
        """Return how many entries are durable."""
        head = store.head(self._database.read())
        return head.size if head is not None else 0

    def _newest(self) -> Checkpoint:
        """Return the checkpoint of the newest tree; a turn checks what others wrote."""
        newest = self._writer.newest
        if newest is None or newest.tree.size != self.size:
            self._wait(Job(None))
            newest = self._writer.newest
        if newest is None:
            raise unavailable("it is not open")
        return newest

    def _wait(self, job: Job) -> Committed:
        """Return when the job's batch is durable: somebody else's, or one that we write here."""
        self._database.same_process()
        if self._line.enter(job, self._limits.patience):
            try:
                if job.leads:
                    self._turn([job])
            finally:
                self._line.leave()
        return job.answer()

    def _keep_up(self) -> None:
        """Write for callers who cannot, keep the guard's head current while nobody appends, and
        see whether a fault has gone."""
        while not self._ended.is_set() or not self._line.take():
            job = self._line.handed(self._pause())
            if job is not None:
                try:
                    self._turn([job])
                finally:
                    self._line.leave()
                continue
            due = self._writer.due()
            late = due is not None and due <= 0
            if (late or self._fault is not None) and self._line.take():
                try:
                    self._turn([])
                finally:
                    self._line.leave()

    def _pause(self) -> float:
        if self._ended.is_set():
            return _LEAST
        if self._fault is not None:
            return _AGAIN
        due = self._writer.due()
        return max(_LEAST, self._limits.head_age if due is None else due)

    def _turn(self, own: list[Job], *, alone: bool = False) -> None:
        """Take the lock, then the line, and commit; without a job just keep the guard's head.

        A batch that fails for what one of its entries holds is tried again entry by entry.
        """
        jobs = own
        error: Exception | None = None
        began = held = self._clock.monotonic()
        try:
            deadline = Deadline.within(self._limits.patience, self._clock)
            try:
                with self._database.sequence(deadline) as connection:
                    held = self._clock.monotonic()
                    if jobs and not alone:  # only now, so that waiting for the lock grows the batch
                        jobs = [*own, *self._line.more(self._limits.batch - 1)]
                    if jobs:
                        with self._limits.waits.alone():
                            self._writer.commit(connection, jobs)
                    else:
                        self._writer.keep(connection)
            except CommitUnknown:
                with self._database.sequence(deadline) as connection:
                    if not self._writer.settle(connection, jobs):
                        raise
            self._fault = None
        except Exception as caught:  # noqa: BLE001 - every caller is answered, whatever happens
            error = caught
        if jobs:
            self._tell(held - began, self._clock.monotonic() - held, error)
        if error is None or not self._retried(jobs, error):
            settle(jobs)

    def _tell(self, waited: float, seconds: float, error: Exception | None) -> None:
        written = self._writer.written if error is None else ()
        failed = error is not None and not _concerns_entries(error)
        self._watch(Turn(written, waited, seconds, failed))

    def _retried(self, jobs: list[Job], error: Exception) -> bool:
        """Fail the jobs of a turn, or give each a turn of its own; return whether it did that."""
        own = _concerns_entries(error) and not self._writer.wrote
        if own and len(jobs) > 1:
            for job in jobs:
                self._turn([job], alone=True)
            return True
        if not own:
            self._writer.forget()
            self._fault = str(error)
            _log.error("the ledger does not serve: %s", error)
        for job in jobs:
            job.committed = None
            job.error = error if own else unavailable("the storage failed, or looks wrong")
            job.error.__cause__ = None if own else error
        return False


def _concerns_entries(error: Exception) -> bool:
    """Return whether an error lies in what an entry holds rather than in the storage."""
    if isinstance(error, StorageError):
        return not error.broken
    return not isinstance(error, (OSError, BadLedger, Replaced, Forked))
