"""Nursery: a process that has imported everything, and forks one worker per fault.

Importing costs more than a second, a fault a tenth of it: so each worker is forked off before
anything is opened, in a copy of the prepared state, and a second one inspects what it left.
"""

import gc
import json
import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import alembic.command  # noqa: F401 - the first start imports it late

import audit.ledger
import audit.model
import kernel.database_sqlite
from gateway import rooms as gateway_rooms
from gateway.commands.opening import PLAIN
from gateway.policy.bundle import Bundle
from gateway.policy.rego_embedded import Evaluator
from kernel.errors import Refusal
from tests.faults import controls, restart, worker
from tests.faults.disk import Disk

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Case:
    """Which fault, on files below which part of the state, in which story, with what removed."""

    fault: str
    below: str = ""
    story: str = "acts"
    control: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one worker, and what its successor found."""

    status: int
    hit: dict | None
    calls: int
    lines: list[dict]
    findings: list[str]


class Nursery:
    """The process, seen from a test."""

    def __init__(self, shared: Path, base: Path) -> None:
        self._base = base
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "LD_PRELOAD": str(shared)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        assert self._process.wait(120) == 0
        self._process.stdout.close()

    def run(self, home: Path, case: Case, at: int) -> Outcome:
        """Let a worker meet a fault at its `at`-th write or sync, and inspect what it leaves."""
        asked = {**asdict(case), "base": str(self._base), "home": str(home), "at": at}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery ended"
        return Outcome(**json.loads(answer))


class _Inline:
    """The embedded policy engine without its threads, which a fork would lose."""

    def __init__(self, bundle: Bundle) -> None:
        self._evaluator = Evaluator.of(bundle.rules)

    def prepare(self, bundle: Bundle) -> None:
        """Take the one bundle that there is."""

    def decide(self, input: bytes, revision: str) -> object:
        return self._evaluator.decide(input.decode())

    def healthy(self) -> bool:
        return True


def main() -> None:
    """Serve cases until nobody asks any more."""
    bundle = Bundle.from_directory(ROOT / "policies")
    engine = _Inline(bundle)
    in_force = gateway_rooms.prepare(bundle, engine)
    gateway_rooms.engine_for = lambda *_: engine
    gateway_rooms.prepare = lambda *_: in_force
    # Every commit keeps the guard's head, and checkpoints come often: more calls that can fail.
    # Patience outlasts a busy machine, so that whatever is refused is refused for the fault.
    limits = audit.model.Limits(patience=20.0, head_age=0.0)
    gateway_rooms.Limits = lambda **_: limits
    kernel.database_sqlite._CHECKPOINT_ROWS = 40
    kernel.database_sqlite._TRUNCATE_BYTES = 32 * 1024
    gc.collect()
    gc.freeze()  # so that a child copies less of the memory that it shares
    for line in sys.stdin.buffer:
        answer = json.dumps(_case(**json.loads(line))).encode()
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()


def _case(base: str, home: str, story: str, control: str, **fault: str | int) -> dict:
    place = Path(home)
    shutil.copytree(base, place / "state")
    state = (place / "state").resolve()
    status, told = _forked(lambda tell: STORIES[story](state, fault, tell, control))
    lines = [json.loads(line) for line in told.split(b"\n")[:-1]]
    hit = next((line for line in lines if "hit" in line), None)
    calls = next((line["calls"] for line in lines if "calls" in line), 0)
    code, report = _forked(lambda tell: _inspect(state, lines, tell))
    found = [json.loads(line) for line in report.split(b"\n")[:-1]]
    findings = [line["finding"] for line in found if "finding" in line]
    if code:
        findings.append("the inspection did not end well")
    if not findings:
        shutil.rmtree(place)
    return {"status": status, "hit": hit, "calls": calls, "lines": lines, "findings": findings}


def _acts(state: Path, fault: dict, tell: int, control: str) -> None:
    """Live through the scenario on a disk that fails; where it can be, go on after that."""
    say, disk = worker.Say(tell), Disk()
    controls.CONTROLS.get(control, lambda _: None)(say)
    rooms = gateway_rooms.open_rooms(worker.settings(state))
    desk = worker.Desk(rooms, say)
    disk.arm(state, **fault, tell=tell)
    worker.scenario(desk)
    if fault["fault"] in {"kill", "torn"}:
        rooms.close()  # the last one that closes moves everything into the database's file
        say(calls=disk.disarm())
        return
    say(calls=disk.disarm())
    desk.give(worker.LATER + 1)
    rooms.close()


def _start(state: Path, fault: dict, tell: int, _: str) -> None:
    """Start for the first time, with nothing there yet, on a disk that fails."""
    say, disk = worker.Say(tell), Disk()
    disk.arm(state, **fault, tell=tell)
    try:
        rooms = gateway_rooms.open_rooms(worker.settings(state))
        worker.complete(rooms)
    except (*PLAIN, Refusal, OSError) as error:
        say(stumbled=repr(error))
    else:
        rooms.close()
        say(calls=disk.disarm())


STORIES = {"acts": _acts, "start": _start}


def _inspect(state: Path, lines: list[dict], tell: int) -> None:
    say = worker.Say(tell)
    for finding in restart.inspect(state, lines, say):
        say(finding=finding)


def _forked(work: Callable[[int], None]) -> tuple[int, bytes]:
    """Return how a child ended (below 0: by which signal) and what it wrote on its pipe."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        code = 1
        try:
            os.close(read)
            work(write)
            code = 0
        except BaseException:  # noqa: BLE001 - told here, since nobody else hears of it
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), told


if __name__ == "__main__":
    main()
