"""Turns: few requests work at once, since more only take the interpreter from each other.

Every statement and every signature lets go of the interpreter's lock; with 32 threads after it, an
exchange changed hands a hundred times. Who waits for a source or for the ledger has no turn, so
that few turns keep nobody waiting, and many entries share a batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

AT_ONCE = 2
"""Where everything is in this process: one works, and one more while it waits for the disk."""
WITH_SERVERS = 8
"""Where questions in between go to Redis or OPA, and a turn is held while they answer."""


class Turns:
    """So many may work; who waits lets somebody else work meanwhile."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        """Let so many work at once."""
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(at_once):
            self._free.put(None)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Wait for a turn, and keep it until the end."""
        self._free.get()
        try:
            yield
        finally:
            self._free.put(None)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let go of one's turn, and wait for another at the end."""
        self._free.put(None)
        try:
            yield
        finally:
            self._free.get()
