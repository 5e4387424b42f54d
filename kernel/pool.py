"""Pool: a few of a thing that many need, each lent to one caller at a time, in the order of asking.

Callers are threads and fibres alike: who finds none free waits as it can, within a deadline, and
whatever becomes of a caller, what was lent to it comes back.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, TypeVar

from kernel.clock import Deadline
from kernel.waits import Parked, Waits, held

_Lent = TypeVar("_Lent")


class _Caller(Generic[_Lent]):
    """Who waits, and then what it was lent."""

    __slots__ = ("lent", "let_go")

    def __init__(self, let_go: "Parked | Lock | None" = None, lent: _Lent | None = None) -> None:
        self.let_go = let_go
        self.lent = lent


class Pool(Generic[_Lent]):
    """Makes at most so many, when they are first needed, and lends the one used last first."""

    def __init__(self, make: Callable[[], _Lent], most: int, waits: Waits) -> None:
        """Take what makes one, which must be quick, how many there may be, and how to wait."""
        self._make = make
        self._waits = waits
        self._to_make = most
        self._free: list[_Lent] = []
        self._line: deque[_Caller[_Lent]] = deque()
        self._lock = Lock()

    @contextmanager
    def lent(self, deadline: Deadline) -> Iterator[_Lent]:
        """Lend one, or raise `TimeoutError` where none comes back in time."""
        caller = self._enter()
        try:
            if caller.let_go is not None:
                caller.let_go.acquire(timeout=deadline.left())
            if caller.lent is None:
                raise TimeoutError("all of a pool are in use")
            yield caller.lent
        finally:
            self._leave(caller)

    def free(self) -> list[_Lent]:
        """Return those that nobody has, which are the caller's from now on."""
        with self._lock:
            free, self._free = self._free, []
            self._to_make += len(free)
        return free

    def _enter(self) -> _Caller[_Lent]:
        with self._lock:
            if self._free:
                return _Caller(lent=self._free.pop())
            if self._to_make:
                self._to_make -= 1
                return _Caller(lent=self._make())
            caller = _Caller[_Lent](held(self._waits.parked()))
            self._line.append(caller)
            return caller

    def _leave(self, caller: _Caller[_Lent]) -> None:
        with self._lock:
            if caller.lent is None:
                self._line.remove(caller)
                return
            if not self._line:
                self._free.append(caller.lent)
                return
            following = self._line.popleft()
            following.lent = caller.lent
        if following.let_go is not None:
            following.let_go.release()
