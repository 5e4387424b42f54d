"""Queue: appends that wait for the batcher, each with a deadline of its own."""

import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

from audit.batch import Committed, Placed
from audit.leaf import Draft
from kernel.effect import Effect
from kernel.entry import Change
from kernel.errors import Reason, Refusal

Refused = Callable[[Refusal], Change]


def unavailable(why: str) -> Refusal:
    """Return the refusal of an append that the ledger cannot carry out."""
    return Refusal(Reason.LEDGER_UNAVAILABLE, f"The ledger cannot take the entry: {why}.")


class Job:
    """One waiting append; without a draft it only asks for the checkpoint of the newest state.

    Two bare locks rather than an event: the batcher lets a caller go with one call, and whoever
    takes the claim first, batcher or a caller out of patience, settles whether it is written.
    """

    __slots__ = ("_claim", "_done", "committed", "drafted", "effect", "error", "index", "refused")

    def __init__(
        self, drafted: Draft | None, effect: Effect | None = None, refused: Refused | None = None
    ) -> None:
        """Prepare to wait."""
        self.drafted = drafted
        self.effect = effect
        self.refused = refused
        self.index: int | None = None
        self.error: Exception | None = None
        self.committed: Committed | None = None
        self._claim = threading.Lock()
        self._done = threading.Lock()
        self._done.acquire()

    def claim(self) -> bool:
        """Take the job for good; False when the other side was faster."""
        return self._claim.acquire(blocking=False)

    def settle(self) -> None:
        """Let the caller go."""
        self._done.release()

    def wait(self, seconds: float) -> Committed:
        """Return what the batch left behind, or raise what became of the append."""
        if not self._done.acquire(timeout=seconds):
            if self.claim():
                raise unavailable("it did not get to it in time")
            if not self._done.acquire(timeout=seconds):
                raise unavailable("the disk did not answer in time")
        if self.error is not None:
            raise self.error
        if self.committed is None:
            raise unavailable("its batch was given up")
        return self.committed

    def placed(self, committed: Committed) -> Placed:
        """Return where the entry stands."""
        if self.index is None:
            raise unavailable("its batch was given up")
        return Placed(self.index, committed)


class Queue:
    """A bounded line of jobs; None in it means that nobody comes any more."""

    def __init__(self, most: int) -> None:
        """Let at most so many wait."""
        self._most = most
        self._line: SimpleQueue[Job | None] = SimpleQueue()

    def put(self, job: Job) -> None:
        """Join the line, or raise `Refusal` when it is full."""
        if self._line.qsize() >= self._most:
            raise unavailable("too many entries are waiting")
        self._line.put(job)

    def end(self) -> None:
        """Tell the batcher that nobody comes any more."""
        self._line.put(None)

    def first(self, seconds: float | None) -> Job | None:
        """Wait for a job; None at the line's end; `Empty` when the time is over."""
        return self._line.get(timeout=seconds)

    def more(self, most: int) -> Iterator[Job]:
        """Return the jobs that wait now, without waiting for others."""
        for _ in range(most):
            try:
                job = self._line.get_nowait()
            except Empty:
                return
            if job is None:
                self._line.put(None)
                return
            yield job
