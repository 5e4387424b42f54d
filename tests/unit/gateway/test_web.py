"""Web: every refusal and every fault becomes one kind of answer, counted and told about nobody."""

import json

import pytest
from structlog.testing import capture_logs
from werkzeug.exceptions import RequestTimeout

from gateway.ask import MAX_BODY
from gateway.http.problems import status_of
from gateway.http.routes import ROUTES
from gateway.http.views import reply
from gateway.http.web import application
from gateway.observing.metrics import Metrics
from kernel.errors import Reason, Refusal
from tests.unit.gateway import parts


class Site:
    """The application with a view at every address that does what the test says."""

    def __init__(self):
        self.reported = []
        self.does = lambda **_: reply({"fine": True})
        self.metrics = Metrics()
        self.clock = parts.Set()
        front = parts.front(
            self.metrics,
            lambda error, exchange: self.reported.append((str(error), exchange)),
            self.clock,
        )
        self.app = application(front, dict.fromkeys((route.view for route in ROUTES), self.view))
        self.client = self.app.test_client()

    def view(self, **named):
        return self.does(**named)

    def fails(self, error):
        def fail(**_):
            raise error

        self.does = fail
        return self.client.get("/livez")


@pytest.fixture
def site():
    return Site()


def members(answer):
    assert answer.content_type == "application/problem+json"
    return answer.get_json(force=True)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_is_a_problem_document_with_its_status(site, reason):
    answer = site.fails(Refusal(reason, "In plain words."))
    assert answer.status_code == status_of(reason)
    told = members(answer)
    assert (told["reason"], told["detail"], told["trace"]) == (
        reason.value,
        "In plain words.",
        f"tr_{'a' * 25}e",
    )
    assert told["type"] == f"https://gateway.example/errors/{reason.value}"
    assert "exchange" not in told


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (Reason.TOKEN_MISSING, "invalid_token"),
        (Reason.TOKEN_INVALID, "invalid_token"),
        (Reason.TOKEN_EXPIRED, "invalid_token"),
        (Reason.DPOP_MISSING, "invalid_dpop_proof"),
        (Reason.DPOP_INVALID, "invalid_dpop_proof"),
        (Reason.DPOP_REPLAYED, "invalid_dpop_proof"),
    ],
)
def test_who_is_not_proven_is_told_how_to_be(site, reason, error):
    challenge = site.fails(Refusal(reason, "")).headers["WWW-Authenticate"]
    assert challenge == f'DPoP error="{error}", algs="ES256 PS256 EdDSA Ed25519"'


def test_nobody_else_is_challenged(site):
    challenged = {
        reason for reason in Reason if "WWW-Authenticate" in site.fails(Refusal(reason, "")).headers
    }
    assert challenged == {reason for reason in Reason if status_of(reason) == 401}


def test_the_exchange_that_was_opened_is_named(site):
    refusal = Refusal(Reason.POLICY_DENIED, "")
    refusal.exchange = "ex_1"
    assert members(site.fails(refusal))["exchange"] == "ex_1"


def test_a_fault_is_reported_and_told_as_internal_without_its_text(site):
    answer = site.fails(ZeroDivisionError("RN-1234566 has no share"))
    assert answer.status_code == 500
    assert members(answer)["reason"] == "internal"
    assert b"RN-1234566" not in answer.data
    assert b"Traceback" not in answer.data
    assert site.reported == [("RN-1234566 has no share", "-")]


@pytest.mark.parametrize(
    "path",
    ["/v1/none", "/v1/exchanges/", "/livez/", "//livez", "/v1//exchanges", "/LIVEZ", "/%2e"],
)
def test_a_path_that_is_not_letter_by_letter_ours_is_not_found(site, path):
    answer = site.client.get(path)
    assert (answer.status_code, members(answer)["reason"]) == (404, "request.not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_another_method_is_refused_and_the_right_one_named(site, method):
    answer = site.client.open("/v1/services", method=method)
    assert (answer.status_code, members(answer)["reason"]) == (405, "request.method")
    assert answer.headers["Allow"] == "GET"


def test_each_address_takes_its_one_method(site):
    for route in ROUTES:
        other = "GET" if route.method == "POST" else "POST"
        path = route.rule.replace("<", "").replace(">", "")
        assert site.client.open(path, method=route.method).status_code == 200
        if not any(one.rule == route.rule and one.method == other for one in ROUTES):
            answer = site.client.open(path, method=other)
            assert answer.status_code == 405 or route.rule.startswith("/v1/exchanges/")


def test_head_is_not_taken_for_get(site):
    answer = site.client.head("/livez")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


def test_a_method_in_small_letters_is_none(site):
    answer = site.client.open("/livez", environ_overrides={"REQUEST_METHOD": "get"})
    assert members(answer)["reason"] == "request.method"


def read_body(**_):
    from flask import request

    return reply({"read": len(request.get_data())})


def test_a_body_may_have_its_most_bytes_and_not_one_more(site):
    site.does = read_body
    assert site.client.post("/v1/exchanges", data=b"x" * MAX_BODY).json == {"read": MAX_BODY}
    answer = site.client.post("/v1/exchanges", data=b"x" * (MAX_BODY + 1))
    assert (answer.status_code, members(answer)["reason"]) == (413, "request.too_large")
    assert answer.headers["Connection"] == "close"


def test_an_error_of_the_framework_that_has_no_reason_of_its_own_is_malformed(site):
    answer = site.fails(RequestTimeout())
    assert (answer.status_code, members(answer)["reason"]) == (400, "request.malformed")


@pytest.mark.parametrize("path", ["/livez", "/none"])
def test_every_answer_is_guarded_and_stored_by_nobody(site, path):
    headers = site.client.get(path).headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_an_answer_is_one_line_in_the_log_that_names_route_and_reason_only(site):
    site.does = lambda **_: (_ for _ in ()).throw(Refusal(Reason.EXCHANGE_UNKNOWN, "words"))
    with capture_logs() as lines:
        site.client.get("/v1/exchanges/ex_secret?who=RN-1234566")
    assert lines == [
        {
            "event": "answered",
            "log_level": "info",
            "method": "GET",
            "route": "/v1/exchanges/<exchange>",
            "status": 404,
            "reason": "exchange.unknown",
            "ms": 0.0,
        }
    ]


def test_what_strangers_make_up_does_not_become_a_label(site):
    with capture_logs() as lines:
        site.client.open("/made/up", method="MADEUP")
    assert (lines[0]["method"], lines[0]["route"]) == ("-", "-")
    assert "made" not in site.metrics.text()


def test_answers_are_counted_by_route_status_and_reason(site):
    site.client.get("/livez")
    site.fails(Refusal(Reason.LEDGER_UNAVAILABLE, ""))
    text = site.metrics.text()
    assert 'causeway_answers_total{reason="-",route="/livez",status="200"} 1.0' in text
    assert (
        'causeway_answers_total{reason="ledger.unavailable",route="/livez",status="503"} 1.0'
        in text
    )
    assert 'causeway_answer_seconds_count{route="/livez"} 2.0' in text


def test_a_document_is_plain_json(site):
    answer = site.client.get("/livez")
    assert (answer.content_type, json.loads(answer.data)) == ("application/json", {"fine": True})


def test_a_fault_outside_the_views_is_ours_and_not_the_callers(site):
    def fail(_):
        raise OSError(28, "No space left on device")

    site.app.after_request(fail)
    answer = site.client.get("/livez")
    assert (answer.status_code, members(answer)["reason"]) == (500, Reason.INTERNAL)
