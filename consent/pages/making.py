"""Making: each person has at most one file in the making, so that nobody fills the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from kernel.names import SubjectRef


class Busy(Exception):
    """A file of this person is in the making."""


class Making:
    """Knows whose file is in the making in this process."""

    def __init__(self) -> None:
        """Begin with nobody's."""
        self._lock = Lock()
        self._people: set[SubjectRef] = set()

    @contextmanager
    def one(self, ref: SubjectRef) -> Iterator[None]:
        """Hold the person's turn until the end, or raise `Busy`."""
        with self._lock:
            if ref in self._people:
                raise Busy
            self._people.add(ref)
        try:
            yield
        finally:
            with self._lock:
                self._people.remove(ref)
