"""Replay: each proof and each assertion counts once, and never when we cannot know (RFC 9449).

A store that is born now cannot remember what was claimed before. What a client made before the
birth, or dated up to the tolerances ahead of it, is therefore refused with `state.unavailable`,
so a reboot costs about twelve seconds of refusals. At the very first start there was nobody who
could have accepted anything: the directory of keys says so exactly once (`KeyRing.first_use`), the
store's birth is then the beginning of time, and the first proofs pass at once.
"""

import hashlib
from typing import Protocol

from kernel.canonical import canonical
from kernel.errors import Reason, Refusal
from kernel.keyvalue import KeyValue

AHEAD = 10
"""Seconds by which a client's clock may run ahead of ours."""
TOLERANCE = 2
"""Seconds by which the clocks of our own workers may differ."""


class Replay(Protocol):
    """Remembers what was used; instants are seconds since the epoch."""

    def claim(self, audience: str, key: str, jti: str, made_at: int, until: int) -> bool:
        """Return True to exactly one caller per audience, key and `jti` until that second, False
        to all others; raise `Refusal` with `state.unavailable` when nobody can know."""
        ...


class EmbeddedReplay:
    """The port on a SQLite file of its own, for one machine."""

    def __init__(self, store: KeyValue) -> None:
        """Keep the store, whose birth bounds what may be claimed in it."""
        self._store = store

    def claim(self, audience: str, key: str, jti: str, made_at: int, until: int) -> bool:
        """Return True to exactly one caller per audience, key and `jti` until that second, False
        to all others; raise `Refusal` with `state.unavailable` when nobody can know."""
        birth = self._store.birth
        if birth and made_at < birth + AHEAD + TOLERANCE:
            raise forgotten()
        digest = hashlib.sha256(canonical([audience, key, jti])).digest()
        return self._store.insert(digest, until)


def forgotten() -> Refusal:
    """Return the refusal of what a store that was born since may have seen before."""
    return Refusal(
        Reason.STATE_UNAVAILABLE,
        "The gateway has just started without its memory of used proofs: "
        f"make a new one in {AHEAD + TOLERANCE} seconds.",
    )
