"""A worker is killed at each of the ten steps, while another one serves on the same state."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.demo.country import ROOT
from gateway.recovery.sweep import TOTAL_DEADLINE, Sweep
from gateway.rooms import open_rooms
from tests.country import exported_leaves
from tests.faults import restart, worker
from tests.faults.steps import STEPS
from tests.serving import Later

pytestmark = pytest.mark.fault

NOTHING, DECIDED, RELEASED = [], ["exchange.decision"], ["exchange.decision", "exchange.release"]
TRAILS = {
    **dict.fromkeys(("1", "2", "3", "4", "5 in the commit"), NOTHING),
    **dict.fromkeys(("5", "6", "7", "8", "9 in the commit"), DECIDED),
    **dict.fromkeys(("9", "10"), RELEASED),
}
"""What is in the ledger about an exchange whose worker died there."""


@dataclass(frozen=True)
class Ran:
    """The state after all of it, what was said, and how each killed worker ended."""

    state: Path
    lines: list[dict]
    steps: dict[str, dict]

    def trail(self, leaves: list[dict], step: str) -> list[str]:
        opened = [line["opened"] for line in self.steps[step]["told"] if "opened" in line]
        return [leaf["type"] for leaf in leaves if leaf.get("exchange") in opened]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    state = tmp_path_factory.mktemp("steps") / "state"
    worker.prepare(state)
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.steps", str(state)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    steps = {line["step"]: line for line in lines if "step" in line}
    said = [line for line in lines if "step" not in line]
    return Ran(state, said + [line for one in steps.values() for line in one["told"]], steps)


def test_each_worker_died_at_its_step_and_the_other_served_between(ran: Ran) -> None:
    assert {step: told["status"] for step, told in ran.steps.items()} == dict.fromkeys(STEPS, -9)
    assert [line["served"] for line in ran.lines if "served" in line] == [0]
    assert sum("sent" in line for line in ran.lines) >= 2 * len(STEPS)
    assert not any("refused" in line for line in ran.lines)


def test_the_ledger_holds_what_happened_and_no_more_and_the_sweep_ends_it(ran: Ran) -> None:
    asked = {
        step for step, told in ran.steps.items() if any("asked" in one for one in told["told"])
    }
    assert asked == {"6", "7", "8", "9 in the commit", "9", "10"}
    heard: list[dict] = []
    findings = list(restart.inspect(ran.state, ran.lines, lambda **line: heard.append(line)))
    assert findings == []
    before = exported_leaves(ran.state.parent / "export")
    assert {step: ran.trail(before, step) for step in STEPS} == TRAILS
    rooms = open_rooms(worker.settings(ran.state))
    try:
        later = Later(TOTAL_DEADLINE + 1)
        ended = Sweep(rooms.database, rooms.ledger, rooms.pseudonyms.open, later)()
        assert ended == sum(trail is DECIDED for trail in TRAILS.values())
        rows = rooms.database.read().execute('SELECT leaf FROM ledger_leaf ORDER BY "index"')
        after = [json.loads(row["leaf"]) for row in rows.fetchall()]
    finally:
        rooms.close()
    closed = {
        step: [*trail, "exchange.refusal"] if trail is DECIDED else trail
        for step, trail in TRAILS.items()
    }
    assert {step: ran.trail(after, step) for step in STEPS} == closed
