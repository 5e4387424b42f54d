"""The real gateway: killed under load, beside a command that is killed, and on a full disk."""

import contextlib
import http.client
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.demo.country import ROOT
from gateway.demo.sources import Resident
from tests.country import AGREEMENT, RESIDENTS, SCHEME, RunningCountry, running

pytestmark = pytest.mark.fault

FIELDS = ["/name/family", "/name/given", "/children/*/birth_date"]
PATIENCE = 120.0


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Iterator[RunningCountry]:
    """A country that may be broken: nobody else lives in it."""
    with running(tmp_path_factory.mktemp("broken") / "demo") as started:
        yield started


@dataclass
class Load:
    """Agency systems that ask again and again, and remember each answer that reached them."""

    country: RunningCountry
    residents: list = field(default_factory=list)
    answers: list[dict] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    broken: int = 0

    @contextlib.contextmanager
    def asking(self, threads: int) -> Iterator[None]:
        stop = threading.Event()
        workers = [threading.Thread(target=self._ask, args=(n, stop)) for n in range(threads)]
        for worker in workers:
            worker.start()
        try:
            yield
        finally:
            stop.set()
            for worker in workers:
                worker.join()

    def _ask(self, n: int, stop: threading.Event) -> None:
        resident = self.residents[n % len(self.residents)]
        agency = self.country.agency()
        while not stop.is_set():
            try:
                answer = agency.exchange(resident.number, RESIDENTS, FIELDS)
            except (OSError, http.client.HTTPException, AssertionError):
                self.broken += 1
                agency = self.country.agency()
                stop.wait(0.05)
                continue
            if answer.status == 200:
                self.answers.append(agency.claims(answer))
            else:
                self.refusals.append(answer.reason)


def wait(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def serves(country: RunningCountry, resident) -> bool:
    try:
        answer = country.agency().exchange(resident.number, RESIDENTS, FIELDS)
    except (OSError, http.client.HTTPException, AssertionError):
        return False
    return answer.status == 200


def check_ledger(country: RunningCountry, directory: Path, answers: list[dict]) -> None:
    """Check that the ledger verifies and holds the decision and the release of each answer."""
    leaves = country.leaves(directory)
    for claims in answers:
        index = claims["log"]["index"]
        assert leaves[index]["type"] == "exchange.release"
        assert leaves[index]["exchange"] == claims["exchange"]
    decided = {leaf["exchange"] for leaf in leaves if leaf["type"] == "exchange.decision"}
    assert {claims["exchange"] for claims in answers} <= decided


def test_a_gateway_killed_under_load_comes_back_and_lost_nothing_that_it_answered(own, tmp_path):
    load = Load(own, [own.consenting(), own.consenting()])
    for _ in range(2):
        heard, pid = len(load.answers), own.processes.pids()["gateway"]
        with load.asking(4):
            wait(lambda seen=heard + 20: len(load.answers) > seen, "the load gets no answers")
            own.processes._running["gateway"][1].kill()
            wait(lambda old=pid: own.processes.pids()["gateway"] != old, "it was not restarted")
            wait(lambda: serves(own, load.residents[0]), "it does not serve again")
    check_ledger(own, tmp_path / "log", load.answers)
    assert load.broken
    assert set(load.refusals) <= {"ledger.unavailable"}


def giving(own: RunningCountry, resident: Resident) -> subprocess.Popen:
    """Start a command that gives a consent."""
    command = [sys.executable, "-m", "gateway", "consents", "give", "--agreement", AGREEMENT]
    return subprocess.Popen(
        [*command, "--subject", f"{SCHEME}:{resident.number}", "--clerk", "c-1"],
        cwd=ROOT,
        env=own.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_a_command_killed_beside_the_server_leaves_both_ledger_and_server_whole(own, tmp_path):
    load = Load(own, [own.consenting()])
    acknowledged = []
    with load.asking(2):
        began = time.monotonic()
        with giving(own, own.resident()) as whole:
            assert whole.wait(120) == 0
        lasted = time.monotonic() - began
        for turn in range(5):
            process = giving(own, resident := own.resident())
            time.sleep(lasted * (0.6 + 0.1 * turn))  # most of it is its start
            process.kill()
            told, _ = process.communicate()
            if told.endswith("\n"):
                acknowledged.append(resident)
    assert load.answers
    assert set(load.refusals) <= {"ledger.unavailable"}, "a slow disk, and nothing else"
    check_ledger(own, tmp_path / "log", load.answers)
    for resident in acknowledged:
        wait(lambda who=resident: serves(own, who), "what was acknowledged does not count")


@pytest.fixture
def fresh(tmp_path):
    """A country where nothing happened yet: its ledger's log is its largest file."""
    with running(tmp_path / "demo") as started:
        yield started


def test_a_full_disk_releases_nothing_and_the_gateway_goes_on_when_there_is_room(fresh, tmp_path):
    own = fresh
    resident, agency = own.consenting(), own.agency()
    for _ in range(3):
        agency.open(agency.exchange(resident.number, RESIDENTS, FIELDS))
    before = len(own.leaves(tmp_path / "before"))
    log = own.state / "gateway" / "causeway.db-wal"
    with room(own, log.stat().st_size):
        answers = [agency.exchange(resident.number, RESIDENTS, FIELDS) for _ in range(3)]
    for answer in answers:
        assert (answer.status, answer.reason) == (503, "ledger.unavailable")
        assert "sealed" not in answer.json
    wait(lambda: serves(own, resident), "it does not serve again")
    leaves = own.leaves(tmp_path / "after")[before:]
    named = {answer.json["exchange"] for answer in answers}
    assert not [leaf for leaf in leaves if leaf.get("exchange") in named]
    assert [leaf["type"] for leaf in leaves[-2:]] == ["exchange.decision", "exchange.release"]


def test_a_disk_with_no_room_for_a_log_line_still_gives_the_right_reason(own):
    resident, agency = own.consenting(), own.agency()
    agency.open(agency.exchange(resident.number, RESIDENTS, FIELDS))
    with room(own, 1):
        answers = [agency.exchange(resident.number, RESIDENTS, FIELDS) for _ in range(3)]
    for answer in answers:
        assert (answer.status, answer.reason) == (503, "state.unavailable")
    wait(lambda: serves(own, resident), "it does not serve again")


@contextlib.contextmanager
def room(country: RunningCountry, size: int) -> Iterator[None]:
    """Let no file of the gateway's grow beyond a size: on a full disk writes of more fail too."""
    main = country.processes.pids()["gateway"]
    listed = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    pids = [main, *map(int, listed)]
    kept = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in kept.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        for pid, limits in kept.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
