"""Faults at every write and sync of give, withdraw, decide and release: kills, EIO, a full disk.

A preloaded shared object counts the calls on files of the state directory and lets the k-th fail,
for every k until the scenario runs through unharmed. `strace -e inject` would need a fresh process
for each fault, and importing takes 1.3 s; a worker forked off a process that has imported
everything takes 0.15 s, its inspection included.

The fault is a kill before the call; a kill after half of a write (on the guard's plain files:
SQLite's own hold checksums, and their torn tails are in `test_left_behind`); EIO once; or a disk
that takes half of a write and is full from there on. Of the first start, every third call fails.
"""

import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kernel.errors import Reason
from tests.faults import worker
from tests.faults.disk import compiled
from tests.faults.nursery import Case, Nursery, Outcome

pytestmark = pytest.mark.fault

LANES = 2
MOST = 1000
MEMORY = Path("/dev/shm")


@dataclass
class Ground:
    """Some nurseries side by side, and where their workers live and die."""

    home: Path
    nurseries: list[Nursery]
    names: Iterator[int] = field(default_factory=itertools.count)

    def outcomes(self, case: Case, step: int = 1) -> list[tuple[int, Outcome]]:
        """Return what became of each k in turn, up to those that were never reached.

        Not every run makes as many calls as another: each lane goes on beyond the calls of a calm
        run, until the fault does not strike.
        """
        calm = self.nurseries[0].run(self._place(), replace(case, fault="none"), 0)
        places = itertools.count(1, step)

        def lane(nursery: Nursery) -> list[tuple[int, Outcome]]:
            found: list[tuple[int, Outcome]] = []
            while not found or found[-1][1].hit or found[-1][0] <= calm.calls:
                at = next(places)
                assert at <= MOST, "the scenario never runs through"
                found.append((at, nursery.run(self._place(), case, at)))
            return found

        with ThreadPoolExecutor(len(self.nurseries)) as pool:
            return sorted(itertools.chain(*pool.map(lane, self.nurseries)), key=lambda one: one[0])

    def _place(self) -> Path:
        return self.home / str(next(self.names))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Iterator[Path]:
    """A directory in memory where there is one: a slow disk shows nothing more."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        yield tmp_path_factory.mktemp("faults")
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="causeway-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def ground(home) -> Iterator[Ground]:
    worker.prepare(home / "prepared")
    shared = compiled(home)
    with ExitStack() as stack:
        made = [stack.enter_context(Nursery(shared, home / "prepared")) for _ in range(LANES)]
        yield Ground(home, made)


@pytest.fixture(scope="module")
def empty(home) -> Iterator[Ground]:
    (home / "nothing").mkdir()
    shared = compiled(home)
    with ExitStack() as stack:
        made = [stack.enter_context(Nursery(shared, home / "nothing")) for _ in range(LANES)]
        yield Ground(home / "starts", made)


def sound(outcomes: list[tuple[int, Outcome]]) -> Counter:
    """Return how often each file was hit, after checking that no inspection found anything."""
    found = {at: (one.hit, one.findings) for at, one in outcomes if one.findings}
    assert not found
    return Counter(Path(one.hit["file"]).name for _, one in outcomes if one.hit)


def killed(outcomes: list[tuple[int, Outcome]]) -> None:
    for _, one in outcomes:
        assert one.status == (0 if one.hit is None else -9)


def test_the_scenario_is_served_in_full_when_nothing_fails(ground):
    outcome = ground.nurseries[0].run(ground.home / "calm", Case("none"), 0)
    assert outcome.findings == []
    kinds = Counter(line["type"] for line in outcome.lines if "ok" in line)
    assert kinds == {
        "consent.given": 3,
        "consent.renewed": 1,
        "consent.withdrawn": 3,
        "exchange.decision": 2,
        "exchange.release": 1,
        "exchange.refusal": 1,
    }
    assert [line["no"] for line in outcome.lines if "no" in line] == [Reason.SUBJECT_NOT_RELEASED]


def test_a_kill_at_any_write_or_sync_loses_nothing_that_was_acknowledged(ground):
    outcomes = ground.outcomes(Case("kill"))
    killed(outcomes)
    hits = sound(outcomes)
    assert hits["causeway.db-wal"] > 100
    assert {"causeway.db", "head.tmp", "restrictions.jsonl"} <= hits.keys()


def test_a_kill_in_the_middle_of_a_write_to_the_guard_leaves_it_readable(ground):
    outcomes = ground.outcomes(Case("torn", below="guard"))
    killed(outcomes)
    assert sound(outcomes)["restrictions.jsonl"] >= 6  # a write and a sync of three lines


def test_a_call_that_answers_eio_is_refused_and_the_ledger_goes_on(ground):
    outcomes = ground.outcomes(Case("EIO"))
    hits = sound(outcomes)
    assert {"causeway.db", "causeway.db-wal", "head.tmp", "restrictions.jsonl"} <= hits.keys()
    for at, one in outcomes:
        assert one.status == 0, at
        assert "done" in one.lines[-1], f"after the fault at {at} the ledger does not go on"
    refused = Counter(line["no"] for _, one in outcomes for line in one.lines if "no" in line)
    assert refused[Reason.LEDGER_UNAVAILABLE] > 100
    assert refused.keys() == {Reason.LEDGER_UNAVAILABLE, Reason.SUBJECT_NOT_RELEASED}


def test_a_disk_that_fills_up_at_any_call_refuses_until_there_is_room_again(ground):
    outcomes = ground.outcomes(Case("ENOSPC"))
    sound(outcomes)
    for at, one in outcomes:
        assert one.status == 0, at
        assert "done" in one.lines[-1], f"with room again after {at} the ledger does not go on"


@pytest.mark.parametrize("fault", ["kill", "EIO"])
def test_a_fault_at_any_call_of_the_first_start_leaves_a_gateway_that_starts(empty, fault):
    empty.home.mkdir(exist_ok=True)
    outcomes = empty.outcomes(Case(fault, story="start"), step=3)
    sound(outcomes)
    if fault == "kill":
        killed(outcomes)
    assert all(one.status == 0 or fault == "kill" for _, one in outcomes)


@pytest.mark.parametrize(
    ("control", "fault", "below", "finding"),
    [
        ("two_transactions", "kill", "", "the entries say"),
        ("early_answers", "kill", "", "is not in the ledger"),
        ("deaf_commits", "EIO", "", "though its sync failed"),
        ("deaf_commits", "ENOSPC", "", "is not in the ledger"),
        ("deaf_guard", "EIO", "guard", "lacks the acknowledged restriction"),
        ("asking_anyway", "EIO", "", "without a decision"),
        ("half_a_use", "none", "", "one use too many"),
    ],
)
def test_the_inspection_notices_when_a_defence_is_gone(ground, control, fault, below, finding):
    step = 5 if fault == "kill" else 1
    for at in range(1, MOST, step):
        home = ground.home / f"{control}-{fault}-{at}"
        outcome = ground.nurseries[0].run(home, Case(fault, below=below, control=control), at)
        if any(finding in found for found in outcome.findings):
            return
        assert outcome.hit, "the scenario ran through"
    pytest.fail("no inspection noticed")
