"""Spans: courses of requests as OpenTelemetry spans, sent in batches by a thread of their own.

Loaded only where a collector is set. What a request costs here is one append; what the collector
does not take in time is dropped, and counted.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from itertools import pairwise

import requests  # noqa: TID251 - OpenTelemetry's exporter stands on it
import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway.observing.observer import Course
from gateway.steps import Step
from kernel.trace import SPAN_BITS, Trace

MOST = 2048
"""Requests that wait to be sent."""
BATCH = 64
"""Requests that are sent at once."""
EVERY = 0.5
WITHIN = 5.0
"""Seconds that a collector may take for a batch."""
AT_THE_END = 2.0
_OURS_TO_ANSWER = 500
_REPEATED = 16
_SCOPE = InstrumentationScope("causeway")
_NANO, _MICRO = 1_000_000_000, 1_000


class Exporter:
    """Implements `gateway.observing.observer.Spans`."""

    def __init__(self, url: str, share: float, name: str, told: Callable[[str, int], None]) -> None:
        """Begin to export to an address; `told` counts what became of requests."""
        self._share = share
        self._told = told
        self._waiting: deque[Course] = deque()
        self._ended = threading.Event()
        session = requests.Session()
        session.trust_env = False  # no proxy of the environment sees what is sent
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # we say it once, below
        self._exporter = OTLPSpanExporter(url, timeout=WITHIN, session=session)
        self._resource = Resource({"service.name": "causeway", "service.instance.id": name})
        self._failing = False
        self._thread = threading.Thread(target=self._go_on, name="spans", daemon=True)
        self._thread.start()

    def keeps(self, trace: str) -> bool:
        """Say whether the spans of a trace are wanted: its last 64 bits decide, so that every host
        decides alike, whatever share the sender would like."""
        return int(trace[-SPAN_BITS // 4 :], 16) < self._share * (1 << SPAN_BITS)

    def take(self, course: Course) -> None:
        """Take a course, or drop it where too many wait."""
        if len(self._waiting) < MOST:
            self._waiting.append(course)
        else:
            self._told("dropped", 1)

    def close(self) -> None:
        """Send what waits, for a moment, and end."""
        self._ended.set()
        self._thread.join(AT_THE_END)
        self._exporter.shutdown()  # type: ignore[no-untyped-call] # not typed

    def _go_on(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(EVERY)
            while batch := [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]:
                self._send(batch)

    def _send(self, batch: list[Course]) -> None:
        made = [span for course in batch for span in spans(course, self._resource)]
        failed = self._exporter.export(made) is not SpanExportResult.SUCCESS
        self._told("failed" if failed else "exported", len(batch))
        if failed is not self._failing:
            self._failing = failed
            log = structlog.get_logger()
            if failed:
                log.warning("the collector does not take spans")
            else:
                log.warning("the collector takes spans again")


def spans(course: Course, resource: Resource) -> Iterator[ReadableSpan]:
    """Return the spans of a request and of its steps; what they say is from closed sets."""
    told, trace = course.answered, course.trace
    ours = told.status >= _OURS_TO_ANSWER
    yield ReadableSpan(
        f"{told.method} {told.route}",
        _context(trace, trace.span),
        parent=None if trace.parent is None else _context(trace, int(trace.parent, 16), far=True),
        resource=resource,
        attributes={
            "http.request.method": told.method,
            "http.route": told.route,
            "http.response.status_code": told.status,
            "causeway.reason": told.reason,
        },
        kind=SpanKind.SERVER,
        status=Status(StatusCode.ERROR if ours else StatusCode.UNSET),
        start_time=course.time * _MICRO,
        end_time=_at(course, course.ended),
        instrumentation_scope=_SCOPE,
    )
    seen: Counter[Step] = Counter()
    for (step, began), (_, ended) in pairwise((*course.marks, (Step.RELEASE, course.ended))):
        yield ReadableSpan(
            step.value,
            _context(trace, trace.part(step.number + _REPEATED * seen[step])),
            parent=_context(trace, trace.span),
            resource=resource,
            kind=SpanKind.CLIENT if step is Step.FETCH else SpanKind.INTERNAL,
            start_time=_at(course, began),
            end_time=_at(course, ended),
            instrumentation_scope=_SCOPE,
        )
        seen[step] += 1


def _context(trace: Trace, span: int, *, far: bool = False) -> SpanContext:
    return SpanContext(int(trace.id, 16), span, far, TraceFlags(TraceFlags.SAMPLED))


def _at(course: Course, moment: float) -> int:
    """Return a moment of the monotonic clock as nanoseconds since the epoch."""
    return course.time * _MICRO + int((moment - course.began) * _NANO)
