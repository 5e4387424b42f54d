"""Several workers on one host: one ledger, one memory; one that dies or hangs is replaced."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.serving.hosts import Hosts, State
from gateway.serving.workers import cores_of
from kernel.clock import SystemClock
from tests.agency import Agency
from tests.country import RESIDENTS, RunningCountry, reading, running
from tests.ports import free_port
from tests.serving import Host, check_ledger, serving, until
from tests.traffic import Traffic, flowing

FIELDS = ["/name/family"]
BUSY = {(503, "ledger.unavailable")}
"""What a slow machine may answer as well; nothing is released by it."""


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCountry]:
    with running(tmp_path_factory.mktemp("workers") / "demo", 200) as started:
        yield started


@pytest.fixture(scope="module")
def host(country: RunningCountry) -> Iterator[Host]:
    """A host with two workers, beside the country's own gateway."""
    with serving(country, "--workers", "2") as started:
        until(lambda: len(beats(started)) == 2)
        yield started


def beats(host: Host) -> dict[str, State]:
    """Return what the host's live workers say of themselves, as every other host sees it."""
    port = host.at.rpartition(":")[2]
    with reading(host.country) as database:
        live = Hosts(database, SystemClock()).live()
    return {one.worker: one.state for one in live if one.name.endswith(f":{port}")}


def traffic(host: Host, number: str) -> Traffic:
    return Traffic(host.agency, lambda agency: agency.exchange(number, RESIDENTS, FIELDS))


def asked(agency: Agency, number: str, times: int = 12) -> set[tuple[int, str]]:
    """Ask on as many connections, which the system shares out among the workers."""
    answers = [agency.exchange(number, RESIDENTS, FIELDS) for _ in range(times)]
    return {(one.status, one.json.get("reason", "")) for one in answers} - BUSY


def test_a_worker_for_each_core_has_it_for_itself_and_else_they_share_all(host: Host) -> None:
    cores = sorted(os.sched_getaffinity(0))
    own = [[one] for one in cores] if len(cores) == len(host.workers()) else [cores] * 2
    assert sorted(sorted(os.sched_getaffinity(one)) for one in host.workers()) == own
    policies = {os.sched_getscheduler(one) for one in host.workers()}
    assert policies == {os.SCHED_BATCH}, "who is woken waits for the one who woke it"
    assert cores_of(1, 1, {5}) == {5}
    assert [cores_of(number, 3, {2, 4, 9}) for number in (1, 2, 3)] == [{2}, {4}, {9}]
    assert [cores_of(number, 2, {2, 4, 9}) for number in (1, 2)] == [{2, 4, 9}] * 2


def test_two_workers_serve_as_one_and_a_withdrawal_binds_both(host: Host) -> None:
    resident, agency = host.country.consenting(), host.agency()
    assert asked(agency, resident.number) == {(200, "")}
    assert host.country.consents("withdraw", resident).returncode == 0
    assert asked(agency, resident.number) == {(403, "subject.not_released")}


def test_a_worker_that_is_killed_is_replaced_while_the_other_goes_on(
    host: Host, tmp_path: Path
) -> None:
    stream = traffic(host, host.country.consenting().number)
    before = host.workers()
    with flowing([stream], each=4):
        stream.goes_on()
        os.kill(before[0], signal.SIGKILL)
        stream.goes_on()
        until(lambda: len(host.workers()) == 2 and before[0] not in host.workers())
        assert before[1] in host.workers()
        stream.goes_on()
    assert set(stream.refused) <= {"ledger.unavailable"}
    assert {line["status"] for line in host.said("worker ended")} == {-signal.SIGKILL}
    check_ledger(host.country, tmp_path / "log", stream.released)


def test_a_worker_that_hangs_is_found_out_and_replaced(host: Host) -> None:
    before = host.workers()
    os.kill(before[0], signal.SIGSTOP)
    until(lambda: len(host.workers()) == 2 and before[0] not in host.workers())
    assert len(host.said("worker hangs")) == 1
    until(host.ready)
    assert before[1] in host.workers()
    assert asked(host.agency(), host.country.consenting().number) == {(200, "")}


def test_a_worker_that_cannot_start_is_tried_ever_more_rarely_until_it_can(
    country: RunningCountry,
) -> None:
    number = country.consenting().number
    with serving(country, "--workers", "2") as host:
        until(lambda: len(beats(host)) == 2)
        keys = country.state / "gateway" / "keys"
        keys.chmod(0o777)  # nobody starts with keys that others could exchange
        try:
            os.kill(host.workers()[0], signal.SIGKILL)
            until(lambda: len(host.said("worker ended")) >= 4)
        finally:
            keys.chmod(0o700)
        pauses = [line["pause"] for line in host.said("worker ended")]
        assert pauses == sorted(pauses)
        assert pauses[3] >= 2 * pauses[1]
        assert asked(host.agency(), number) == {(200, "")}
        until(lambda: len(host.workers()) == 2 and len(beats(host)) == 2)
        assert asked(host.agency(), number) == {(200, "")}


def test_who_serves_is_told_by_doctor(host: Host) -> None:
    port = host.at.rpartition(":")[2]
    until(lambda: set(beats(host)) == {"1", "2"})
    told = host.country.run("gateway", "doctor").stdout
    for worker in ("1", "2"):
        assert f":{port} worker {worker} serving" in told


def test_an_address_where_somebody_listens_is_not_shared(host: Host) -> None:
    port = host.at.rpartition(":")[2]
    told = host.country.run("gateway", "serve", "--port", port)
    assert told.returncode == 1
    assert told.stderr == f"It cannot listen at 127.0.0.1, port {port}: Address already in use.\n"


def test_what_cannot_start_says_so_in_one_sentence(country: RunningCountry) -> None:
    keys = country.state / "gateway" / "keys"
    keys.chmod(0o777)
    try:
        told = country.run("gateway", "serve", "--port", str(free_port()))
    finally:
        keys.chmod(0o700)
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert "keys" in told.stderr
