"""Two hosts in networks of their own; one loses its links in the middle of its work."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.agency import Agency, Answer
from tests.country import RESIDENTS
from tests.flow.watched import WatchedCountry, watched_country
from tests.namespaces import BLOCKS, Link, Namespace, namespaces
from tests.postgres_server import PostgresServer, Site
from tests.redis_server import RedisServer, redis_server
from tests.serving import Host, check_ledger, serving, until
from tests.traffic import Traffic, flowing

FAMILY = "/name/family"
POSTCODE = "/address/postcode"


@dataclass
class Cabled:
    """A host, and its cables to what it shares with the other; agencies come by another one."""

    host: Host
    ledger: Link
    state: Link

    def cables(self, what: str) -> list[Link]:
        return [self.ledger, self.state] if what == "both" else [getattr(self, what)]


Pair = tuple[Cabled, Cabled]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two hosts, each in its own network, on one PostgreSQL and one Redis."""
    place = tmp_path_factory.mktemp("cut-link")
    with ExitStack() as parts:
        spaces = parts.enter_context(namespaces(2))
        ledgers, states = (
            [parts.enter_context(space.linked()) for space in spaces] for _ in range(2)
        )
        site = reached_by(parts, ledgers)
        listen = ("--bind", "127.0.0.1", *(cable.here for cable in states))
        redis = parts.enter_context(
            redis_server(place / "redis", *listen, "--protected-mode", "no")
        )
        urls = {"GATEWAY_DATABASE_URL": site.writer, "GATEWAY_MIGRATOR_URL": site.migrator}
        country = parts.enter_context(
            watched_country(place / "demo", GATEWAY_REDIS_URL=redis.url, **urls)
        )

        def host(space: Namespace, ledger: Link, state: Link) -> Cabled:
            front = parts.enter_context(space.linked())
            shared = cabled(site, ledger, redis, state)
            started = serving(country, at=front.there, around=space.around, **shared)
            return Cabled(parts.enter_context(started), ledger, state)

        one, other = map(host, spaces, ledgers, states)
        yield one, other


def reached_by(parts: ExitStack, cables: list[Link]) -> Site:
    """Return a database of a PostgreSQL that listens at this end of the cables too."""
    listen = ",".join(["127.0.0.1", *(cable.here for cable in cables)])
    server = PostgresServer("-c", f"listen_addresses={listen}")
    parts.callback(server.close)
    with (server.directory / "data" / "pg_hba.conf").open("a", encoding="ascii") as rules:
        rules.write(f"\nhost all all {BLOCKS} trust\n")
    return server.start().site()


def cabled(site: Site, ledger: Link, redis: RedisServer, state: Link) -> dict[str, str]:
    """Return the settings under which a host reaches what it shares by its cables."""
    return {
        "GATEWAY_DATABASE_URL": site.writer.replace("127.0.0.1", ledger.here),
        "GATEWAY_MIGRATOR_URL": site.migrator.replace("127.0.0.1", ledger.here),
        "GATEWAY_REDIS_URL": f"redis://{state.here}:{redis.port}",
    }


def letters(agency: Agency, number: str) -> Answer:
    """Ask as the tax office does, by law."""
    return agency.exchange(number, RESIDENTS, [POSTCODE], agreement="tax-correspondence")


def answered(ask: Callable[[], Answer]) -> Answer:
    """Ask until the host is not too busy to say."""
    answers = [ask()]
    until(lambda: answers[-1].status != 503 or answers.append(ask()))
    return answers[-1]


def releases(country: WatchedCountry, consumer: str) -> set[str]:
    """Return the exchanges that the ledger says an agency got data from, as of now."""
    leaves = [leaf for leaf in country.committed() if leaf["type"] == "exchange.release"]
    return {leaf["exchange"] for leaf in leaves if leaf["consumer"] == consumer}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        pytest.param("ledger", "ledger.unavailable", id="its PostgreSQL"),
        pytest.param("state", "state.unavailable", id="its Redis"),
        pytest.param("both", "", id="all it shares"),
    ],
)
def test_a_host_whose_link_is_cut_releases_nothing_and_the_other_goes_on(
    pair: Pair, what: str, said: str, tmp_path: Path
) -> None:
    cut, other = pair
    country = cut.host.country
    assert isinstance(country, WatchedCountry)
    number, leaving, agency = country.consented().number, country.consented(), cut.host.agency()
    asked = partial(agency.exchange, leaving.number, RESIDENTS, [FAMILY])
    assert answered(asked).status == 200
    here = Traffic(cut.host.agency, lambda one: one.exchange(number, RESIDENTS, [FAMILY]))
    there = Traffic(lambda: other.host.agency("tax"), lambda one: letters(one, number))
    workers = [one.host.workers() for one in pair]
    with flowing([here], each=1), flowing([there]):
        here.goes_on()
        there.goes_on()
        for cable in cut.cables(what):
            cable.cut()
        begun = len(here.answers) + 1  # one request was under way, and may have got through
        until(lambda: len(here.answers) > begun + 3)
        entered = releases(country, "family-benefits")
        assert {*here.released} <= entered, "nobody has data without its entry"
        there.goes_on(10)
        assert country.consents("withdraw", leaving).returncode == 0
        until(lambda: cut.host.readiness()[0] == 503)
        until(other.host.ready)
        meanwhile = here.answers[begun:]
        assert {one.status for one in meanwhile} == {503}
        assert not said or said in {one.reason for one in meanwhile}
        assert releases(country, "family-benefits") == entered
        for cable in cut.cables(what):
            cable.mend()
        here.goes_on()
        there.goes_on()
    assert set(here.refused) <= {said or "state.unavailable", "ledger.unavailable"}
    assert set(there.refused) <= {"ledger.unavailable"}, "a slow machine, and never Redis"
    assert answered(asked).reason == "subject.not_released", "it counts here too"
    assert [one.host.workers() for one in pair] == workers, "it serves again without a restart"
    until(cut.host.ready)
    check_ledger(country, tmp_path / "log", here.released + there.released)
