"""Short-lived state: what was used, who is signed in, how much was asked; on this machine or in
Redis."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from gateway.load.rates import Rates
from gateway.load.rates_embedded import EmbeddedRates
from gateway.rooms import Rooms
from identity.replay import EmbeddedReplay, Replay
from identity.sessions import Sessions
from identity.sessions_embedded import EmbeddedSessions, SessionFile
from kernel.errors import Refusal
from kernel.keyvalue import KeyValue, boot_id
from kernel.redis_address import RedisAddress
from kernel.waits import Waits

MOST_ATTEMPTS = 200_000
"""Sign-ins in ten minutes, at one host; anybody can begin one."""


@dataclass(frozen=True, slots=True)
class ShortLived:
    """The ports of short-lived state, and what keeps them from serving."""

    replay: Replay
    """What agencies used."""
    attempts: Replay
    """What sign-ins used: of its own, so that a flood of them never stands in an agency's way."""
    sessions: Sessions
    rates: Rates
    fault: Callable[[], str | None]


def short_lived(rooms: Rooms, waits: Waits | None = None) -> ShortLived:
    """Return the stores that the settings name; those of this machine need no server, and callers
    wait for Redis as `waits` says."""
    redis = rooms.settings.redis
    return _on_this_machine(rooms) if redis is None else _in_redis(rooms, redis, waits)


def _on_this_machine(rooms: Rooms) -> ShortLived:
    state, clock, boot = rooms.settings.state_dir, rooms.clock, boot_id()
    used = KeyValue.open(state / "short-lived", clock, boot, rooms.keys.first_use)
    # The directory of keys answers once: what nobody used before, nobody signed in with either.
    attempts = KeyValue.open(
        state / "sign-ins", clock, boot, lambda: used.birth == 0, MOST_ATTEMPTS
    )
    file = SessionFile.open(state / "sessions", clock, boot)
    return ShortLived(
        EmbeddedReplay(used),
        EmbeddedReplay(attempts),
        EmbeddedSessions(file, rooms.keys.pseudonym.value, clock, rooms.chance),
        EmbeddedRates(state / "rates", boot, clock),
        lambda: None,
    )


def _in_redis(rooms: Rooms, address: RedisAddress, waits: Waits | None) -> ShortLived:
    # Who has no Redis needs nothing of its driver, which takes its time to import.
    from gateway.load.rates_redis import RedisRates  # noqa: PLC0415 - brings the driver
    from identity.replay_redis import RedisReplay  # noqa: PLC0415 - brings the driver
    from identity.sessions_redis import RedisSessions  # noqa: PLC0415 - brings the driver
    from kernel.redis_store import RedisStore  # noqa: PLC0415 - brings the driver

    store = RedisStore(address, rooms.clock, waits=waits)
    # Told once, whether Redis hears it or not: what is first now is not first at another start.
    # A Redis that is not there yet keeps nobody from starting; it is born when it answers.
    if rooms.keys.first_use():
        with suppress(Refusal):
            store.begin_at_first()
    replay = RedisReplay(store, rooms.clock)
    return ShortLived(
        replay,
        replay,
        RedisSessions(store, rooms.keys.pseudonym.value, rooms.clock, rooms.chance),
        RedisRates(store),
        store.fault,
    )
