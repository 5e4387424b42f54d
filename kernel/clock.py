"""Clock: the one module that reads the time; everybody else is handed a clock or a moment."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, NewType, Protocol

Micros = NewType("Micros", int)
"""Microseconds since the Unix epoch, UTC: the unit of every instant inside the gateway."""
SECOND = 1_000_000


class Clock(Protocol):
    """Tells the wall time, and a monotonic time for deadlines."""

    def now(self) -> Micros:
        """Return the wall time."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Micros:
        """Return the wall time."""
        return Micros(time.time_ns() // 1_000)

    def monotonic(self) -> float:
        """Return seconds that never run back."""
        return time.monotonic()


class Deadline(NamedTuple):
    """A point of the monotonic clock after which nobody waits any more."""

    at: float
    clock: Clock

    @classmethod
    def within(cls, seconds: float, clock: Clock) -> "Deadline":
        """Return the deadline that lies so many seconds ahead."""
        return cls(clock.monotonic() + seconds, clock)

    def left(self) -> float:
        """Return the seconds that remain, never below zero."""
        return max(0.0, self.at - self.clock.monotonic())


def rfc3339(at: Micros) -> str:
    """Return the instant as RFC 3339 text in UTC with six digits of a second."""
    return f"{_second(at // SECOND)}.{at % SECOND:06d}Z"


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    """Return the part of the text that is the same for a whole second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
