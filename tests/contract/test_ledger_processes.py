"""Several processes, kills and full disks: nothing that was acknowledged is lost."""

import json
import os
import random
import subprocess
import sys
import threading

import pytest

from audit import verify
from audit.export import export
from audit.verify_source import Directory
from kernel.errors import Reason
from tests.contract import ledger_stage as stage

SECONDS = 60


def start(site: stage.Stage, name: str, threads: int, count: int, room: int = 0):
    command = [sys.executable, "-m", "tests.contract.ledger_process"]
    command += [str(site.directory), name, str(threads), str(count), str(room)]
    return subprocess.Popen(
        command, env=stage.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def acknowledged(text: str) -> dict[int, str]:
    """Return index and exchange of each whole line that tells of a written entry."""
    found = {}
    for line in text.splitlines(keepends=True):
        word, _, index = line.partition(" ")
        if line.endswith("\n") and index.strip().isdigit():
            assert int(index) not in found
            found[int(index)] = word
    return found


def check(site: stage.Stage, told: dict[int, str]) -> int:
    """Return the size of a log that opens, verifies, and holds what was acknowledged."""
    with site.open() as log:
        for index, word in told.items():
            members = log.ledger.entry(index)
            assert members.get("exchange", members.get("consent")) in {f"ex_{word}", f"co_{word}"}
        out = site.directory / "out"
        tree = export(log.database.read(), out, site.keys.signer)
        key = site.keys.signer.vkey
        verify.verify(Directory(out), verify.Question(key), lambda _: None)
        journal = site.guard / "restrictions.jsonl"
        lines = journal.read_bytes().splitlines() if journal.exists() else []
        restricted = {json.loads(line)["index"] for line in lines}
        leaves = log.database.read().execute('SELECT "index", leaf FROM ledger_leaf')
        assert restricted == {index for index, leaf in leaves if b"withdrawn" in leaf}
        return tree.size


def test_two_processes_append_at_once_into_one_log_without_gaps(place):
    site = stage.Stage(place)
    writers = [start(site, name, 4, 40) for name in ("one", "two")]
    outputs = [writer.communicate(timeout=SECONDS) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], outputs
    told = [acknowledged(out) for out, _ in outputs]
    assert all(len(each) == 160 for each in told)
    assert not told[0].keys() & told[1].keys()
    assert check(site, told[0] | told[1]) == 321


def test_a_command_beside_a_busy_server_gets_its_turn(place):
    site = stage.Stage(place)
    with site.open() as server:
        stop = threading.Event()

        def work(n: int) -> None:
            count = 0
            while not stop.is_set():
                server.ledger.append(stage.decision(f"ex_{n}-{count}"))
                count += 1

        workers = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for worker in workers:
            worker.start()
        try:
            command = start(site, "command", 1, 5)
            out, error = command.communicate(timeout=SECONDS)
        finally:
            stop.set()
            for worker in workers:
                worker.join()
    assert command.returncode == 0, error
    assert len(acknowledged(out)) == 5


@pytest.mark.fault
@pytest.mark.parametrize("seed", range(4))
def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(place, seed):
    site = stage.Stage(place)
    dice = random.Random(seed)
    told: dict[int, str] = {}
    for turn in range(3):
        writers = [start(site, f"{name}{turn}", 3, 10_000) for name in ("one", "two")]
        begun = [os.read(writer.stdout.fileno(), 1).decode() for writer in writers]
        threading.Event().wait(dice.uniform(0.0, 0.3))
        for writer in dice.sample(writers, 2):
            writer.kill()
        for first, writer in zip(begun, writers, strict=True):
            out, error = writer.communicate(timeout=SECONDS)
            assert writer.returncode == -9, error
            told |= acknowledged(first + out)
        size = check(site, told)
    assert size > len(told) > 0


@pytest.mark.fault
@pytest.mark.parametrize("seed", range(3))
def test_a_kill_while_the_log_is_made_leaves_one_that_opens(place, seed):
    site = stage.Stage(place)
    dice = random.Random(seed)
    for turn in range(3):
        writer = start(site, f"w{turn}", 1, 1)
        threading.Event().wait(dice.uniform(0.2, 0.9))
        writer.kill()
        writer.communicate(timeout=SECONDS)
        assert check(site, {}) >= 1


@pytest.mark.fault
def test_a_full_disk_refuses_and_the_ledger_goes_on_when_there_is_room_again(tmp_path):
    site = stage.Stage(tmp_path)
    site.open().close()
    room = max(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) + 150_000
    writer = start(site, "full", 4, 100, room)
    out, error = writer.communicate(timeout=SECONDS)
    assert writer.returncode == 0, error
    assert f" {Reason.LEDGER_UNAVAILABLE}\n" in out
    assert out.endswith("recovered\n")
    told = acknowledged(out)
    assert told
    check(site, told)


def test_a_ledger_opened_before_a_fork_refuses_in_the_child(place):
    with stage.Stage(place).open() as log:
        log.ledger.append(stage.decision("ex_1"))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                log.ledger.append(stage.decision("ex_2"))
            except RuntimeError:
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert log.ledger.append(stage.decision("ex_3")).index == 2
