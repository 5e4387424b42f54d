"""Fibres: exchanges take turns on one thread, and give it away only where they wait.

Each exchange is a greenlet on the server's own thread: plain code that is suspended while its entry
is written, its source answers, or PostgreSQL or Redis does, and goes on where it was. With threads,
an exchange was woken and put to sleep some thirty times, mostly to queue for the interpreter.

Whatever an exchange does without `aside` or `ready` keeps the others waiting: that must be short.
"""

import asyncio
import select
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import copy_context
from time import monotonic
from typing import TypeVar

from greenlet import getcurrent, greenlet

from gateway.load.transfers import Transfers
from kernel.waits import Made, Perform, Waits

_Told = TypeVar("_Told")

AT_ONCE = 256
"""Exchanges that are under way; others wait where they arrived."""
A_FEW = 8
"""Fibres that go on before the loop looks for answers again: else all of them would have asked
their source before the first one took its answer, and a busy source would look like a stuck one."""
LONGEST_REST = 0.02
"""Seconds for which a thread that works for all has the interpreter to itself; the disk, on which
it may be waiting, keeps nobody longer than that."""


class Fibres:
    """Carries calls out as greenlets of one event loop; implements `kernel.waits.Waits` for them,
    and leaves other callers to their threads."""

    def __init__(self, threads: Waits, at_once: int = AT_ONCE) -> None:
        """Take how other callers wait, and how many calls may be under way."""
        self._threads = threads
        self._room = asyncio.Semaphore(at_once)
        self._asking = ThreadPoolExecutor(at_once, "aside")
        self._lock = threading.Lock()
        self._free: list[_Berth] = []
        self._calls: dict[Callable[[], None], None] = {}
        self._rest_until = 0.0
        self.taken = 0
        """How many are under way."""

    async def run(self, call: Callable[..., _Told], *given: object) -> _Told:
        """Return what the call returns, or raise what it raises."""
        async with self._room:
            fibre = _Fibre(call)
            self.taken += 1
            try:
                if self._resting() > 0:
                    await _Berth(self, fibre).rest()
                told = fibre.switch(*given)
                while not fibre.dead:
                    told = fibre.switch(await told)
            finally:
                self.taken -= 1
                if not fibre.dead:  # nobody waits for it any more
                    fibre.throw()
        result: _Told = told
        return result

    def aside(self, ask: Callable[[], Made]) -> Made:
        """Return what a question brings that is asked on another thread meanwhile."""
        berth = self.parked()
        if berth is None:
            return self._threads.aside(ask)
        asked = self._asking.submit(copy_context().run, ask)
        asked.add_done_callback(lambda _: berth.release())
        berth.acquire()
        return asked.result()

    def parked(self) -> "_Berth | None":
        """Return where the fibre at hand waits; None for a caller that is none of ours."""
        fibre = getcurrent()
        return _Berth(self, fibre) if isinstance(fibre, _Fibre) else None

    def ready(self, descriptor: int, events: int, seconds: float) -> int:
        """Return for which of the events a descriptor is ready, 0 after so many seconds; the loop
        watches it meanwhile. Nobody else may wait for the same one."""
        berth = self.parked()
        if berth is None:
            self._end_rest()
            return self._threads.ready(descriptor, events, seconds)
        loop, seen = berth.loop, 0

        def note(event: int) -> None:
            nonlocal seen
            seen |= event
            berth.release_here()

        if events & select.POLLIN:
            loop.add_reader(descriptor, note, select.POLLIN)
        if events & select.POLLOUT:
            loop.add_writer(descriptor, note, select.POLLOUT)
        try:
            berth.acquire(timeout=seconds)
        finally:
            loop.remove_reader(descriptor)
            loop.remove_writer(descriptor)
        return seen

    def performing(self) -> Perform:
        """Return how transfers are carried out on the loop, for fibres."""
        return Transfers(self.parked, self._threads.performing())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let the fibres rest while a thread works for all of them, but only so long, and only
        until it waits for a server: each time that it let go of the interpreter, it would have to
        queue for it again."""
        self._rest_until = monotonic() + LONGEST_REST
        try:
            yield
        finally:
            self._end_rest()

    def _end_rest(self) -> None:
        if self._rest_until:
            self._rest_until = 0.0
            with self._lock:
                waiting = self._free[:1]
            for berth in waiting:
                self._call_wake(berth.loop)

    def let_go(self, berth: "_Berth") -> None:
        """Wake whoever waits there, from any thread; many are woken at the price of one."""
        with self._lock:
            first = not self._free
            self._free.append(berth)
        if first:
            self._call_wake(berth.loop)

    def _call_wake(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # at the end the loop is closed, and nobody waits
            loop.call_soon_threadsafe(self._wake)

    def _resting(self) -> float:
        return self._rest_until - monotonic()

    def _wake(self) -> None:
        if (rest := self._resting()) > 0:
            asyncio.get_running_loop().call_later(rest, self._wake)
            return
        with self._lock:
            free, self._free = self._free[:A_FEW], self._free[A_FEW:]
            more = bool(self._free)
        for berth in free:
            berth.wake()
        if more:
            asyncio.get_running_loop().call_soon(self._wake)

    def afterwards(self, loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
        """Call once, when whoever can go on now has."""
        if call not in self._calls:
            self._calls[call] = None
            loop.call_soon(self._call, call)

    def _call(self, call: Callable[[], None]) -> None:
        del self._calls[call]
        call()


class _Fibre(greenlet):
    """A call that can be suspended; what it hands to whoever made it is awaited there."""

    def __init__(self, call: Callable[..., object]) -> None:
        super().__init__(call)
        self.maker = getcurrent()


class _Berth:
    """Implements `kernel.waits.Parked` for one fibre."""

    __slots__ = ("_fibre", "_fibres", "_free", "_woken", "loop")

    def __init__(self, fibres: Fibres, fibre: _Fibre) -> None:
        self._fibres = fibres
        self._fibre = fibre
        self._free = False
        self._woken: asyncio.Future[None] | None = None
        self.loop = asyncio.get_running_loop()

    def acquire(self, *, timeout: float = -1) -> bool:
        if not self._free:
            self._woken = self.loop.create_future()
            timer = self.loop.call_later(timeout, self.wake) if timeout >= 0 else None
            self._fibre.maker.switch(self._woken)
            if timer is not None:
                timer.cancel()
        return self._free

    def rest(self) -> "asyncio.Future[None]":
        """Return what is done once a fibre that has not begun may begin."""
        self._woken = self.loop.create_future()
        self._fibres.let_go(self)
        return self._woken

    def release(self) -> None:
        self._free = True
        self._fibres.let_go(self)

    def release_here(self) -> None:
        """Let the fibre go before those who wait already; for the loop's own thread."""
        self._free = True
        self.wake()

    def afterwards(self, call: Callable[[], None]) -> None:
        self._fibres.afterwards(self.loop, call)

    def wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)
