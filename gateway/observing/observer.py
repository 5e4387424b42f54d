"""Observer: follows each request from its beginning to its answer, for figures, log and spans.

A request stays in one context (PEP 567), and so do the marks of its steps: to note one is to append
a moment to a list, and all are counted when the answer is there.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

import structlog

from gateway.observing.metrics import Metrics
from gateway.steps import Step
from kernel.chance import Chance
from kernel.clock import Clock, Micros
from kernel.trace import Trace, follow
from kernel.trace import begun as trace_of

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


@dataclass(frozen=True, slots=True)
class _Begun:
    """A request that is not answered yet."""

    trace: Trace
    time: Micros
    began: float
    marks: list[Mark]


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
        self._begun: ContextVar[_Begun | None] = ContextVar("begun", default=None)

    def begin(self, traceparent: str | None, arrived: float | None = None) -> Trace:
        """Return the trace of the request that begins in this context; `arrived` is when it was
        whole, by the same clock."""
        keeps = self._spans.keeps if self._spans is not None else None
        trace = trace_of(traceparent, self._chance, keeps)
        follow(trace)
        began = self._clock.monotonic()
        self._begun.set(_Begun(trace, self._clock.now(), began, []))
        if arrived is not None:
            self._metrics.waited(max(0.0, began - arrived))
        return trace

    def at(self, step: Step) -> None:
        """Note that a step begins."""
        begun = self._begun.get()
        if begun is not None:
            begun.marks.append((step, self._clock.monotonic()))

    def end(self, answered: Answered) -> None:
        """Count and log the request whose answer is there."""
        begun, ended = self._begun.get(), self._clock.monotonic()
        if begun is None:
            return
        self._begun.set(None)
        seconds = ended - begun.began
        self._metrics.answered(answered.route, answered.status, answered.reason, seconds)
        self._metrics.steps(begun.marks, ended)
        self._log.info(
            "answered",
            method=answered.method,
            route=answered.route,
            status=answered.status,
            reason=answered.reason,
            ms=round(seconds * 1000, 2),
        )
        if self._spans is not None and begun.trace.sampled:
            course = Course(begun.trace, begun.time, begun.began, begun.marks, ended, answered)
            self._spans.take(course)
        follow(None)
