"""Trace: one identifier from the front to the source, in answers, logs and spans; of strangers'
headers nothing else goes on."""

import json
import re
from collections.abc import Iterator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gateway.steps import Step
from tests.collector import Collector, collecting
from tests.country import INCOME
from tests.figures import text, value
from tests.flow.office import YEAR
from tests.flow.watched import WatchedCountry, watched_country
from tests.serving import until

CALLER = "b7ad6b7169203331"
OUTGOING = re.compile(rb"(?m)^traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])\r?$")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture(scope="module")
def traced(
    collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WatchedCountry]:
    """A country whose gateway exports its spans."""
    state = tmp_path_factory.mktemp("traced") / "demo"
    with watched_country(state, GATEWAY_OTLP_URL=collector.url) as started:
        yield started


def traceparent(trace: str, flags: str = "00") -> str:
    return f"00-{trace}-{CALLER}-{flags}"


def ask(country: WatchedCountry, **headers: str) -> tuple[bytes, object]:
    """Ask for somebody's income; return what came to the source, and the answer."""
    agency, number = country.agency(), country.consented().number
    body = {
        "agreement": "family-allowance",
        "service": INCOME,
        "subject": {"scheme": "resident-number", "value": number},
        "fields": [YEAR],
    }
    answer = agency.post(body, **headers)
    (head,) = [one.head for one in country.office.asked if one.number == number]
    return head, answer


def log_of(country: WatchedCountry, trace: str) -> list[dict]:
    """Return the gateway's lines of a trace."""
    log = (country.state / "logs" / "gateway.log").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("trace_id") == trace]


def test_a_trace_goes_from_the_caller_through_log_and_spans_to_the_source(
    traced: WatchedCountry, collector: Collector
):
    trace = "0af7651916cd43dd8448eb211c80319c"
    head, answer = ask(traced, traceparent=traceparent(trace))
    assert answer.status == 200
    ((passed, parent, _),) = OUTGOING.findall(head)
    assert passed.decode() == trace
    assert parent.decode() != CALLER
    spans = collector.of(trace)
    assert spans[Step.FETCH].span_id.hex() == parent.decode()
    assert [line["event"] for line in log_of(traced, trace)] == ["answered"]


def test_the_spans_of_a_request_are_a_tree_of_its_ten_steps_about_nobody(
    traced: WatchedCountry, collector: Collector
):
    trace = "1af7651916cd43dd8448eb211c80319c"
    ask(traced, traceparent=traceparent(trace))
    spans = collector.of(trace)
    request = spans.pop("POST /v1/exchanges")
    assert request.parent_span_id.hex() == CALLER
    assert {*spans} == {*Step} - {Step.REFUSE}
    assert {one.parent_span_id for one in spans.values()} == {request.span_id}
    assert len({one.span_id for one in spans.values()}) == 10
    ordered = sorted(spans.values(), key=lambda one: one.start_time_unix_nano)
    assert [one.name for one in ordered] == [step.value for step in Step][:10]
    assert request.start_time_unix_nano <= ordered[0].start_time_unix_nano
    assert ordered[-1].end_time_unix_nano == request.end_time_unix_nano
    said = {one.key: one.value.string_value or one.value.int_value for one in request.attributes}
    assert said == {
        "http.request.method": "POST",
        "http.route": "/v1/exchanges",
        "http.response.status_code": 200,
        "causeway.reason": "-",
    }
    assert not any(one.attributes for one in spans.values())
    assert "service.name=causeway" in collector.resources


def test_a_refusal_tells_its_trace_as_log_and_spans_have_it(
    traced: WatchedCountry, collector: Collector
):
    trace = "2af7651916cd43dd8448eb211c80319c"
    refused = traced.agency().request(
        "GET", "/v1/services", headers={"traceparent": traceparent(trace)}
    )
    assert refused.status == 401
    (line,) = log_of(traced, trace)
    assert (line["trace"], line["reason"]) == (refused.json["trace"], "token.missing")
    (span,) = collector.of(trace).values()
    assert span.kind == Span.SPAN_KIND_SERVER


@pytest.mark.parametrize(
    "sent",
    [
        f"01-3af7651916cd43dd8448eb211c80319c-{CALLER}-00",
        f"00-3AF7651916CD43DD8448EB211C80319C-{CALLER}-00",
        f"00-{'0' * 32}-{CALLER}-00",
        "00-RN-1234566",
        "x" * 4000,
    ],
)
def test_what_is_not_well_formed_goes_nowhere_and_a_new_trace_begins(
    traced: WatchedCountry, sent: str
):
    head, answer = ask(traced, traceparent=sent)
    assert answer.status == 200
    ((passed, _, _),) = OUTGOING.findall(head)
    assert passed.decode() not in sent.lower()
    assert len(log_of(traced, passed.decode())) == 1


def test_nothing_else_of_a_callers_headers_reaches_the_source(traced: WatchedCountry):
    sent = {"tracestate": "who=RN-1234566", "baggage": "who=RN-1234566", "X-Request-ID": "mine"}
    head, answer = ask(traced, traceparent=traceparent("4af7651916cd43dd8448eb211c80319c"), **sent)
    assert answer.status == 200
    assert not any(word in head.lower() for word in (b"tracestate", b"baggage", b"request-id"))
    assert b"who=" not in head


def test_a_collector_that_fails_is_no_requests_concern_and_is_counted(
    traced: WatchedCountry, collector: Collector
):
    agency = traced.agency()
    collector.status = 400
    try:
        asked = collector.asked
        _, answer = ask(traced, traceparent=traceparent("5af7651916cd43dd8448eb211c80319c"))
        assert answer.status == 200
        until(lambda: collector.asked > asked)
        until(lambda: value(text(agency), "causeway_trace_requests_total", outcome="failed"))
    finally:
        collector.status = 200
    trace = "6af7651916cd43dd8448eb211c80319c"
    ask(traced, traceparent=traceparent(trace))
    assert collector.of(trace)
