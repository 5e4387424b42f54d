"""Turns: few requests work at once, since more only take the interpreter from each other.

Every statement and every signature lets go of the interpreter's lock; with 32 threads after it, an
exchange changed hands a hundred times. Who waits for a source or for the ledger has no turn, so
that few turns keep nobody waiting, and many entries share a batch. Other requests may wait for more
than that, as for the sign-in provider: they have turns of their own, and keep no exchange waiting.
Exchanges have no threads at all where everything is in this process (`gateway.fibres`).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import Enum, auto
from queue import SimpleQueue

import pycurl

from kernel.waits import Made, Perform

EXCHANGES = 8
"""Questions in between go to PostgreSQL, Redis or OPA, and a turn is held meanwhile."""
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

    def __init__(self, exchanges: int = EXCHANGES, others: int = OTHERS) -> None:
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

    def aside(self, ask: Callable[[], Made]) -> Made:
        """Return what a question brings; whoever has a turn lets go of it meanwhile, and waits
        for another at the end."""
        free = self._own.free
        if free is None:
            return ask()
        free.put(None)
        try:
            return ask()
        finally:
            free.get()

    def parked(self) -> None:
        """Return None: whoever has a turn has a thread."""
        return

    def performing(self) -> Perform:
        """Return libcurl's own way, without a turn meanwhile."""
        return _Aside(self)

    def alone(self) -> AbstractContextManager[None]:
        """Return what does nothing: threads are too many to be told."""
        return nullcontext()


class _Aside:
    """Implements `kernel.waits.Perform` for threads that have turns."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def __call__(self, handle: pycurl.Curl, /) -> None:
        self._turns.aside(handle.perform)

    def close(self) -> None:
        """Do nothing: each handle keeps its own connection."""


def _turns(count: int) -> SimpleQueue[None]:
    free: SimpleQueue[None] = SimpleQueue()
    for _ in range(count):
        free.put(None)
    return free
