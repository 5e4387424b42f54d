"""What a crash or an operator may leave behind: torn log tails, old copies, a guard that failed."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from audit.guard import Restriction
from audit.guard_directory import DirectoryGuard
from audit.model import BadLedger, Limits
from gateway.rooms import open_rooms, opened
from tests.faults import restart, worker

pytestmark = pytest.mark.fault

FRAME = 24 + 4096


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """Let a commit last as long as a slow disk wants."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gateway.rooms.Limits", partial(Limits, patience=60.0))
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    state = tmp_path_factory.mktemp("prepared") / "state"
    worker.prepare(state)
    return state


@pytest.fixture(scope="module")
def killed(tmp_path_factory, prepared) -> tuple[Path, list[dict]]:
    """The files as a kill leaves them: what happened since the start is in the log alone."""
    home = tmp_path_factory.mktemp("killed")
    shutil.copytree(prepared, home / "running")
    lines: list[dict] = []
    rooms = open_rooms(worker.settings(home / "running"))
    desk = worker.Desk(rooms, lambda **line: lines.append(line))
    desk.give(1)
    desk.ask(1)
    desk.withdraw(3)
    rooms.ledger.close()  # keeps the newest head in the guard, and leaves the database open
    shutil.copytree(home / "running", home / "state")
    rooms.close()
    return home / "state", lines


def log_of(state: Path) -> Path:
    return state / "causeway.db-wal"


def garbage(state: Path) -> bytes:
    return random.Random(7).randbytes(3 * FRAME)


def a_frame_again(state: Path) -> bytes:
    return log_of(state).read_bytes()[-FRAME:]


def half_a_frame(state: Path) -> bytes:
    return log_of(state).read_bytes()[-FRAME : -FRAME // 2]


@pytest.mark.parametrize("tail", [garbage, a_frame_again, half_a_frame])
def test_a_torn_tail_of_the_write_ahead_log_is_ignored(killed, tmp_path, tail):
    state, lines = killed
    shutil.copytree(state, tmp_path / "state")
    with log_of(tmp_path / "state").open("ab") as file:
        file.write(tail(state))
    found = restart.inspect(tmp_path / "state", lines, lambda **_: None)
    assert list(found) == []


def test_a_missing_index_of_the_write_ahead_log_is_made_again(killed, tmp_path):
    state, lines = killed
    shutil.copytree(state, tmp_path / "state")
    (tmp_path / "state" / "causeway.db-shm").unlink(missing_ok=True)
    assert list(restart.inspect(tmp_path / "state", lines, lambda **_: None)) == []


@pytest.mark.parametrize("part", range(8))
def test_a_write_ahead_log_that_lost_its_end_is_told_from_the_whole_one(killed, tmp_path, part):
    state, _ = killed
    shutil.copytree(state, tmp_path / "state")
    log = log_of(tmp_path / "state")
    os.truncate(log, log.stat().st_size * part // 8)
    with pytest.raises(BadLedger, match=r"was signed, but the database has only \d+"):
        open_rooms(worker.settings(tmp_path / "state"))


def test_garbage_inside_the_write_ahead_log_is_told_from_the_whole_one(killed, tmp_path):
    state, _ = killed
    shutil.copytree(state, tmp_path / "state")
    with log_of(tmp_path / "state").open("r+b") as file:
        file.seek(log_of(state).stat().st_size // 2)
        file.write(garbage(state)[:512])
    with pytest.raises(BadLedger, match=r"was signed, but the database has only \d+"):
        open_rooms(worker.settings(tmp_path / "state"))


def test_an_old_copy_of_the_database_beside_a_newer_guard_is_refused_in_one_sentence(
    prepared, tmp_path
):
    state = tmp_path / "state"
    shutil.copytree(prepared, state)
    with opened(worker.settings(state)) as rooms:
        before = rooms.ledger.size
        worker.Desk(rooms, lambda **_: None).give(1)
    shutil.copy(prepared / "causeway.db", state / "causeway.db")
    told = subprocess.run(
        [sys.executable, "-m", "gateway", "serve", "--port", "1"],
        cwd=worker.ROOT,
        env={**os.environ, **environ(state)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert told.returncode == 1
    assert told.stdout == ""
    assert told.stderr == (
        f"a checkpoint over {before + 1} entries was signed, but the database has only {before}:"
        " it is an older copy, or lost its end; nothing is released from it before `audit recover`"
        " has put back what people withdrew\n"
    )


def test_a_database_that_lost_a_withdrawal_is_refused_though_the_head_was_lost_too(
    prepared, tmp_path
):
    state = tmp_path / "state"
    shutil.copytree(prepared, state)
    with opened(worker.settings(state)) as rooms:
        size = rooms.ledger.size
        worker.Desk(rooms, lambda **_: None).withdraw(3)
    shutil.copy(prepared / "causeway.db", state / "causeway.db")
    shutil.copy(prepared / "guard" / "head", state / "guard" / "head")
    with pytest.raises(BadLedger, match=rf"holds a restriction at index {size}, but the database"):
        open_rooms(worker.settings(state))


def test_a_start_on_a_full_disk_says_so_in_one_sentence(prepared, tmp_path):
    state = tmp_path / "state"
    shutil.copytree(prepared, state)
    told = subprocess.run(
        ["bash", "-c", 'ulimit -f 0; exec "$@"', "-", sys.executable, "-m", "gateway", "doctor"],
        cwd=worker.ROOT,
        env={**os.environ, **environ(state), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert told.returncode == 1
    assert len(told.stderr.splitlines()) == 1
    assert "Traceback" not in told.stderr


def test_a_restriction_whose_sync_failed_does_not_count_as_kept(tmp_path, monkeypatch):
    def failing(_: int) -> None:
        raise OSError(5, "Input/output error")

    guard = DirectoryGuard(tmp_path / "guard", signer=None)
    guard.restrict([Restriction(1, b"1" * 32, {"type": "consent.withdrawn"})])
    kept = guard.last()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="Input/output"):
            guard.restrict([Restriction(2, b"2" * 32, {"type": "consent.withdrawn"})])
    assert guard.last() == kept


def environ(state: Path) -> dict[str, str]:
    return {
        "GATEWAY_MODE": "demo",
        "GATEWAY_STATE_DIR": str(state),
        "GATEWAY_POLICIES": str(worker.ROOT / "policies"),
    }
