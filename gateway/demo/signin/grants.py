"""Grants: the codes that were given out, and who is signed in here; all of it in memory."""

import threading
from dataclasses import dataclass, field
from typing import TypeVar

from identity.model import Level
from kernel.chance import Chance
from kernel.clock import SECOND, Clock

CODE_LIFE = 60
_CAP = 10_000
_Kept = TypeVar("_Kept")


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """An authorization request that is in order."""

    client_id: str
    redirect_uri: str
    state: str
    nonce: str
    challenge: str


@dataclass(frozen=True, slots=True, repr=False)
class Present:
    """Somebody who is signed in here, with the clients that were told."""

    sid: str
    person: str
    level: Level
    auth_time: int
    clients: frozenset[str] = frozenset()


@dataclass(slots=True, repr=False)
class _Code:
    asked: Asked
    present: Present
    until: int
    redeemed: bool = False


@dataclass(slots=True, repr=False)
class Grants:
    """Codes, sessions and used assertions; threads share them."""

    clock: Clock
    chance: Chance
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _codes: dict[str, _Code] = field(default_factory=dict)
    _present: dict[str, Present] = field(default_factory=dict)
    _used: dict[str, int] = field(default_factory=dict)

    def present(self, cookie: str) -> Present | None:
        """Return who is signed in with this cookie."""
        with self._lock:
            return self._present.get(cookie)

    def sign_in(self, cookie: str, person: str, level: Level, asked: Asked) -> tuple[str, str]:
        """Return the browser's cookie and a code for the client: the same session for the same
        person, another for another."""
        with self._lock:
            old = self._present.get(cookie)
            known = old is not None and old.person == person
            if not known:
                cookie = self.chance.bits(32).hex()
            sid = old.sid if old is not None and known else self.chance.identifier("sid")
            told = (old.clients if old is not None and known else frozenset()) | {asked.client_id}
            present = Present(sid, person, level, self._now(), told)
            _put(self._present, cookie, present)
            code = self.chance.bits(32).hex()
            _put(self._codes, code, _Code(asked, present, self._now() + CODE_LIFE))
            return cookie, code

    def redeem(self, code: str, client_id: str) -> tuple[Asked, Present] | Present | None:
        """Return what a code stands for, once and to its own client; when it was used before, the
        session that it began, which ends now; else None (RFC 6749 §4.1.2)."""
        with self._lock:
            found = self._codes.get(code)
            if found is None or found.asked.client_id != client_id:
                return None
            if found.redeemed:
                self._forget(found.present.sid)
                return found.present
            found.redeemed = True
            return None if self._now() >= found.until else (found.asked, found.present)

    def sign_out(self, cookie: str) -> Present | None:
        """End the session of a cookie and return whose it was."""
        with self._lock:
            return self._present.pop(cookie, None)

    def once(self, jti: str, until: int) -> bool:
        """Return True to the first who shows this `jti`."""
        with self._lock:
            if jti in self._used:
                return False
            _put(self._used, jti, until)
            return True

    def _forget(self, sid: str) -> None:
        for cookie in [name for name, one in self._present.items() if one.sid == sid]:
            del self._present[cookie]

    def _now(self) -> int:
        return self.clock.now() // SECOND


def _put(kept: dict[str, _Kept], name: str, value: _Kept) -> None:
    """Keep the latest ones: for trying out that is enough."""
    kept[name] = value
    while len(kept) > _CAP:
        del kept[next(iter(kept))]
