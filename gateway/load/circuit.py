"""Circuit: a source that keeps failing is left alone for a while, then asked once to see.

Each worker finds out for itself: five failures are few beside what it costs to ask others first.
"""

import threading
from enum import StrEnum

from kernel.clock import Clock

FAILURES = 5
"""Failures in a row after which nobody asks any more."""
SHORTEST, LONGEST = 1.0, 10.0
"""Seconds that nobody asks: at first, and at most, doubled with each try that fails."""


class State(StrEnum):
    """Whether a source is asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Circuit:
    """The circuit breaker of one source, in one process."""

    def __init__(self, clock: Clock) -> None:
        """Begin closed: current flows, and the source is asked."""
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = 0.0
        self._until = 0.0
        self._trying = False

    @property
    def state(self) -> State:
        """Return whether the source is asked, is not, or would be to see."""
        with self._lock:
            if self._pause == 0:
                return State.CLOSED
            waits = not self._trying and self._clock.monotonic() < self._until
            return State.OPEN if waits else State.HALF_OPEN

    def admits(self) -> State:
        """Return `closed` where a request may go to the source, `half-open` where it goes to see,
        alone, and `open` where it must not. Whoever was let through says how it went."""
        with self._lock:
            if self._pause == 0:
                return State.CLOSED
            if self._trying or self._clock.monotonic() < self._until:
                return State.OPEN
            self._trying = True
            return State.HALF_OPEN

    def succeeded(self) -> None:
        """Note that the source answered: it is asked again."""
        with self._lock:
            self._failures, self._pause, self._trying = 0, 0.0, False

    def failed(self, admitted: State) -> None:
        """Note that the source did not answer somebody who was admitted so."""
        with self._lock:
            self._failures += 1
            if admitted is State.HALF_OPEN:
                self._trying = False
                self._open(min(max(2 * self._pause, SHORTEST), LONGEST))
            elif self._pause == 0 and self._failures >= FAILURES:
                self._open(SHORTEST)

    def not_told(self, admitted: State) -> None:
        """Note that nobody learned how it went with somebody who was admitted so: the next one
        who comes may go to see."""
        with self._lock:
            if admitted is State.HALF_OPEN:
                self._trying = False

    def seconds(self) -> float:
        """Return for how long nobody asks."""
        with self._lock:
            return max(0.0, self._until - self._clock.monotonic())

    def _open(self, pause: float) -> None:
        self._pause = pause
        self._until = self._clock.monotonic() + pause
