"""Metrics of several workers: one page adds them up, also over the death of one of them."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.agency import Agency
from tests.country import RunningCountry, running
from tests.figures import samples, text, value
from tests.serving import Host, serving, until

ASKED = 24


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCountry]:
    with running(tmp_path_factory.mktemp("figures") / "demo", 200) as started:
        yield started


@pytest.fixture(scope="module")
def host(country: RunningCountry) -> Iterator[Host]:
    with serving(country, "--workers", "2") as started:
        yield started


def ask(host: Host, path: str, times: int = ASKED) -> None:
    """Ask on a connection for each request, so that the workers share them."""
    for _ in range(times):
        assert Agency(host.at, "", {}, {}).request("GET", path).status == 200


def counted(host: Host, path: str) -> float:
    return value(text(Agency(host.at, "", {}, {})), "causeway_answers_total", route=path)


def workers(host: Host) -> set[str]:
    """Return the numbers of the workers that show how they are."""
    shown = samples(text(Agency(host.at, "", {}, {})))
    return {one.labels["pid"] for one in shown if one.name == "causeway_worker_resident_bytes"}


def test_what_two_workers_counted_is_one_sum_whoever_tells_it(host: Host):
    ask(host, "/openapi.json")
    until(lambda: counted(host, "/openapi.json") == ASKED)
    assert {counted(host, "/openapi.json") for _ in range(8)} == {ASKED}
    until(lambda: workers(host) == {"1", "2"})


def test_what_a_worker_counted_outlives_it_and_whoever_comes_in_its_place_goes_on(host: Host):
    ask(host, "/docs")
    until(lambda: counted(host, "/docs") == ASKED)
    old = host.workers()
    os.kill(old[0], signal.SIGKILL)
    until(lambda: len(host.workers()) == 2 and host.workers() != old and host.ready())
    assert counted(host, "/docs") == ASKED
    until(lambda: workers(host) == {"1", "2"})
    ask(host, "/docs")
    until(lambda: counted(host, "/docs") == 2 * ASKED)


def test_a_worker_that_ended_for_good_does_not_count_as_there(tmp_path, monkeypatch):
    from gateway.observing.shared import GAUGES, WHERE, put_away

    monkeypatch.setenv(WHERE, str(tmp_path))
    for number in (1, 2):
        for name in (*(f"gauge_{mode}" for mode in GAUGES), "counter", "histogram"):
            (tmp_path / f"{name}_{number}.db").touch()
    put_away(2)
    left = {path.name for path in tmp_path.iterdir() if path.stem.endswith("_2")}
    assert left == {"counter_2.db", "histogram_2.db"}
