"""Observer: follows each request from its beginning to its answer, for figures, log and spans.

A request stays on one thread, and so do the marks of its steps: to note one is to append a moment
to a list, and all are counted when the answer is there.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from gateway.observing.metrics import Metrics
from gateway.steps import Step
from kernel.chance import Chance
from kernel.clock import Clock, Micros
from kernel.trace import Trace, begun, follow

Mark = tuple[Step, float]


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a request: route, method, status and reason, each of a closed set."""

    method: str
    route: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Course:
    """A request that was answered: when it began, when each step did, and when it ended."""

    trace: Trace
    time: Micros
    began: float
    marks: Sequence[Mark]
    ended: float
    answered: Answered


class Spans(Protocol):
    """Takes courses away; never waits, never fails."""

    def keeps(self, trace: str) -> bool:
        """Say whether the spans of a trace are wanted, which is the same at every host."""
        ...

    def take(self, course: Course) -> None:
        """Take a course, or drop it where too many wait."""
        ...


class _Own(threading.local):
    """The request of one thread."""

    marks: list[Mark] | None = None
    trace: Trace
    time: Micros
    began: float


class Observer:
    """One for the process; `at` is what the pipeline tells its steps to."""

    def __init__(
        self, clock: Clock, chance: Chance, metrics: Metrics, spans: Spans | None = None
    ) -> None:
        """Take what measures and what is told; without `spans` none are made."""
        self._clock = clock
        self._chance = chance
        self._metrics = metrics
        self._spans = spans
        self._log = structlog.get_logger()
        self._own = _Own()

    def begin(self, traceparent: str | None, arrived: float | None = None) -> Trace:
        """Return the trace of the request that begins on this thread; `arrived` is when it was
        whole, by the same clock."""
        own, keeps = self._own, self._spans.keeps if self._spans is not None else None
        trace = begun(traceparent, self._chance, keeps)
        follow(trace)
        own.trace, own.time, own.marks = trace, self._clock.now(), []
        own.began = self._clock.monotonic()
        if arrived is not None:
            self._metrics.waited(max(0.0, own.began - arrived))
        return trace

    def at(self, step: Step) -> None:
        """Note that a step begins."""
        marks = self._own.marks
        if marks is not None:
            marks.append((step, self._clock.monotonic()))

    def end(self, answered: Answered) -> None:
        """Count and log the request whose answer is there."""
        own, ended = self._own, self._clock.monotonic()
        marks, own.marks = own.marks or [], None
        seconds = ended - own.began
        self._metrics.answered(answered.route, answered.status, answered.reason, seconds)
        self._metrics.steps(marks, ended)
        self._log.info(
            "answered",
            method=answered.method,
            route=answered.route,
            status=answered.status,
            reason=answered.reason,
            ms=round(seconds * 1000, 2),
        )
        if self._spans is not None and own.trace.sampled:
            self._spans.take(Course(own.trace, own.time, own.began, marks, ended, answered))
        follow(None)
