"""Sessions in Redis: the port for several hosts, in rows that name nobody.

A row is named by a digest of the cookie, its payload is sealed under a key that only the cookie
yields, and what finds it again is a keyed digest. A row counts only in the memory in which it was
begun: what an old file or a replica that lagged brings back was perhaps ended since.
"""

from identity.model import Realm, Session, SignedIn
from identity.sessions import AT_MOST, IDLE, PER_PERSON, Labels, Secret
from kernel.bootfile import unavailable
from kernel.chance import Chance
from kernel.clock import SECOND, Clock
from kernel.redis_link import Script
from kernel.redis_store import RedisStore, remembering

_ALL = b"causeway:sessions"
_FULL = -1
_TIDIED = 500
# KEYS: 2 every session by the second of its end, 3 the rows' prefix. Rows end by two clocks,
# Redis's and that of the host that asks, with the first of them.
_ROWS = (
    """
local memory = ARGV[1] .. ':' .. birth
local function drop(id)
  local row = redis.call('HMGET', KEYS[3] .. id, 'sub', 'sid')
  redis.call('DEL', KEYS[3] .. id)
  redis.call('ZREM', KEYS[2], id)
  for _, index in ipairs({row[1], row[2]}) do
    if index and index ~= '' then redis.call('ZREM', KEYS[3] .. index, id) end
  end
end
local function living(id, wall)
  local row = redis.call('HMGET', KEYS[3] .. id,
    'memory', 'idle', 'ends', 'wall_idle', 'wall_ends', 'realm', 'sealed')
  if not row[1] then return nil end
  if row[1] ~= memory
    or now >= math.min(tonumber(row[2]), tonumber(row[3]))
    or wall >= math.min(tonumber(row[4]), tonumber(row[5]))
  then
    drop(id)
    return nil
  end
  return row
end
"""
    f"local IDLE, AT_MOST, PER_PERSON, TIDIED = {IDLE}, {AT_MOST}, {PER_PERSON}, {_TIDIED}\n"
)


def _script(text: str) -> Script:
    return remembering(_ROWS + text)


_FIND = _script("""
local id, wall = ARGV[2], tonumber(ARGV[3])
local row = living(id, wall)
if not row or row[6] ~= ARGV[4] then return false end
redis.call('HSET', KEYS[3] .. id, 'idle', now + IDLE, 'wall_idle', wall + IDLE)
redis.call('ZADD', KEYS[2], math.min(now + IDLE, tonumber(row[3])), id)
return row[7]
""")
_END = _script("""
local row = living(ARGV[2], tonumber(ARGV[3]))
if row and row[6] == ARGV[4] then drop(ARGV[2]) end
return 1
""")
_END_ALL = _script("""
local ended = 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[3] .. ARGV[2], 0, -1)) do
  if living(id, tonumber(ARGV[3])) then
    drop(id)
    ended = ended + 1
  end
end
redis.call('DEL', KEYS[3] .. ARGV[2])
return ended
""")
_START = _script(f"""
local id, wall, old, sub, sid = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
if old ~= '' then drop(old) end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, TIDIED)) do
  drop(gone)
end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[7]) then return {_FULL} end
redis.call('HSET', KEYS[3] .. id, 'memory', memory, 'realm', ARGV[8], 'sealed', ARGV[9],
  'sub', sub, 'sid', sid, 'idle', now + IDLE, 'ends', now + AT_MOST,
  'wall_idle', wall + IDLE, 'wall_ends', wall + AT_MOST)
redis.call('EXPIREAT', KEYS[3] .. id, now + AT_MOST)
redis.call('ZADD', KEYS[2], now + IDLE, id)
for _, index in ipairs({{sub, sid}}) do
  if index ~= '' then
    for _, one in ipairs(redis.call('ZRANGE', KEYS[3] .. index, 0, -1)) do
      if redis.call('EXISTS', KEYS[3] .. one) == 0 then
        redis.call('ZREM', KEYS[3] .. index, one)
      end
    end
    local last = redis.call('ZRANGE', KEYS[3] .. index, -1, -1, 'WITHSCORES')
    redis.call('ZADD', KEYS[3] .. index, tonumber(last[2] or 0) + 1, id)
    redis.call('EXPIREAT', KEYS[3] .. index, now + AT_MOST)
  end
end
local many = redis.call('ZCARD', KEYS[3] .. sub) - PER_PERSON
for _, oldest in ipairs(redis.call('ZRANGE', KEYS[3] .. sub, 0, many - 1)) do
  if many > 0 then drop(oldest) end
end
return 1
""")
_KEYS = (_ALL, b"causeway:session:")


class RedisSessions:
    """The port `identity.sessions.Sessions` in a Redis that all hosts share."""

    def __init__(
        self, store: RedisStore, root: bytes, clock: Clock, chance: Chance, cap: int = 100_000
    ) -> None:
        """Keep the store, and the root secret under which rows are found again."""
        self._store = store
        self._labels = Labels(root)
        self._clock = clock
        self._chance = chance
        self._cap = cap

    def begin(self, who: SignedIn, old: str = "") -> str:
        """Start a session in place of the one of an old cookie, where there is one, and return
        the new cookie's value, which is kept nowhere."""
        secret, before = Secret.fresh(self._chance), Secret.of(old)
        sid = self._labels.sid(who.issuer, who.sid)
        told = self._store.run(
            _START,
            _KEYS,
            _name(secret),
            self._wall(),
            _name(before) if before is not None else b"",
            _index(self._labels.sub(who.issuer, who.sub)),
            _index(sid) if sid is not None else b"",
            self._cap,
            who.realm.value,
            secret.seal(who, self._chance),
        )
        if told == _FULL:
            raise unavailable(f"holds its {self._cap} sessions")
        return secret.cookie

    def find(self, realm: Realm, cookie: str) -> Session | None:
        """Return the session of a cookie of this realm and push its idle end back, or None."""
        secret = Secret.of(cookie)
        if secret is None:
            return None
        sealed = self._store.run(_FIND, _KEYS, _name(secret), self._wall(), realm.value)
        if not isinstance(sealed, bytes):
            return None
        who = secret.open(sealed, realm)
        return Session(who, secret.csrf) if who is not None else None

    def end(self, realm: Realm, cookie: str) -> None:
        """End the session of the cookie, where there is one."""
        secret = Secret.of(cookie)
        if secret is not None:
            self._store.run(_END, _KEYS, _name(secret), self._wall(), realm.value)

    def end_all(self, issuer: str, sub: str | None, sid: str | None) -> int:
        """End what the provider's session `sid` began, or without one everything of `sub`, and
        return how many sessions that were (OIDC Back-Channel Logout §2.7)."""
        label = self._labels.sid(issuer, sid)
        if label is None:
            if sub is None:
                return 0
            label = self._labels.sub(issuer, sub)
        return int(self._store.run(_END_ALL, _KEYS, _index(label), self._wall()))

    def _wall(self) -> int:
        return self._clock.now() // SECOND


def _name(secret: Secret) -> bytes:
    return b"s:" + secret.id


def _index(label: bytes) -> bytes:
    return b"i:" + label
