"""Rates in Redis: buckets that all hosts share; a memory that was lost only fills them again."""

import hashlib

from gateway.load.rates import Bucket, Empty
from kernel.bootfile import unavailable
from kernel.redis_link import Script
from kernel.redis_store import RedisStore

_MICROS = 1_000_000
# Each key holds the microsecond at which its bucket is full again; ARGV has, for each key from
# the second on, what one request takes and how much the bucket holds.
_TAKE = Script.of("""
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local taken = {}
for i = 2, #KEYS do
  local step, window = tonumber(ARGV[2 * i - 2]), tonumber(ARGV[2 * i - 1])
  local full = tonumber(redis.call('GET', KEYS[i]) or '0')
  full = math.min(math.max(full, now), now + window) + step
  if full - now > window + 1 then return {i - 2, math.ceil(full - now - window)} end
  taken[i] = full
end
for i = 2, #KEYS do
  local keep = math.ceil((taken[i] - now) / 1000) + 1
  redis.call('SET', KEYS[i], string.format('%.0f', taken[i]), 'PX', keep)
end
return {-1, 0}
""")


class RedisRates:
    """The port `gateway.load.rates.Rates` in a Redis that all hosts share."""

    def __init__(self, store: RedisStore) -> None:
        """Keep the store."""
        self._store = store

    def take(self, *buckets: Bucket) -> Empty | None:
        """Take one from each bucket and return None, or from none of them and return the first
        that is empty; raise `Refusal` with `state.unavailable` when nobody can know."""
        arguments: list[float] = []
        for bucket in buckets:
            window = bucket.limit.seconds * _MICROS
            arguments += (window / bucket.limit.count, window)
        match self._store.run(_TAKE, tuple(map(_key, buckets)), *arguments):
            case [-1, 0]:
                return None
            case [int(place), int(micros)] if 0 <= place < len(buckets):
                return Empty(buckets[place], micros / _MICROS)
        raise unavailable("answers what nobody asked")


def _key(bucket: Bucket) -> bytes:
    digest = hashlib.blake2b("\0".join(bucket.name).encode(), digest_size=16).digest()
    return b"causeway:rate:" + digest
