"""Every consent to an agreement is invalidated: interrupted, killed, repeated, retired."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.demo.country import ROOT, STANDING
from gateway.rooms import bring_into_force, opened
from gateway.setup.settings import Settings
from tests.country import AGREEMENT, INCOME, RunningCountry
from tests.flow.watched import WatchedCountry, policies, watched_country

COMMAND = (
    *("gateway", "consents", "invalidate", "--all", "--agreement", AGREEMENT),
    *("--officer", "o-1", "--reason", "The agreement was retired."),
)
INTERRUPTIBLE = """\
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("gateway", run_name="__main__")
"""
"""The command as in a terminal: whoever runs the tests in the background has SIGINT ignored."""


@pytest.fixture
def land(tmp_path: Path) -> Iterator[WatchedCountry]:
    """A country of the test's own, since nobody keeps a consent in it."""
    with watched_country(tmp_path / "demo") as started:
        yield started


def invalidated(land: WatchedCountry) -> list[str]:
    """Return the consents of the entries that say so, in the log's order."""
    return [one["consent"] for one in land.committed() if one["type"] == "consent.invalidated"]


@contextmanager
def stuck(country: RunningCountry) -> Iterator[tuple[subprocess.Popen, int]]:
    """Start the command with an output that nobody reads and that takes nothing more, so that it
    stops after its first entry; yield it, and the end to read from."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"\n")
    except BlockingIOError:
        os.set_blocking(writing, True)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, *COMMAND[1:]],
        cwd=ROOT, env=country.environ, stdout=writing, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(writing)
    try:
        yield process, reading
    finally:
        process.kill()
        process.communicate()
        os.close(reading)


def one_more(land: WatchedCountry, process: subprocess.Popen, before: int) -> None:
    """Wait until the command made an entry."""
    while len(invalidated(land)) == before:
        assert process.poll() is None
        time.sleep(0.05)
    assert len(invalidated(land)) == before + 1


def rest(end: int) -> bytes:
    """Read an output to its end."""
    return b"".join(iter(lambda: os.read(end, 65536), b""))


def test_what_an_interruption_leaves_the_same_command_ends_and_nothing_twice(
    land: WatchedCountry,
) -> None:
    people = land.country.sources.people[1 : STANDING + 1]
    agency = land.agency()
    assert agency.exchange(people[0].number, INCOME, ["/income/year"]).status == 200

    with stuck(land) as (process, end):
        one_more(land, process, 0)
        process.send_signal(signal.SIGINT)
        told = process.stderr.readline()
        printed = rest(end)
        assert process.wait(60) == 1
    assert re.fullmatch(r"Interrupted after [01]; the same command goes on .+\n", told)
    first = invalidated(land)
    assert len(first) == 1
    assert [json.loads(line)["consent"] for line in printed.split()] in ([], first)

    with stuck(land) as (process, _):
        one_more(land, process, 1)
        process.kill()
    assert len(invalidated(land)) == 2

    whole = land.run(*COMMAND)
    assert whole.returncode == 0, whole.stderr
    lines = [json.loads(line) for line in whole.stdout.splitlines()]
    assert [one["consent"] for one in lines] == invalidated(land)[2:]
    assert {one["state"] for one in lines} == {"ConsentInvalidated"}
    assert f"{STANDING - 2} ended" in whole.stderr
    assert set(Counter(invalidated(land)).values()) == {1}
    assert len(invalidated(land)) == STANDING

    again = land.run(*COMMAND)
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr.startswith("0 ended")
    for resident in (people[0], people[-1]):
        answer = agency.exchange(resident.number, INCOME, ["/income/year"])
        assert (answer.status, answer.reason) == (403, "subject.not_released")
        last = land.activity(resident)[-1]
        assert last["disclosures"]["response"]["exact"] == "consent.withdrawn"
    entry = next(one for one in land.activity(people[-1]) if one["type"] == "consent.invalidated")
    assert entry["disclosures"]["request"]["reason"] == "The agreement was retired."


def test_an_agreement_that_is_gone_still_lets_its_consents_end(
    land: WatchedCountry, tmp_path: Path
) -> None:
    mine, *others = land.country.sources.people[1 : STANDING + 1]
    retire(land, tmp_path)
    withdrawn = land.consents("withdraw", mine)
    assert json.loads(withdrawn.stdout)["state"] == "ConsentWithdrawn"
    told = land.run(*COMMAND)
    assert told.returncode == 0, told.stderr
    assert len(told.stdout.splitlines()) == len(invalidated(land)) == len(others)
    again = land.run(*COMMAND)
    assert (again.returncode, again.stdout) == (0, "")
    assert land.consents("give", mine).returncode == 2


def retire(land: WatchedCountry, place: Path) -> None:
    """Bring policies into force that have the agreement no more."""
    directory = policies(place / "policies", {})
    (Path(directory) / f"catalogue/agreements/{AGREEMENT}.yaml").unlink()
    settings = Settings.parse({**land.environ, "GATEWAY_POLICIES": directory})
    with opened(settings) as rooms:
        bring_into_force(rooms)
