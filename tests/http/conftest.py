"""What tests of sources and of people share: a country with a tax office of the tests' own."""

from collections.abc import Iterator

import pytest

from tests.flow.office import Office
from tests.flow.watched import WatchedCountry, watched_country


@pytest.fixture(scope="session")
def odd_country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCountry]:
    """A country that asks an office of the tests' own, and does not wait long for it."""
    state = tmp_path_factory.mktemp("odd") / "demo"
    with watched_country(state, GATEWAY_SOURCE_TAX_TIMEOUT="3") as started:
        yield started


@pytest.fixture(scope="session")
def odd_office(odd_country: WatchedCountry) -> Office:
    """That office; it says whatever a test wants."""
    return odd_country.office
