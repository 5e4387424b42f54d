"""Turns: few requests work at once, since more only take the interpreter from each other.

Every statement and every signature lets go of the interpreter's lock; with 32 threads after it, a
request changed hands a hundred times. Who waits for the sign-in provider or for the ledger has no
turn. Exchanges need none, and no thread (`gateway.load.fibres`): whatever other requests wait for
keeps no exchange waiting.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from queue import SimpleQueue

import pycurl

from kernel.waits import Made, Perform, polled

AT_ONCE = 8
"""Requests that work; a question to PostgreSQL or Redis is part of the work."""


class _Own(threading.local):
    """Whether this thread has a turn."""

    turn = False


class Turns:
    """So many may work; who waits lets somebody else work meanwhile."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        """Let so many work at once."""
        self._most = at_once
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(at_once):
            self._free.put(None)
        self._own = _Own()

    @property
    def taken(self) -> int:
        """Return how many work now."""
        return self._most - self._free.qsize()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Wait for a turn, and keep it until the end."""
        self._free.get()
        self._own.turn = True
        try:
            yield
        finally:
            self._own.turn = False
            self._free.put(None)

    def aside(self, ask: Callable[[], Made]) -> Made:
        """Return what a question brings; whoever has a turn lets go of it meanwhile, and waits
        for another at the end."""
        if not self._own.turn:
            return ask()
        self._free.put(None)
        try:
            return ask()
        finally:
            self._free.get()

    def parked(self) -> None:
        """Return None: whoever has a turn has a thread."""
        return

    def ready(self, descriptor: int, events: int, seconds: float) -> int:
        """Return for which of the events a descriptor is ready, 0 after so many seconds; the turn
        is kept, since a question to a server of ours takes less than another turn."""
        return polled(descriptor, events, seconds)

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
