"""A host that is told to stop finishes what it began; hurried, it leaves nothing half done."""

import http.client
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.agency import Answer
from tests.country import INCOME, RESIDENTS
from tests.flow.office import YEAR, honest
from tests.flow.test_workers import beats
from tests.flow.watched import WatchedCountry, watched_country
from tests.serving import Host, check_ledger, exchanges, serving, until

IN_FLIGHT = 4


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCountry]:
    """A country whose tax office may take its time."""
    place = tmp_path_factory.mktemp("stopping") / "demo"
    with watched_country(place, GATEWAY_SOURCE_TAX_TIMEOUT="60") as started:
        yield started


class Waiting:
    """Requests to a host that wait for the tax office until it is released."""

    def __init__(self, host: Host, country: WatchedCountry, pool: ThreadPoolExecutor) -> None:
        self._released = threading.Event()
        self._office, self.number = country.office, country.consented().number
        self._office.tells(self.number, lambda one: (self._released.wait(55), honest(one))[1])
        agency = host.agency()
        assert agency.token
        self.answers: list[Future[Answer]] = [
            pool.submit(agency.exchange, self.number, INCOME, [YEAR]) for _ in range(IN_FLIGHT)
        ]
        until(lambda: len(self._office.asked_about(self.number)) == IN_FLIGHT)

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(IN_FLIGHT) as started:
        yield started


def kept_alive(host: Host) -> socket.socket:
    """Return a connection that served one request and waits for another."""
    to = urlsplit(host.at)
    connection = socket.create_connection((to.hostname, to.port), timeout=120)
    connection.sendall(f"GET /livez HTTP/1.1\r\nHost: {to.netloc}\r\n\r\n".encode())
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    return connection


def test_what_is_in_flight_gets_its_whole_answer(
    country: WatchedCountry, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    with serving(country, "--workers", "2") as host:
        waiting = Waiting(host, country, pool)
        with closing(kept_alive(host)) as idle:
            host.terminate()
            assert idle.recv(1) == b"", "closed in order, not reset"
        until(lambda: host.readiness()[0] == 0)  # nobody new is taken in
        assert host.process.poll() is None
        assert not any(one.done() for one in waiting.answers)
        waiting.release()
        answers = [one.result() for one in waiting.answers]
        assert host.ended() == 0
    assert [answer.status for answer in answers] == [200] * IN_FLIGHT
    assert {answer.headers.get("connection") for answer in answers} == {"close"}
    agency = country.agency()
    assert all(agency.open(answer)["record"] for answer in answers)
    assert beats(host) == {}, "it said goodbye"
    check_ledger(country, tmp_path / "log", exchanges(answers))


def test_a_host_that_drains_says_so_first_and_goes_on_serving(country: WatchedCountry) -> None:
    number = country.consented().number
    with serving(country, GATEWAY_DRAIN="300") as host:
        agency, before = host.agency(), host.workers()
        for pid in (host.process.pid, *before):
            os.kill(pid, signal.SIGHUP)  # a terminal that closes ends nobody
        assert agency.exchange(number, RESIDENTS, ["/name/family"]).status == 200
        assert host.workers() == before
        host.process.send_signal(signal.SIGINT)
        until(lambda: host.readiness() == (503, ["stopping: no new requests"]))
        assert agency.exchange(number, RESIDENTS, ["/name/family"]).status == 200
        until(lambda: {one.value for one in beats(host).values()} == {"leaving"})
        host.terminate()
        host.ended()


def test_a_second_signal_ends_it_at_once_and_the_sweep_closes_what_stayed_open(
    country: WatchedCountry, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    with serving(country, "--workers", "2") as host:
        waiting = Waiting(host, country, pool)
        host.terminate()
        until(lambda: host.readiness()[0] == 0)
        host.terminate()
        assert host.ended() == 1
        for one in waiting.answers:
            with pytest.raises((OSError, http.client.HTTPException)):
                one.result()
        waiting.release()
    mine = [leaf for leaf in country.committed() if leaf.get("service") == INCOME][-IN_FLIGHT:]
    assert {country.trail(leaf["exchange"])[-1] for leaf in mine} == {"exchange.decision"}
    check_ledger(country, tmp_path / "log", [])
    for leaf in mine:
        assert country.trail(leaf["exchange"]) == ["exchange.decision", "exchange.refusal"]


def test_a_worker_that_does_not_stop_in_time_is_ended(country: WatchedCountry) -> None:
    with serving(country, "--workers", "2", GATEWAY_SOURCE_TAX_TIMEOUT="1") as host:
        # One that has not begun to serve, or has not come to a stop yet, ends by SIGTERM at once.
        until(lambda: "Started worker-1" in host.log.read_text())
        halted = host.workers()[0]
        os.kill(halted, signal.SIGSTOP)
        until(lambda: Path(f"/proc/{halted}/stat").read_text().rpartition(") ")[2][0] == "T")
        host.terminate()
        assert host.ended() == 1


def test_a_host_that_is_stopped_before_it_served_ends_well(country: WatchedCountry) -> None:
    with serving(country, "--workers", "2", ready=False) as host:
        until(lambda: len(host.workers()) == 2)
        host.terminate()
        assert host.ended() == 0
