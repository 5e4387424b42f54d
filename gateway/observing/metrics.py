"""Metrics: counts and durations for Prometheus, labelled from closed sets, about nobody.

A label is a route, a reason, a step, a type of entry, or a name out of the catalogue or the
settings; never a word that somebody sent.
"""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    disable_created_metrics,
    generate_latest,
)

from audit.model import Turn
from gateway.observing.shared import Shared
from gateway.observing.tally import Buckets, Children, Tally
from gateway.steps import Step
from kernel.entry import EntryType
from kernel.errors import Reason

ANSWER = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
WORK = (0.00005, 0.0001, 0.00025, 0.0005, *ANSWER[:-1])
ENTRIES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
OUTCOMES = ("answered", "not_asked", Reason.SOURCE_BAD_ANSWER.value, Reason.SOURCE_TIMEOUT.value)
_ENDS = {
    EntryType.EXCHANGE_RELEASE.value: "released",
    EntryType.EXCHANGE_REFUSAL.value: "refused",
}


class Metrics:
    """What happened in this process, or together with the other workers of its host."""

    def __init__(self, shared: Shared | None = None) -> None:
        """Make the figures in a registry of their own; with `shared`, after joining it."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # as many lines again, read by no rule
        self.registry = CollectorRegistry()
        self._shared = shared
        self.tally = Tally()
        self._looks: list[Callable[[], None]] = [self.tally.settle]
        self._of_requests()
        self._of_the_ledger()
        self._of_others()

    def _of_requests(self) -> None:
        self._answers = self._counters(
            "causeway_answers", "Answers by route, status and reason.", "route", "status", "reason"
        )
        self._faults = self._counters(
            "causeway_faults", "Requests that met a defect of the gateway."
        )
        self._seconds = self._timers(
            "causeway_answer_seconds", "Seconds from request to answer.", ANSWER, "route"
        )
        self._turns = self._timers(
            "causeway_turn_wait_seconds", "Seconds that a whole request waited for its turn.", WORK
        )
        self._steps = self._timers(
            "causeway_stage_seconds", "Seconds in each step of an exchange.", WORK, "stage"
        )
        # By number, since the hash of a member of an enumeration is computed in Python.
        self._by_number = {step.number: self._steps[step.value,] for step in Step}
        self._sessions = self._counters(
            "causeway_sessions", "Sessions of people, by what happened to them.", "event"
        )

    def _of_the_ledger(self) -> None:
        self._entries = self._counters(
            "causeway_ledger_entries", "Durable entries by type.", "type"
        )
        self._exchanges = self._counters(
            "causeway_exchanges", "Exchanges by agreement and end.", "agreement", "result"
        )
        self._batches = self._timers(
            "causeway_ledger_batch_entries", "Entries that were committed at once.", ENTRIES
        )
        self._commits = self._timers(
            "causeway_ledger_commit_seconds", "Seconds that a batch took to be durable.", WORK
        )
        self._locks = self._timers(
            "causeway_ledger_lock_seconds", "Seconds that a batch waited to be written.", WORK
        )
        self._failures = self._counters(
            "causeway_ledger_failures", "Batches that failed for the storage."
        )

    def _of_others(self) -> None:
        self._engines = self._timers(
            "causeway_engine_seconds",
            "Seconds of each evaluation of the policies.",
            WORK,
            "engine",
            "outcome",
        )
        self._decisions = self._counters(
            "causeway_engine_decisions", "Decisions, remembered or evaluated.", "how"
        )
        self._sources = self._timers(
            "causeway_source_seconds", "Seconds at each source.", WORK, "source", "outcome"
        )
        self._spans = self._counters(
            "causeway_trace_requests", "Requests that were to be exported as spans.", "outcome"
        )

    def answered(self, route: str, status: int, reason: str, seconds: float) -> None:
        """Count one answer."""
        self.tally.count(self._answers[route, str(status), reason])
        self.tally.time(self._seconds[route,], seconds)
        if reason == Reason.INTERNAL.value:
            self.tally.count(self._faults[()])

    def waited(self, seconds: float) -> None:
        """Count how long a request that was whole waited until somebody worked on it."""
        self.tally.time(self._turns[()], seconds)

    def steps(self, marks: Sequence[tuple[Step, float]], ended: float) -> None:
        """Count the steps of a request, each from its mark to the next."""
        until = ended
        for step, began in reversed(marks):
            self.tally.time(self._by_number[step.number], until - began)
            until = began

    def session(self, event: str, number: int = 1) -> None:
        """Count what happened to sessions."""
        self.tally.count(self._sessions[event,], number)

    def turned(self, turn: Turn) -> None:
        """Count one turn of the ledger."""
        if turn.failed:
            self.tally.count(self._failures[()])
        if not turn.entries:
            return
        self.tally.time(self._locks[()], turn.waited)
        self.tally.time(self._commits[()], turn.seconds)
        self.tally.time(self._batches[()], len(turn.entries))
        for entry in turn.entries:
            self.tally.count(self._entries[entry.type.value,])
            agreement, end = entry.header.get("agreement"), _ENDS.get(entry.type.value)
            if end is not None and isinstance(agreement, str):
                self.tally.count(self._exchanges[agreement, end])

    def evaluated(self, engine: str, outcome: str, seconds: float) -> None:
        """Count one evaluation of the policies."""
        self.tally.time(self._engines[engine, outcome], seconds)
        self.tally.count(self._decisions["evaluated",])

    def remembered(self) -> None:
        """Count a decision that was remembered."""
        self.tally.count(self._decisions["remembered",])

    def from_zero(self, sources: Iterable[str]) -> None:
        """Show what is rare from the start: of a figure that first appears with its first event,
        Prometheus cannot say that it rose."""
        for source in sources:
            for outcome in OUTCOMES:
                _ = self._sources[source, outcome]
        for outcome in ("exported", "dropped", "failed"):
            _ = self._spans[outcome,]
        for event in ("begun", "ended", "ended_by_provider"):
            _ = self._sessions[event,]

    def fetched(self, source: str, outcome: str, seconds: float) -> None:
        """Count one question to a source."""
        self.tally.time(self._sources[source, outcome], seconds)

    def traced(self, outcome: str, number: int = 1) -> None:
        """Count requests whose spans were exported, dropped or failed."""
        self.tally.count(self._spans[outcome,], number)

    def before_a_look(self, look: Callable[[], None]) -> None:
        """Have something written down anew each time that somebody reads the figures."""
        self._looks.append(look)

    def settle(self) -> None:
        """Write everything down that this process knows, for whoever reads the figures."""
        for look in self._looks:
            look()

    def text(self) -> str:
        """Return everything in Prometheus's text format."""
        self.settle()
        if self._shared is not None:
            return self._shared.text().decode()
        return generate_latest(self.registry).decode()

    def _counters(self, name: str, told: str, *labels: str) -> Children[Counter]:
        return Children(Counter(name, told, labels, registry=self.registry))

    def _timers(
        self, name: str, told: str, bounds: tuple[float, ...], *labels: str
    ) -> Children[Buckets]:
        return Children(Buckets(name, told, labels, registry=self.registry, buckets=bounds))
