"""What every kind of test may use: a running country, started once and stopped at the end."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.both import KINDS, Sites, on_postgres
from tests.country import RunningCountry, running
from tests.postgres_server import PostgresServer, postgres_server

LONG = ("test_every_call", "test_controls", "test_accessibility", "test_image")
SERVED = ("faults", "flow", "browser", "deploy")
"""The files and then the directories that take longest."""
MOST = 4


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one more than there are cores: half of its time a test waits for servers."""
    return min(MOST, len(os.sched_getaffinity(0)) + 1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, so that no worker is left alone with it at the end."""

    def rank(item: pytest.Item) -> int:
        if item.path.stem in LONG:
            return LONG.index(item.path.stem)
        return len(LONG) + (item.path.parent.name not in SERVED)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCountry]:
    """A demo country that tests share; residents are handed out, so that nobody is shared."""
    with running(tmp_path_factory.mktemp("country") / "demo") as started:
        yield started


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that tests share, each with databases of its own; nobody stops it."""
    with postgres_server() as started:
        yield started


@pytest.fixture(scope="session")
def sites(postgres: PostgresServer) -> Sites:
    """Databases of the shared PostgreSQL, handed out empty."""
    return Sites(postgres)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory for a log, once with SQLite and once with PostgreSQL."""
    if request.param == "sqlite":
        yield tmp_path
        return
    with on_postgres(request.getfixturevalue("sites"), tmp_path) as directory:
        yield directory
