"""The embedded engine: Rego evaluated in this process, on a bounded pool of threads."""

import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue

from gateway.model import Decision
from gateway.policy.bundle import Bundle
from gateway.policy.decision import read_input, unavailable
from gateway.policy.fault import Fault, PolicyError
from gateway.policy.lint import ENTRYPOINT, lint
from gateway.policy.rego_embedded import FAILURES, BadRules, Evaluator
from kernel.clock import Clock, Deadline
from kernel.names import Revision

MAX_REVISIONS = 4
PREPARE_SECONDS = 10.0
Rules = Mapping[str, str]


class _Job:
    """One question for the pool; whoever asked may have given up on it.

    A bare lock rather than an event: an exchange passes here, and a lock is one call in C.
    """

    def __init__(self, revision: Revision, rules: Rules, input: str) -> None:
        self.revision = revision
        self.rules = rules
        self.input = input
        self.ended = False
        self._gate = threading.Lock()
        self._gate.acquire()
        self.decision: Decision | None = None
        self.faults: tuple[Fault, ...] = ()

    def run(self, evaluators: dict[Revision, Evaluator]) -> None:
        """Evaluate on the thread's own evaluator, compiled when it is first asked for."""
        try:
            if self.revision not in evaluators:
                evaluators[self.revision] = Evaluator.of(self.rules)
            self.decision = evaluators[self.revision].decide(self.input)
        except BadRules as error:
            self.faults = error.faults
        except FAILURES:
            evaluators.pop(self.revision, None)
        self.ended = True
        self._gate.release()

    def wait(self, seconds: float) -> bool:
        """Return whether it ended within so many seconds; for the one who asked."""
        return self._gate.acquire(timeout=seconds)


class EmbeddedEngine:
    """Evaluates prepared bundles. An evaluation cannot be interrupted: one that is late keeps its
    thread, and when every thread is held so, the engine is exhausted and not healthy."""

    def __init__(self, clock: Clock, threads: int = 4, seconds: float = 1.0) -> None:
        """Start the pool; `seconds` is how long an evaluation may take, waiting included."""
        self._clock = clock
        self._seconds = seconds
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(threads):
            self._free.put(None)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._prepared: dict[Revision, Rules] = {}
        self._late: set[_Job] = set()
        self._threads = [
            threading.Thread(target=self._work, name=f"policy-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def prepare(self, bundle: Bundle) -> None:
        """Make a bundle ready to be asked, or raise `PolicyError` and leave the others as they
        are: rules that are banned, do not compile, or do not refuse an empty question."""
        if faults := lint(bundle.rules):
            raise PolicyError(faults)
        job = self._run(_Job(bundle.revision, bundle.rules, "{}"), PREPARE_SECONDS)
        if job.faults:
            raise PolicyError(job.faults)
        if not job.ended:
            raise PolicyError([Fault(ENTRYPOINT, 1, "the rules take too long to evaluate")])
        if job.decision is None or job.decision.allow:
            sentence = "`decision` must answer every question, and refuse an empty one"
            raise PolicyError([Fault(ENTRYPOINT, 1, sentence)])
        kept = list(self._prepared.items())[1 - MAX_REVISIONS :]
        self._prepared = {**dict(kept), bundle.revision: bundle.rules}

    def decide(self, input: bytes, revision: Revision) -> Decision:
        """Return the policies' decision on a canonical input, or raise `Refusal` with
        `policy.unavailable`: undefined, malformed, late, or a revision that is not prepared."""
        rules = self._prepared.get(revision)
        if rules is None:
            raise unavailable()
        try:
            # The interpreter would read Rego where JSON is meant; this lets nothing else through.
            read_input(input)
        except ValueError as error:
            raise unavailable() from error
        job = self._run(_Job(revision, rules, input.decode()), self._seconds)
        if job.decision is None:
            raise unavailable()
        return job.decision

    def ready(self, revision: Revision) -> bool:
        """Return whether a bundle of this revision was prepared."""
        return revision in self._prepared

    def healthy(self) -> bool:
        """Return whether a thread is left that no late evaluation holds."""
        alive = sum(thread.is_alive() for thread in self._threads)
        return len(self._late) < alive

    def close(self) -> None:
        """Let the threads end once they are free."""
        for _ in self._threads:
            self._jobs.put(None)

    def _run(self, job: _Job, seconds: float) -> _Job:
        """Return the job, done or given up."""
        deadline = Deadline.within(seconds, self._clock)
        try:
            self._free.get(timeout=deadline.left())
        except Empty:
            return job
        self._jobs.put(job)
        if not job.wait(deadline.left()):
            self._late.add(job)
            if job.ended:
                self._late.discard(job)
        return job

    def _work(self) -> None:
        evaluators: dict[Revision, Evaluator] = {}
        while (job := self._jobs.get()) is not None:
            job.run(evaluators)
            self._late.discard(job)
            self._free.put(None)
            for revision in evaluators.keys() - self._prepared.keys() - {job.revision}:
                del evaluators[revision]
