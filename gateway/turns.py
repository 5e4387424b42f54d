"""Turns: few requests work at once, since more only take the interpreter from each other.

Every statement and every signature lets go of the interpreter's lock; with 32 threads after it, an
exchange changed hands a hundred times. Who waits for a source or for the ledger has no turn, so
that few turns keep nobody waiting, and many entries share a batch. Other requests may wait for more
than that, as for the sign-in provider: they have turns of their own, and keep no exchange waiting.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from queue import SimpleQueue

AT_ONCE = 2
"""Exchanges, where everything is in this process: one works, and one more while it waits for the
disk."""
WITH_SERVERS = 8
"""Exchanges, where questions in between go to PostgreSQL, Redis or OPA, and a turn is held
meanwhile."""
OTHERS = 8


class Lane(Enum):
    """Whose turns they are."""

    EXCHANGES = auto()
    OTHERS = auto()


class _Own(threading.local):
    """What this thread holds a turn of."""

    free: SimpleQueue[None] | None = None


class Turns:
    """So many may work; who waits lets somebody else work meanwhile."""

    def __init__(self, exchanges: int = AT_ONCE, others: int = OTHERS) -> None:
        """Let so many work at once."""
        self._free = {Lane.EXCHANGES: _turns(exchanges), Lane.OTHERS: _turns(others)}
        self._own = _Own()
        self._most = exchanges + others

    @property
    def taken(self) -> int:
        """Return how many work now."""
        return self._most - sum(free.qsize() for free in self._free.values())

    @contextmanager
    def working(self, lane: Lane = Lane.OTHERS) -> Iterator[None]:
        """Wait for a turn, and keep it until the end."""
        free = self._free[lane]
        free.get()
        self._own.free = free
        try:
            yield
        finally:
            self._own.free = None
            free.put(None)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let go of one's turn, and wait for another at the end; nothing where one has none."""
        free = self._own.free
        if free is None:
            yield
            return
        free.put(None)
        try:
            yield
        finally:
            free.get()


def _turns(count: int) -> SimpleQueue[None]:
    free: SimpleQueue[None] = SimpleQueue()
    for _ in range(count):
        free.put(None)
    return free
