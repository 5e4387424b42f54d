"""Shapes: the exchange under full load, by what it stands on: databases, engines, disks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from crypto.keys import KeyRing
from gateway.http.bundles import opa_config
from gateway.policy.signed import public_pem
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from tests.bench.governed import Loading, Row
from tests.bench.scene import CORES, Peopled, Ways, at_source, peopled, served
from tests.bench.slow_disk import slow_disk, sync_ms
from tests.opa import Opa
from tests.postgres_server import postgres_server
from tests.redis_server import redis_server

FEW, MANY = 32, 64
"""Connections."""
SLOWER = 1000
"""Microseconds that are added to each sync."""


@contextmanager
def opa_beside(place: Path, people: Peopled) -> Iterator[str]:
    """Run an OPA that loads its policies from the gateway, signed; its address."""
    ring = people.country.place.state / "gateway" / "keys"
    key = KeyRing.open(ring, SystemChance(), SystemClock()).policy
    gateway = people.country.place.gateway
    opa = Opa(opa_config(gateway, "active", key.kid, public_pem(key)), place)
    try:
        yield opa.start().url
    finally:
        opa.kill()


def on_sqlite(place: Path, source: int, people: Peopled, seconds: int) -> dict[str, Row]:
    """Return the lines of the embedded default."""

    def line(ways: Ways, connections: int) -> Row:
        with served(people, source, ways) as country:
            return Loading.of(place, country, people).row(connections, seconds)

    slow = slow_disk(place, SLOWER)
    return {
        f"SQLite, {FEW}": line(Ways(), FEW),
        f"SQLite, no decision remembered, {FEW}": line(Ways(module="tests.bench.forgetful"), FEW),
        f"SQLite, 1 ms added to each sync, {MANY}": line(Ways(environ=slow), MANY)
        | {"a sync, ms": sync_ms(place, slow), "without, ms": sync_ms(place, {})},
    }


def on_servers(place: Path, source: int, seconds: int) -> dict[str, Row]:
    """Return the lines of PostgreSQL and Redis on the same cores, without and with OPA."""
    table = {}
    with ExitStack() as stack:
        site = stack.enter_context(postgres_server()).site()
        redis = stack.enter_context(redis_server(place / "redis"))
        people = peopled(
            place / "servers",
            GATEWAY_DATABASE_URL=site.writer,
            GATEWAY_MIGRATOR_URL=site.migrator,
            GATEWAY_REDIS_URL=redis.url,
        )
        with served(people, source) as country:
            table[f"PostgreSQL and Redis, {MANY}"] = Loading.of(place, country, people).row(
                MANY, seconds
            )
        opa = stack.enter_context(opa_beside(place / "opa-of-the-gateway", people))
        for module, name in (("gateway", ""), ("tests.bench.forgetful", ", nothing remembered")):
            asking = people.with_settings(GATEWAY_OPA_URL=opa)
            with served(asking, source, Ways(module=module)) as country:
                table[f"PostgreSQL, Redis and OPA{name}, {MANY}"] = Loading.of(
                    place, country, asking
                ).row(MANY, seconds)
    return table


def run(place: Path, seconds: int = 6) -> dict[str, dict]:
    """Return the table; a worker for each core."""
    people = peopled(place)
    with at_source(place, people.numbers) as source:
        table = on_sqlite(place, source, people, seconds)
        table |= on_servers(place, source, seconds)
    return {f"Under full load, {CORES} workers": table}
