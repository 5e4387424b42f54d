"""Controls: without its defence a promise's test fails; so it is the defence that it shows."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.controls.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
LEFT = shutil.ignore_patterns(".*", "node_modules", "var", "bench.json")
ORDINARY = "tests/flow/test_promise_1_trace.py::test_an_ordinary_exchange_is_answered"
AT_ONCE = 2

Outcomes = dict[str, str]


@pytest.fixture(scope="session")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[Outcomes]"]]:
    """Start every control that was asked for, two at a time."""
    chosen = [
        item.callspec.params["mutation"]
        for item in request.session.items
        if item.path == Path(__file__) and "running" in getattr(item, "fixturenames", ())
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            str(one): pool.submit(outcomes_without, one, tmp_path_factory.mktemp("control"))
            for one in chosen
        }


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_without_its_defence_the_promise_is_broken(
    mutation: Mutation, running: dict[str, "Future[Outcomes]"]
):
    ordinary = f"{ORDINARY}[{mutation.country}]"
    expected = {named(ordinary): "passed", named(mutation.test): "failed"}
    assert running[str(mutation)].result() == expected


def test_every_promise_has_a_control():
    assert {mutation.promise for mutation in MUTATIONS} == {f"P{n}" for n in range(1, 9)}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_the_table_of_controls_fits_the_code(mutation: Mutation):
    assert text_of(ROOT / mutation.file).count(mutation.old) == 1


def outcomes_without(mutation: Mutation, place: Path) -> Outcomes:
    """Run the promise's test, and an ordinary exchange, on a copy without the defence."""
    copy = copied(place / "copy")
    try:
        mutate(copy / mutation.file, mutation)
        return outcomes_of(copy, f"{ORDINARY}[{mutation.country}]", mutation.test)
    finally:
        shutil.rmtree(place)


def copied(copy: Path) -> Path:
    """Copy what the product and its tests are made of, the policies' hidden files included."""
    shutil.copytree(ROOT, copy, ignore=LEFT)
    for hidden in (ROOT / "policies").glob(".*"):
        shutil.copy2(hidden, copy / "policies" / hidden.name)
    return copy


def mutate(file: Path, mutation: Mutation) -> None:
    file.write_text(text_of(file).replace(mutation.old, mutation.new), encoding="utf-8")


def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def outcomes_of(copy: Path, *tests: str) -> Outcomes:
    """Run tests in the copy and return how each ended; an error is not a failure."""
    report, temporary = copy.with_name("report.xml"), copy.with_name("temporary")
    quiet = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly")
    places = (f"--junitxml={report}", f"--basetemp={temporary}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, *places, *tests],
        cwd=copy,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},  # several processes run the copy
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return {
        case.attrib["name"]: next((one.tag for one in case), "passed").replace("failure", "failed")
        for case in ET.parse(report).iter("testcase")
    }


def named(test: str) -> str:
    return test.rpartition("::")[2]
