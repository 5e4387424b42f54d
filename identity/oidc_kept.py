"""Kept: something that was fetched, believed for a while, and never asked for too often."""

import threading
from collections.abc import Callable
from math import inf
from typing import Generic, TypeVar

from identity.oidc_model import unreachable
from kernel.clock import Clock
from kernel.errors import Refusal

KEEP = 300.0
"""Seconds that what was fetched is believed."""
NOT_BEFORE = 60.0
"""Seconds before it is fetched again because somebody showed us something newer."""
AFTER_FAILURE = 5.0
"""Seconds before the next try when one failed: meanwhile everybody is told at once."""

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """One value; threads share it, and one of them fetches while the others wait for it."""

    def __init__(self, read: Callable[[], Value], clock: Clock) -> None:
        """Keep the way to fetch it, which raises `signin.unavailable`; nothing is fetched yet."""
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._value: Value | None = None
        self._read_at = -inf
        self._tried_at = -inf

    def get(self, *, newer: bool = False) -> Value:
        """Return the value, or raise `signin.unavailable`; `newer` asks for a fresh one where the
        last look is a minute ago, and takes the old one otherwise."""
        with self._lock:
            now = self._clock.monotonic()
            value = self._value if now - self._read_at < KEEP else None
            pause = AFTER_FAILURE if value is None else NOT_BEFORE
            if value is not None and (not newer or now - self._tried_at < pause):
                return value
            if now - self._tried_at < pause and self._tried_at > self._read_at:
                raise unreachable("The sign-in service did not answer a moment ago.")
            self._tried_at = now
            try:
                self._value = self._read()
            except Refusal:
                self._tried_at = self._clock.monotonic()
                if value is None:
                    raise
                return value
            self._read_at = self._tried_at = now
            return self._value
