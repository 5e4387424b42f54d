"""A source that is stuck keeps its share of the gateway and no more; then it is left alone."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.load.circuit import FAILURES, LONGEST
from tests.agency import Answer
from tests.country import INCOME, RESIDENTS
from tests.flow.office import honest
from tests.flow.watched import WatchedCountry, watched_country

YEAR = "/income/year"
SHARE = 64 // 3 + 128
"""Of 256 exchanges at once: a third of a quarter, and all that is to be borrowed."""
MANY = SHARE + 30
PATIENCE = 120.0


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCountry]:
    """A country whose tax office may take its time."""
    place = tmp_path_factory.mktemp("stuck") / "demo"
    with watched_country(place, GATEWAY_SOURCE_TAX_TIMEOUT="60") as started:
        yield started


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCountry]:
    """A country that waits two seconds for its tax office."""
    place = tmp_path_factory.mktemp("hasty") / "demo"
    with watched_country(place, GATEWAY_SOURCE_TAX_TIMEOUT="2") as started:
        yield started


def until(holds) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)


def test_a_stuck_source_holds_its_share_and_others_go_on(country: WatchedCountry) -> None:
    agency, number = country.agency(), country.consented().number
    release, office = threading.Event(), country.office
    office.tells(number, lambda asked: (release.wait(55), honest(asked))[1])

    def ask(_: int) -> Answer:
        return agency.exchange(number, INCOME, [YEAR])

    assert agency.token
    with ThreadPoolExecutor(MANY) as pool:
        stuck = [pool.submit(ask, n) for n in range(MANY)]
        until(lambda: sum(one.done() for one in stuck) == MANY - SHARE)
        until(lambda: len(office.asked_about(number)) == SHARE)  # let in is not yet arrived there
        others = [agency.exchange(number, RESIDENTS, ["/name/family"]) for _ in range(20)]
        read = [agency.get("/v1/services").status for _ in range(5)]
        assert sum(one.done() for one in stuck) == MANY - SHARE
        assert not release.is_set()
        release.set()
        answers = [one.result() for one in stuck]
    assert [answer.status for answer in others] == [200] * 20
    assert read == [200] * 5
    assert Counter(answer.status for answer in answers) == {200: SHARE, 503: MANY - SHARE}
    refused = [answer for answer in answers if answer.status == 503]
    assert {answer.reason for answer in refused} == {"source.unavailable"}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}


def circuit(country: WatchedCountry) -> str:
    """Return the state of the tax office's circuit, as `/metrics` and `/readyz` both tell it."""
    agency = country.agency()
    shown = [
        line.split('state="')[1].partition('"')[0]
        for line in agency.request("GET", "/metrics").body.decode().splitlines()
        if line.startswith('causeway_source_circuit{source="tax"') and line.endswith(" 1.0")
    ]
    ready = agency.request("GET", "/readyz")
    assert ready.status == 200
    told = ready.json.get("sources", {}).get("tax", "closed")
    assert told in {*shown, "half-open"}
    return told


def test_a_source_that_keeps_failing_is_left_alone_then_tried_and_asked_again(
    hasty: WatchedCountry,
) -> None:
    agency, number = hasty.agency(), hasty.consented().number
    healthy, office = threading.Event(), hasty.office

    def tells(asked) -> bytes:
        if not healthy.is_set():
            healthy.wait(30)
        return honest(asked)

    def ask() -> Answer:
        return agency.exchange(number, INCOME, [YEAR])

    office.tells(number, tells)
    assert circuit(hasty) == "closed"
    assert [ask().reason for _ in range(FAILURES)] == ["source.timeout"] * FAILURES
    asked, at_once = FAILURES, ask()
    while at_once.reason == "source.timeout":  # so slow that it was tried again meanwhile
        asked, at_once = asked + 1, ask()
    assert (at_once.status, at_once.reason) == (503, "source.unavailable")
    assert int(at_once.headers["retry-after"]) >= 1
    until(lambda: len(office.asked_about(number)) == asked)  # given up is not yet read there
    assert circuit(hasty) in {"open", "half-open"}
    assert agency.exchange(number, RESIDENTS, ["/name/family"]).status == 200

    until(lambda: ask().reason == "source.timeout")  # once, to see; and then left alone again
    until(lambda: len(office.asked_about(number)) == asked + 1)
    assert circuit(hasty) in {"open", "half-open"}

    healthy.set()
    deadline = time.monotonic() + LONGEST + PATIENCE
    while (answer := ask()).status != 200:
        assert answer.reason in {"source.unavailable", "source.timeout"}
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert circuit(hasty) == "closed"
    assert [ask().status for _ in range(5)] == [200] * 5
