"""Line: appends that wait, each with a deadline of its own; one of their callers writes for all."""

from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Lock

from audit.batch import Committed, Placed
from audit.leaf import Draft
from kernel.effect import Effect
from kernel.entry import Change
from kernel.errors import Reason, Refusal
from kernel.waits import Parked, held

Refused = Callable[[Refusal], Change]
_AT_ONCE = 2


def unavailable(why: str) -> Refusal:
    """Return the refusal of an append that the ledger cannot carry out."""
    return Refusal(Reason.LEDGER_UNAVAILABLE, f"The ledger cannot take the entry: {why}.")


class Job:
    """One append; without a draft it only asks for the checkpoint of the newest state.

    Bare locks rather than an event: its caller is let go with one call. Whoever takes the claim
    first, the one who writes or a caller out of patience, settles whether it is written; whoever
    takes `_here` first, whether the caller still learns of it.
    """

    __slots__ = (
        "_claim",
        "_done",
        "_here",
        "_parked",
        "after",
        "committed",
        "drafted",
        "effect",
        "error",
        "index",
        "leads",
        "refused",
    )

    def __init__(
        self,
        drafted: Draft | None,
        effect: Effect | None = None,
        refused: Refused | None = None,
        parked: Parked | None = None,
    ) -> None:
        """Prepare to wait: with the caller's thread, or parked, and then never to write."""
        self.drafted = drafted
        self.effect = effect
        self.refused = refused
        self.leads = False
        self.index: int | None = None
        self.error: Exception | None = None
        self.committed: Committed | None = None
        self.after: Job | None = None
        self._claim = Lock()
        self._here = Lock()
        self._parked = parked
        self._done = held(parked)

    @property
    def parked(self) -> Parked | None:
        """Return where its caller waits without a thread, or None."""
        return self._parked

    def claim(self) -> bool:
        """Take the job for good; False when the other side was faster."""
        return self._claim.acquire(blocking=False)

    def settle(self) -> None:
        """Let the caller go, and by them those after; past a caller who is not there any more."""
        if self._here.acquire(blocking=False):
            self._done.release()
        elif self.after is not None:
            self.after.settle()

    def lead(self) -> None:
        """Let the caller go, to write for all; the job is claimed for it."""
        self.leads = True
        self._done.release()

    def wait(self, seconds: float) -> None:
        """Return when the job is settled or leads; raise `Refusal` out of patience."""
        if not self._done.acquire(timeout=seconds):
            if self.claim():
                raise unavailable("it did not get to it in time")
            if not self._done.acquire(timeout=seconds):
                if self._here.acquire(blocking=False):
                    raise unavailable("the disk did not answer in time")
                self._done.acquire()  # somebody lets us go right now
        if self.after is not None:
            self.after.settle()

    def answer(self) -> Committed:
        """Return what the batch left behind, or raise what became of the append."""
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


def settle(jobs: Sequence[Job]) -> None:
    """Let every caller go but the one who wrote; of those with threads a few at once, and each
    then lets the next go.

    Woken all together they would stand in line for the interpreter, and wake for nothing: that
    cost twice the changes of thread.
    """
    waiting = []
    for job in jobs:
        if job.parked is not None:
            job.settle()
        elif not job.leads:
            waiting.append(job)
    for job, after in zip(waiting, waiting[_AT_ONCE:], strict=False):
        job.after = after
    for job in waiting[:_AT_ONCE]:
        job.settle()


class Line:
    """A bounded line of jobs, and the lead: whoever has it writes for all who wait.

    A caller who finds nobody writing leads at once, with no thread between it and the disk. The
    lead goes from one to the next who waits, and is free only when nobody does. Who is parked
    cannot write: in their place the lead is handed over, to a thread that is there for it.
    """

    def __init__(self, most: int) -> None:
        """Let at most so many wait; nobody may enter yet."""
        self.shut: str | None = "it is not open"
        """Why nobody may enter, or None."""
        self._most = most
        self._line: SimpleQueue[Job] = SimpleQueue()
        self._handed: SimpleQueue[Job | None] = SimpleQueue()
        self._lead = Lock()

    @property
    def waiting(self) -> int:
        """Return how many jobs stand in line now."""
        return self._line.qsize()

    def enter(self, job: Job, seconds: float) -> bool:
        """Return False when somebody settled the job; True when the caller has the lead now, and
        has to write the job first if it `leads`. Raises `Refusal` out of patience, and at once
        when the line is full or shut."""
        self._check_open()
        if job.parked is not None:
            self._put(job)
            self._check_still_open(job)
            job.parked.afterwards(self._hand_over)
            job.wait(seconds)
            return False
        if not self.take():
            self._put(job)
            # Who wrote may have left before the job stood in line: then nobody would come.
            if not self.take():
                self._check_still_open(job)
                job.wait(seconds)
                return job.leads
        job.leads = job.claim()
        return True

    def take(self) -> bool:
        """Take the lead where nobody has it."""
        return self._lead.acquire(blocking=False)

    def leave(self) -> None:
        """Pass the lead on to the first who still waits, or set it free."""
        while True:
            for job in self.more(self._most):
                if job.parked is None:
                    job.lead()
                else:
                    self._handed.put(job)
                return
            self._lead.release()
            if self._line.empty() or not self.take():
                return

    def handed(self, seconds: float) -> Job | None:
        """Return a job with which its caller's lead was handed over, as soon as there is one; None
        after so many seconds, or once somebody nudged."""
        try:
            return self._handed.get(timeout=seconds)
        except Empty:
            return None

    def nudge(self) -> None:
        """Let whoever waits for a lead look up."""
        self._handed.put(None)

    def more(self, most: int) -> Iterator[Job]:
        """Claim and return jobs that wait now, without waiting for others."""
        for _ in range(most):
            try:
                job = self._line.get_nowait()
            except Empty:
                return
            if job.claim():
                yield job

    def _hand_over(self) -> None:
        if self.take():
            self.leave()

    def _put(self, job: Job) -> None:
        if self._line.qsize() >= self._most:
            raise unavailable("too many entries are waiting")
        self._line.put(job)

    def _check_still_open(self, job: Job) -> None:
        """Turn back who came into line while it was shut: perhaps nobody looks there any more."""
        if self.shut is not None and job.claim():
            self._check_open()

    def _check_open(self) -> None:
        if self.shut is not None:
            raise unavailable(self.shut)
