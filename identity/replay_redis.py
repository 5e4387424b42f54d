"""Replay in Redis: the port for several hosts; a memory that was lost lets nothing old pass."""

import hashlib

from identity.replay import AHEAD, TOLERANCE, forgotten
from kernel.bootfile import unavailable
from kernel.canonical import canonical
from kernel.clock import SECOND, Clock
from kernel.redis_store import RedisStore, remembering

_GRACE = 10
_FORGOTTEN, _SKEWED = -1, -2
# What has run out was claimed by somebody or by nobody: it is never new again.
_CLAIM = remembering(
    f"""
local ours, made_at, expires = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if math.abs(now - ours) > {TOLERANCE} then return {_SKEWED} end
if birth > 0 and made_at < birth + {AHEAD + TOLERANCE} then return {_FORGOTTEN} end
if expires + {_GRACE} <= now then return 0 end
if redis.call('SET', KEYS[2], '', 'NX', 'EXAT', expires + {_GRACE}) then return 1 end
return 0
"""
)


class RedisReplay:
    """The port `identity.replay.Replay` in a Redis that all hosts share."""

    def __init__(self, store: RedisStore, clock: Clock) -> None:
        """Keep the store, and the clock that it is compared with."""
        self._store = store
        self._clock = clock

    def claim(self, audience: str, key: str, jti: str, made_at: int, until: int) -> bool:
        """Return True to exactly one caller per audience, key and `jti` until that second, False
        to all others; raise `Refusal` with `state.unavailable` when nobody can know."""
        digest = hashlib.sha256(canonical([audience, key, jti])).digest()
        now = self._clock.now() // SECOND
        told = self._store.run(_CLAIM, (b"causeway:used:" + digest,), now, made_at, until)
        if told == _FORGOTTEN:
            raise forgotten()
        if told not in {0, 1}:
            raise unavailable("and this host disagree about the time")
        return bool(told)
