"""Odd sources: one that is slow, wrong, talkative or gone gives its reason and never an answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agency import Agency, Answer
from tests.attacks.ledger_watch import DECISION, REFUSAL, RELEASE, committed, size, written
from tests.contract.loopback import answer
from tests.country import INCOME, RESIDENTS
from tests.flow.office import Office, Question, honest, record_of, told
from tests.flow.watched import WatchedCountry

YEAR = "/income/year"


@pytest.fixture(scope="module")
def agency(odd_country: WatchedCountry) -> Agency:
    return odd_country.agency()


@pytest.fixture(scope="module")
def number(odd_country: WatchedCountry) -> str:
    """Somebody with a standing consent, about whom the office says odd things."""
    return str(odd_country.consented().number)


def late(_: Question) -> bytes:
    import time

    time.sleep(6)
    return b""


def changed(**members: Any) -> Callable[[Question], bytes]:
    return lambda asked: told({"taxpayer": asked.number, "income": {"year": 2025}, **members})


def raw(text: bytes) -> Callable[[Question], bytes]:
    return lambda _: text


def status(line: str, *extra: str, body: bytes = b"{}") -> Callable[[Question], bytes]:
    return lambda _: answer(body, line, extra=extra)


ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
NEST = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
Odd = tuple[Callable[[Question], bytes], int, str]
ODD: dict[str, Odd] = {
    "says nothing in time": (late, 504, "source.timeout"),
    "answers half and stops": (raw(ENDLESS % 100 + b'{"taxpayer"'), 504, "source.timeout"),
    "500": (status("500 Internal Server Error"), 503, "source.unavailable"),
    "503": (status("503 Service Unavailable"), 503, "source.unavailable"),
    "401": (status("401 Unauthorized"), 503, "source.unavailable"),
    "429": (status("429 Too Many Requests"), 503, "source.unavailable"),
    "400": (status("400 Bad Request"), 502, "source.bad_answer"),
    "204": (status("204 No Content", body=b""), 502, "source.bad_answer"),
    "a redirect": (status("302 Found", "Location: http://127.0.0.1:1/"), 502, "source.bad_answer"),
    "a permanent redirect": (
        status("308 Permanent Redirect", "Location: file:///etc/passwd"),
        502,
        "source.bad_answer",
    ),
    "garbage": (raw(b"\x00\xff\xfe garbage \r\n\r\n"), 502, "source.bad_answer"),
    "HTML": (
        lambda _: answer(b"<html>Please sign in</html>", content_type="text/html"),
        502,
        "source.bad_answer",
    ),
    "HTML called JSON": (lambda _: answer(b"<html></html>"), 502, "source.bad_answer"),
    "nothing at all": (lambda _: answer(b""), 502, "source.bad_answer"),
    "a list": (lambda _: answer(b"[]"), 502, "source.bad_answer"),
    "null": (lambda _: answer(b"null"), 502, "source.bad_answer"),
    "JSON cut off": (lambda _: answer(b'{"taxpayer": "RN'), 502, "source.bad_answer"),
    "no UTF-8": (lambda _: answer(b'{"taxpayer": "\xff"}'), 502, "source.bad_answer"),
    "UTF-16": (
        lambda asked: answer(
            json.dumps(record_of(asked.number)).encode("utf-16"),
            content_type="application/json; charset=utf-16",
        ),
        502,
        "source.bad_answer",
    ),
    "50,000 levels": (lambda _: answer(NEST), 502, "source.bad_answer"),
    "100 MB": (
        raw(ENDLESS % 100_000_000 + b'{"taxpayer": "' + b"a" * 100_000_000),
        502,
        "source.bad_answer",
    ),
    "another person": (lambda asked: told(record_of("RN-0000000")), 502, "source.bad_answer"),
    "nobody in particular": (
        lambda asked: told({"income": {"year": 2025}}),
        502,
        "source.bad_answer",
    ),
    "a person that is a list": (
        lambda asked: told({"taxpayer": [asked.number], "income": {"year": 2025}}),
        502,
        "source.bad_answer",
    ),
    "a person that is a number": (
        lambda asked: told({"taxpayer": 7, "income": {"year": 2025}}),
        502,
        "source.bad_answer",
    ),
    "gzip": (
        status("200 OK", "Content-Encoding: gzip", body=b"\x1f\x8b\x08\x00"),
        502,
        "source.bad_answer",
    ),
}


def ask(agency: Agency, number: str, *fields: str) -> Answer:
    return agency.exchange(number, INCOME, list(fields or [YEAR]))


@pytest.mark.parametrize("case", ODD.values(), ids=ODD)
def test_an_odd_source_releases_nothing_and_the_next_request_works(
    odd_country: WatchedCountry,
    odd_office: Office,
    agency: Agency,
    number: str,
    case: Odd,
) -> None:
    telling, status, reason = case
    odd_office.tells(number, telling)
    with written(odd_country, DECISION, REFUSAL):
        refused = ask(agency, number)
    assert (refused.status, refused.reason) == (status, reason)
    assert set(refused.json) == {
        "type", "title", "status", "detail", "reason", "trace", "exchange"
    }  # fmt: skip
    state = agency.get(f"/v1/exchanges/{refused.json['exchange']}").json
    assert state == {"exchange": refused.json["exchange"], "state": "refused"}
    odd_office.tells(number, honest)
    with written(odd_country, DECISION, RELEASE):
        assert agency.open(ask(agency, number))["record"] == {"income": {"year": 2025}}


@pytest.mark.parametrize(
    "more",
    [
        {"bank": {"account": "SAMPLE"}},
        {"income": {"year": 2025, "total": 1, "capital": 2}},
        {"income": {"year": 2025, "secret": {"deep": [1]}}},
        {"__proto__": {"year": 1}, "constructor": 1, "": 2},
    ],
    ids=str,
)
def test_what_a_source_adds_stays_behind(
    odd_office: Office, agency: Agency, number: str, more: dict[str, Any]
) -> None:
    """X12."""
    odd_office.tells(number, changed(**more))
    assert agency.open(ask(agency, number))["record"] == {"income": {"year": 2025}}


def test_a_value_of_another_shape_never_carries_more_than_the_field(
    odd_office: Office, agency: Agency, number: str
) -> None:
    """X12: where a field's value should be, there is a whole object."""
    inside = {"year": {"bank": "SAMPLE", "value": 2025}}
    odd_office.tells(number, changed(income=inside))
    answered = ask(agency, number)
    if answered.status == 200:
        assert agency.open(answered)["record"] == {"income": inside}
    else:
        assert answered.reason == "source.bad_answer"


def test_a_person_whom_the_source_does_not_know_looks_like_every_refusal(
    odd_country: WatchedCountry, odd_office: Office, agency: Agency, number: str
) -> None:
    odd_office.tells(number, status("404 Not Found"))
    with written(odd_country, DECISION, REFUSAL):
        unknown = ask(agency, number).json
    absent = ask(agency, odd_country.resident().number).json
    for document in (unknown, absent):
        del document["exchange"], document["trace"]
    assert unknown == absent
    assert unknown["reason"] == "subject.not_released"


def test_a_source_that_is_gone_takes_nobody_with_it(
    odd_country: WatchedCountry, odd_office: Office, agency: Agency, number: str
) -> None:
    """The office hangs up at once; another office's service is as before."""
    odd_office.tells(number, raw(b""))
    refused = ask(agency, number)
    assert refused.reason in {"source.unavailable", "source.timeout"}
    other = odd_country.consented().number
    assert agency.exchange(other, RESIDENTS, ["/name/family"]).status == 200


def test_after_all_that_the_ledger_verifies(odd_country: WatchedCountry, tmp_path: Path) -> None:
    before = size(odd_country)
    leaves = odd_country.leaves(tmp_path / "log")
    assert len(leaves) == before
    opened = [leaf["exchange"] for leaf in committed(odd_country) if leaf["type"] == DECISION]
    ended = [leaf["exchange"] for leaf in leaves if leaf["type"] in {REFUSAL, RELEASE}]
    assert all(ended.count(exchange) == 1 for exchange in opened)
