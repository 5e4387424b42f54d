"""What every kind of test may use: a running country, started once and stopped at the end."""

from collections.abc import Iterator

import pytest

from tests.country import RunningCountry, running
from tests.postgres_server import PostgresServer, postgres_server


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
