"""Redis store: scripts run in Redis, each atomic, once, within a deadline, or `state.unavailable`.

Every script begins with what Redis remembers. A marker holds the run and the replication history
in which it was set, and the second of its birth. Where it is missing, names another run or
another history, or where Redis's clock ran back, memory may have been lost (a restart from an old
file, a failover to a replica that lagged, a flush): it is set anew, and the birth with it.
"""

import ssl
from contextlib import ExitStack
from typing import Any

from redis.exceptions import RedisError

from kernel.bootfile import unavailable
from kernel.clock import SECOND, Clock, Deadline
from kernel.errors import Refusal
from kernel.pool import Pool
from kernel.redis_address import RedisAddress
from kernel.redis_link import Argument, Host, Link, Script, Unfit, Ways
from kernel.waits import OwnThread, Waits

MOST = 64
"""Connections of a process. A question takes less than a millisecond, but exchanges wait for their
turn with the answer."""
WITHIN = 1.0
"""Seconds that one operation may take, with the connecting that it may need."""
SKEW = 2
"""Seconds by which Redis's clock and ours may differ."""
MARKER = b"causeway:memory"
_MEMORY = """
local now = tonumber(redis.call('TIME')[1])
local function history()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or '?'
end
local held = redis.call('HMGET', KEYS[1], 'run', 'history', 'birth', 'latest')
local birth, latest = tonumber(held[3] or ''), tonumber(held[4] or '')
local lost = held[1] ~= ARGV[1] or not birth or not latest or now < latest - 2
if not lost and now > latest then
  lost = held[2] ~= history()
  if not lost then redis.call('HSET', KEYS[1], 'latest', now) end
end
if lost then
  birth = now + 1
  redis.call('HSET', KEYS[1], 'run', ARGV[1], 'history', history(), 'birth', birth, 'latest', now)
end
"""
_FIRST = """
if redis.call('EXISTS', KEYS[1]) == 0 then
  local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)') or '?'
  redis.call('HSET', KEYS[1], 'run', ARGV[1], 'history', history, 'birth', 0,
    'latest', redis.call('TIME')[1])
end
return 1
"""


def remembering(text: str) -> Script:
    """Return a script that knows `now` and `birth`, in Redis's seconds; its own keys begin with
    `KEYS[2]`, its own arguments with `ARGV[2]`."""
    return Script.of(_MEMORY + text)


_FIRST_SCRIPT, _PING = (
    Script.of(_FIRST),
    remembering("""
redis.call('HSET', KEYS[1], 'latest', now)
return now
"""),
)


class _Kept:
    """Room for a connection that stays open between two questions."""

    __slots__ = ("link",)

    def __init__(self) -> None:
        self.link: Link | None = None

    def close(self) -> None:
        if self.link is not None:
            self.link.close()
            self.link = None


class RedisStore:
    """One Redis, over a few connections that all callers share."""

    def __init__(
        self,
        address: RedisAddress,
        clock: Clock,
        within: float = WITHIN,
        waits: Waits | None = None,
    ) -> None:
        """Keep the address, and how callers wait; the first question connects."""
        self._address = address
        self._clock = clock
        self._within = within
        self._waits = waits or OwnThread()
        self._kept = Pool(_Kept, MOST, self._waits)
        tls = ssl.create_default_context(cafile=address.authority) if address.tls else None
        self._ways = Ways(tls, self._waits)

    def run(self, script: Script, keys: tuple[bytes, ...], *arguments: Argument) -> Any:
        """Return the answer of a script, after its marker and the run that it compares; raise
        `state.unavailable` where nobody can say whether it ran."""
        deadline = Deadline.within(self._within, self._clock)
        try:
            with self._kept.lent(deadline) as kept, ExitStack() as unanswered:
                unanswered.callback(kept.close)  # what is left of an answer is nobody's
                link = self._link(kept, deadline)
                answer = link.evaluate(script, (MARKER, *keys), (link.run, *arguments))
                unanswered.pop_all()
        except Unfit as unfit:
            raise unavailable(str(unfit)) from unfit
        except (RedisError, OSError, ValueError, TypeError) as error:
            self.close()  # what broke one has most likely broken all
            raise unavailable("does not answer") from error
        return answer

    def begin_at_first(self) -> None:
        """Let a store without a marker be born at the beginning of time: for the very first start
        of a gateway, before which nobody can have used anything."""
        self.run(_FIRST_SCRIPT, ())

    def fault(self) -> str | None:
        """Return what keeps Redis from serving, in plain words, or None."""
        try:
            seconds = self.run(_PING, ())
        except Refusal as refusal:
            return refusal.detail
        off = abs(int(seconds) - self._clock.now() // SECOND)
        return f"Its clock and ours are {off} seconds apart." if off > SKEW else None

    def close(self) -> None:
        """Let go of every connection that nobody uses."""
        for kept in self._kept.free():
            kept.close()

    def _link(self, kept: _Kept, deadline: Deadline) -> Link:
        """Return a connection that is up; one whose end is there already is not asked."""
        link = kept.link
        if link is None or not link.quiet():
            kept.close()
            link = kept.link = self._waits.aside(lambda: self._fresh(deadline))
        link.wait(deadline)
        return link

    def _fresh(self, deadline: Deadline) -> Link:
        address = self._address
        host = address.hosts[0] if address.service is None else self._master(deadline)
        with ExitStack() as stack:
            link = Link(host, address.login, deadline, self._ways)
            stack.callback(link.close)
            link.enter(address.database, replicated=address.service is not None)
            stack.pop_all()
        return link

    def _master(self, deadline: Deadline) -> Host:
        """Return where the first Sentinel that knows says that the master is; each gets an equal
        part of the time that is left, and what is left then is for the master."""
        address = self._address
        for n, host in enumerate(address.hosts):
            share = deadline.left() / (len(address.hosts) - n + 1)
            try:
                patience = Deadline.within(share, self._clock)
                sentinel = Link(host, address.sentinel_login, patience, self._ways)
                try:
                    master = sentinel.master(address.service or "")
                finally:
                    sentinel.close()
            except (RedisError, OSError):
                continue
            if master is not None:
                return master
        raise Unfit("has no Sentinel that knows its master")
