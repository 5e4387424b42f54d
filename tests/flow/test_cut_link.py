"""Two hosts in networks of their own; one loses its link in the middle of its work."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.agency import Agency, Answer
from tests.country import RESIDENTS
from tests.flow.watched import WatchedCountry, watched_country
from tests.namespaces import Link, Namespace, namespaces
from tests.redis_server import redis_server
from tests.serving import Host, check_ledger, serving, until
from tests.traffic import Traffic, flowing

POSTCODE = "/address/postcode"
UNAVAILABLE = {"state.unavailable", "ledger.unavailable"}


@dataclass
class Cabled:
    """A host, and the cable to what it shares with the others; agencies come by another one."""

    host: Host
    shared: Link


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Cabled, Cabled]]:
    """Two hosts, each in its own network, on one state whose short-lived part is in Redis."""
    with ExitStack() as parts:
        spaces = parts.enter_context(namespaces(2))
        cables = [parts.enter_context(space.linked()) for space in spaces]
        listen = ("--bind", "127.0.0.1", *(cable.here for cable in cables))
        redis = parts.enter_context(
            redis_server(tmp_path / "redis", *listen, "--protected-mode", "no")
        )
        country = parts.enter_context(
            watched_country(tmp_path / "demo", GATEWAY_REDIS_URL=redis.url)
        )

        def host(space: Namespace, cable: Link) -> Cabled:
            front = parts.enter_context(space.linked())
            url = f"redis://{cable.here}:{redis.port}"
            shared = {"GATEWAY_REDIS_URL": url}
            started = serving(country, at=front.there, around=space.around, **shared)
            return Cabled(parts.enter_context(started), cable)

        one, other = map(host, spaces, cables)
        yield one, other


def letters(agency: Agency, number: str) -> Answer:
    """Ask as the tax office does, by law."""
    return agency.exchange(number, RESIDENTS, [POSTCODE], agreement="tax-correspondence")


def releases(country: WatchedCountry, consumer: str) -> int:
    """Return how many answers to an agency are in the ledger now."""
    leaves = [leaf for leaf in country.committed() if leaf["type"] == "exchange.release"]
    return sum(leaf["consumer"] == consumer for leaf in leaves)


def test_a_host_whose_link_is_cut_releases_nothing_and_the_other_goes_on(
    pair: tuple[Cabled, Cabled], tmp_path: Path
) -> None:
    cut, other = pair
    country = cut.host.country
    assert isinstance(country, WatchedCountry)
    number = country.consented().number
    here = Traffic(cut.host.agency, lambda one: one.exchange(number, RESIDENTS, ["/name/family"]))
    there = Traffic(lambda: other.host.agency("tax"), lambda one: letters(one, number))
    workers = [one.host.workers() for one in pair]
    with flowing([here, there]):
        here.goes_on()
        there.goes_on()
        cut.shared.cut()
        # What had proven itself before may still be answered; then nothing is.
        until(lambda: len(here.refused) > 3 and all(one.status != 200 for one in here.answers[-4:]))
        released = len(here.released)
        before = releases(country, "family-benefits")
        refused = len(here.refused)
        there.goes_on(10)
        until(lambda: len(here.refused) > refused + 3)
        assert cut.host.readiness()[0] == 503
        assert other.host.ready()
        assert len(here.released) == released
        assert releases(country, "family-benefits") == before == released
        cut.shared.mend()
        here.goes_on()
        there.goes_on()
    assert set(here.refused) <= UNAVAILABLE
    assert set(there.refused) <= {"ledger.unavailable"}, "a slow machine, and never Redis"
    assert [one.host.workers() for one in pair] == workers, "it serves again without a restart"
    until(cut.host.ready)
    check_ledger(country, tmp_path / "log", here.released + there.released)
