"""Shapes: the exchange under full load, by what it stands on: databases, engines, disks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from crypto.keys import KeyRing
from gateway.http.bundles import opa_config
from gateway.policy.signed import public_pem
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from tests.bench.gated import Gate, gated
from tests.bench.governed import ROUNDS, Loading, Row, in_turn
from tests.bench.scene import CORES, Peopled, Ways, at_source, peopled, served
from tests.bench.slow_disk import slow_disk, sync_ms
from tests.opa import Opa
from tests.postgres_server import postgres_server
from tests.redis_server import redis_server

FEW, MANY = 32, 64
"""Connections."""
FORGETFUL = "tests.bench.forgetful"
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


@dataclass(frozen=True)
class Loaded:
    """Where everything stands: the source, and what is loaded in turn with the gateway."""

    place: Path
    source: int
    gate: Gate
    seconds: int
    rounds: int

    def line(self, people: Peopled, ways: Ways, connections: int) -> Row:
        """Return the line of one shape."""
        with served(people, self.source, ways) as country:
            loading = Loading.of(self.place, country, people)
            return in_turn(self.gate, loading, connections, self.seconds, self.rounds)


def on_sqlite(loaded: Loaded, people: Peopled) -> dict[str, Row]:
    """Return the lines of the embedded default."""
    place, slow = loaded.place, slow_disk(loaded.place, SLOWER)
    return {
        f"SQLite, {FEW}": loaded.line(people, Ways(), FEW),
        f"SQLite, no decision remembered, {FEW}": loaded.line(people, Ways(module=FORGETFUL), FEW),
        f"SQLite, 1 ms added to each sync, {MANY}": loaded.line(people, Ways(environ=slow), MANY)
        | {"a sync, ms": sync_ms(place, slow), "without, ms": sync_ms(place, {})},
    }


def on_servers(loaded: Loaded) -> dict[str, Row]:
    """Return the lines of PostgreSQL and Redis on the same cores, without and with OPA."""
    table, place = {}, loaded.place
    with ExitStack() as stack:
        site = stack.enter_context(postgres_server()).site()
        redis = stack.enter_context(redis_server(place / "redis"))
        people = peopled(
            place / "servers",
            GATEWAY_DATABASE_URL=site.writer,
            GATEWAY_MIGRATOR_URL=site.migrator,
            GATEWAY_REDIS_URL=redis.url,
        )
        table[f"PostgreSQL and Redis, {MANY}"] = loaded.line(people, Ways(), MANY)
        opa = stack.enter_context(opa_beside(place / "opa-of-the-gateway", people))
        asking = people.with_settings(GATEWAY_OPA_URL=opa)
        for module, name in (("gateway", ""), (FORGETFUL, ", nothing remembered")):
            ways = Ways(module=module)
            table[f"PostgreSQL, Redis and OPA{name}, {MANY}"] = loaded.line(asking, ways, MANY)
    return table


def run(place: Path, seconds: int = 6, rounds: int = ROUNDS) -> dict[str, dict]:
    """Return the table; a worker for each core, in turn with nginx and OPA."""
    people = peopled(place)
    with (
        at_source(place, people.numbers) as source,
        gated(place / "beside", people, source) as gate,
    ):
        loaded = Loaded(place, source, gate, seconds, rounds)
        table = on_sqlite(loaded, people) | on_servers(loaded)
    return {f"Under full load, {CORES} workers, in turn with nginx and OPA": table}
