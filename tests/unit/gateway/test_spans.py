"""Spans: under pressure requests are dropped and counted, and nobody waits."""

import threading
from collections import Counter

import pytest

from gateway.observing import spans
from gateway.observing.observer import Answered, Course
from gateway.observing.spans import MOST, Exporter
from gateway.steps import Step
from kernel.clock import Micros
from kernel.trace import Trace

ID = "0af7651916cd43dd8448eb211c80319c"
COURSE = Course(
    Trace(ID, 7, None, sampled=True),
    Micros(1_000_000),
    50.0,
    [(Step.RESOLVE, 50.1), (Step.RESOLVE, 50.2)],
    50.3,
    Answered("POST", "/v1/exchanges", 503, "ledger.unavailable"),
)


@pytest.fixture
def stuck(monkeypatch):
    """An exporter whose collector does not answer until the test ends."""
    asked, over = threading.Event(), threading.Event()

    def export(*_):
        asked.set()
        over.wait(60)
        return spans.SpanExportResult.FAILURE

    monkeypatch.setattr(spans.OTLPSpanExporter, "export", export)
    told = Counter()
    exporter = Exporter(
        "http://127.0.0.1:9/v1/traces", 0.5, "-/1", lambda what, n: told.update({what: n})
    )
    exporter.take(COURSE)
    assert asked.wait(60)
    yield exporter, told
    over.set()
    exporter.close()


def test_what_a_stuck_collector_leaves_waiting_is_bounded_and_the_rest_dropped(stuck):
    exporter, told = stuck
    for _ in range(MOST + 10):
        exporter.take(COURSE)
    assert told == {"dropped": 10}


def test_every_host_keeps_the_same_traces_whatever_their_sender_would_like(stuck):
    exporter, _ = stuck
    assert exporter.keeps("f" * 16 + "7" + "f" * 15)
    assert not exporter.keeps("0" * 16 + "8" + "0" * 15)


def test_a_step_that_was_done_twice_has_two_spans_each_of_its_own_and_a_fault_of_ours_shows():
    request, first, second = spans.spans(COURSE, spans.Resource({}))
    assert request.status.status_code is spans.StatusCode.ERROR
    assert len({one.context.span_id for one in (request, first, second)}) == 3
    assert (first.start_time, first.end_time) == (1_100_000_000, 1_200_000_000)
    assert {one.parent.span_id for one in (first, second)} == {7}
