"""Ledger: the one place where things happen; entries and their effects commit in batches."""

import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Self

import orjson

from audit import leaf, store
from audit.batch import Committed, Placed
from audit.checkpoint import tlog_proof
from audit.guard import Guard
from audit.merkle import inclusion
from audit.model import BadLedger, Tree
from audit.waiting import Job, Queue, Refused, unavailable
from audit.writer import Keys, Writer
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.clock import Clock, Deadline
from kernel.database import Database, Forked, Replaced
from kernel.effect import Effect
from kernel.entry import Entry

_log = logging.getLogger(__name__)

_BROKEN = ("IOERR", "FULL", "CORRUPT", "NOTADB", "CANTOPEN", "READONLY", "BUSY", "PROTOCOL")
_AGAIN = 1.0
"""Seconds after which a ledger that does not serve looks whether it can."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a caller waits, how many may wait, how many commit at once, and how old the
    guard's head may get; in seconds and entries."""

    patience: float = 2.0
    waiting: int = 4096
    batch: int = 256
    head_age: float = 0.5


class Ledger:
    """Implements `kernel.entry.Ledger`: one per process, opened after any fork."""

    def __init__(
        self,
        database: Database,
        guard: Path,
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
        self._writer = Writer(Guard(guard, keys.signer), keys, clock, chance, head_age)
        self._queue = Queue(self._limits.waiting)
        self._fault: str | None = "it is not open"
        self._batcher = threading.Thread(target=self._run, name="ledger", daemon=True)

    def open(self) -> Self:
        """Check database, tree and guard, open the log where there is none, and start.

        Raises `BadLedger` that says what was found, or `TimeoutError` when another process
        keeps the lock.
        """
        with self._database.sequence(Deadline.within(10, self._clock)) as connection:
            self._writer.ready(connection)
        self._fault = None
        self._batcher.start()
        return self

    def close(self) -> None:
        """Write what waits, keep the head, and stop; later appends are refused."""
        if self._batcher.is_alive():
            self._queue.end()
            self._batcher.join()
        self._fault = "it is closed"

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
        job = Job(leaf.draft(entry, self._chance), effect, refused)
        return job.placed(self._wait(job))

    def checkpoint(self) -> str:
        """Return a signed checkpoint of the newest state (C2SP tlog-checkpoint)."""
        return self._newest()[1]

    def proof(self, index: int) -> str:
        """Return a C2SP tlog-proof of an entry in the newest checkpoint's tree; `IndexError`
        when there is no such entry."""
        tree, note = self._newest()
        path = inclusion(index, tree.size, store.StoredTree(self._database.read()).subtree)
        return tlog_proof(index, path, note)

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

    def _newest(self) -> tuple[Tree, str]:
        """Return the newest tree and its checkpoint; the batcher checks what others wrote."""
        signed = self._writer.signed
        if signed is None or signed[0].size != self.size:
            self._wait(Job(None))
            signed = self._writer.signed
        if signed is None:
            raise unavailable("it is not open")
        return signed

    def _wait(self, job: Job) -> Committed:
        self._database.same_process()
        if not self._batcher.is_alive():
            raise unavailable(self._fault or "it is not open")
        self._queue.put(job)
        return job.wait(self._limits.patience)

    def _run(self) -> None:
        """Serve until the line ends; nobody who waits is left without an answer."""
        serving = True
        while serving:
            try:
                first = self._queue.first(self._writer.due() if self._fault is None else _AGAIN)
            except Empty:
                self._turn(None, None)
                continue
            serving = first is not None
            self._turn(first, None)

    def _turn(self, first: Job | None, again: Sequence[Job] | None) -> None:
        """Take the lock, then the line, and commit it; without a job just keep the guard's head.

        A batch that fails for what one of its entries holds is tried again entry by entry.
        """
        jobs: list[Job] = []
        error: Exception | None = None
        try:
            deadline = Deadline.within(self._limits.patience, self._clock)
            with self._database.sequence(deadline) as connection:
                jobs = self._drain(first) if again is None else list(again)
                if jobs:
                    self._writer.commit(connection, jobs)
                else:
                    self._writer.keep(connection)
            self._fault = None
        except Exception as caught:  # noqa: BLE001 - every caller is answered, whatever happens
            error = caught
            if not jobs and first is not None and first.claim():
                jobs = [first]
        if error is None or not self._retried(jobs, error):
            for job in jobs:
                job.settle()

    def _drain(self, first: Job | None) -> list[Job]:
        """Return the jobs whose callers still wait; taken only now, so that waiting grows it."""
        if first is None:
            return []
        line = [first, *self._queue.more(self._limits.batch - 1)]
        return [job for job in line if job.claim()]

    def _retried(self, jobs: list[Job], error: Exception) -> bool:
        """Fail the jobs of a turn, or give each a turn of its own; return whether it did that."""
        own = _concerns_entries(error) and not self._writer.wrote
        if own and len(jobs) > 1:
            for job in jobs:
                self._turn(None, [job])
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
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", None)
        return name is None or not any(word in name for word in _BROKEN)
    return not isinstance(error, (OSError, BadLedger, Replaced, Forked))
