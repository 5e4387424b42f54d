"""Serving: the main process of a host, which starts the workers, watches them, and ends them.

Granian starts and stops workers well, but what it does when one dies is not enough: a second death
within seconds ends all of them, and one that hangs keeps its share of the connections for ever.
"""

import os
import select
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.server.mp import MPServer, WorkerProcess

from gateway.app import build
from gateway.observing.log import SERVER, configure
from gateway.observing.shared import put_away
from gateway.serving.board import Board
from gateway.serving.workers import Workers
from gateway.setup.settings import Settings, SourceSettings
from kernel.clock import Clock

LOOK, SHORT = 0.25, 0.02
"""Seconds between two looks at the workers: while they serve, and while they end."""
SILENCE, BEGINNING = 20.0, 120.0
"""Seconds after which a worker that shows no life is ended: one that served, one that begins."""
QUIET = 10.0
"""Seconds after which a connection that brought no whole head is closed. A proxy before the gateway
keeps its own for fewer: one that is just being closed would lose a request."""
LASTING = 60.0
"""Seconds after which a worker that dies had not just begun."""
LONGEST = 30.0
"""Seconds that a worker which keeps dying is left dead at most."""
AFTERWARDS = 15.0
"""Seconds that whoever waits for a source may need beyond it: ledger, seal, and a slow sender."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a host listens, and with how many workers."""

    address: str
    port: int
    workers: int


def longest_stop(sources: Mapping[str, SourceSettings]) -> float:
    """Return the seconds within which everything in flight ends by itself: a source's whole time,
    and the work after it."""
    return max((one.timeout for one in sources.values()), default=0.0) + AFTERWARDS


def serve(settings: Settings, host: str, listening: Listening, clock: Clock) -> bool:
    """Serve until told to stop, and return whether that ended well: all that was in flight was
    answered, and each worker closed what it had open."""
    configure(settings.log_level)
    board = Board(listening.workers)
    workers = Workers(settings, host, board, clock, listening.workers)
    main = _Main(listening, board, settings, clock)
    main.serve(
        # The server's own function for a worker, in whose process ours begins and ends.
        spawn_target=partial(workers.run, MPServer._spawn_asgi_worker),  # noqa: SLF001 - see above
        target_loader=build,
        wrap_loader=False,
    )
    return main.ended_well


class _Main(MPServer):
    """Granian's main process with our own eye on the workers and our own way to stop."""

    def __init__(
        self, listening: Listening, board: Board, settings: Settings, clock: Clock
    ) -> None:
        super().__init__(
            target="gateway",
            address=listening.address,
            port=listening.port,
            interface=Interfaces.ASGINL,
            loop=Loops.uvloop,
            http=HTTPModes.http1,
            websockets=False,
            workers=listening.workers,
            http1_settings=HTTP1Settings(
                header_read_timeout=round(QUIET * 1000), max_buffer_size=64 * 1024
            ),
            log_dictconfig=SERVER,
            workers_kill_timeout=round(longest_stop(settings.sources)),
        )
        self._board = board
        self._drain = settings.drain
        self._clock = clock
        self._falls = dict.fromkeys(range(listening.workers), 0)
        self._due: dict[int, float] = {}
        self._asked = 0
        self._last: list[WorkerProcess] = []
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def ended_well(self) -> bool:
        """Say whether each worker that was there at the end ended by itself, or did not serve."""
        return all(worker.inner.exitcode in {0, -signal.SIGTERM} for worker in self._last)

    def signal_handler_interrupt(self, *_: object) -> None:
        """SIGTERM or SIGINT: stop; a second one: at once."""
        self._asked += 1
        self.interrupt_signal = True
        if self._asked > 1:
            for worker in self._last or self.wrks:
                _kill(worker)
        with suppress(BlockingIOError):
            os.write(self._waker, b"!")  # an event's lock might be held where a signal strikes

    def signal_handler_reload(self, *_: object) -> None:
        """SIGHUP: nothing; settings are read at the start, and policies have their own way."""

    def _spawn_worker(  # type: ignore[override] # its own class leaves an argument out
        self, idx: int, target: Any, callback_loader: Any
    ) -> WorkerProcess:
        self._board.beat(idx + 1, 0.0)
        started: WorkerProcess = super()._spawn_worker(idx, target, callback_loader)
        return started

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        start = partial(self._spawn_worker, target=spawn_target, callback_loader=target_loader)
        looked = self._clock.monotonic()
        while not self.interrupt_signal:
            self._pause(LOOK)
            now = self._clock.monotonic()
            self._bury(now)
            if now - looked < SILENCE / 2:  # who was away himself cannot say who was silent
                self._end_the_silent(now)
            self._mend(now, start)
            looked = now
        self._leave()

    def _bury(self, now: float) -> None:
        """Take note of workers that ended, and when each is to be there again: at once the first
        time, later each time that it did not last."""
        while self.interrupt_children:
            idx = self.interrupt_children.pop()
            lived = now - self.wrks[idx].birth
            self._falls[idx] = 1 if lived > LASTING else self._falls[idx] + 1
            pause = 0.0 if lived > LASTING else min(LONGEST, LOOK * 2 ** self._falls[idx])
            self._due[idx] = now + pause
            ended = self.wrks[idx].inner.exitcode
            structlog.get_logger().error("worker ended", worker=idx + 1, status=ended, pause=pause)
            put_away(idx + 1)

    def _end_the_silent(self, now: float) -> None:
        for idx, worker in enumerate(self.wrks):
            seen = self._board.seen(idx + 1)
            silent = now - seen > SILENCE if seen else now - worker.birth > BEGINNING
            if silent and idx not in self._due and worker.is_alive():
                structlog.get_logger().error("worker hangs", worker=idx + 1)
                _kill(worker)
                self._board.beat(idx + 1, now)  # said once; it has as long again to end

    def _mend(self, now: float, start: Callable[[int], WorkerProcess]) -> None:
        for idx in [idx for idx, due in self._due.items() if due <= now]:
            del self._due[idx]
            self.wrks[idx] = start(idx)
            self.wrks[idx].start()

    def _leave(self) -> None:
        """Fail `/readyz` first, and go on serving until whoever sends requests noticed."""
        self._last = [worker for worker in self.wrks if worker.is_alive()]
        self._board.leave()
        until = self._clock.monotonic() + self._drain
        while self._asked == 1 and (left := until - self._clock.monotonic()) > 0:
            self._pause(left)
        self.interrupt_children.clear()

    def _stop_workers(self) -> None:
        """End the workers within the bound, and know the exit status of each.

        A thread of Granian's waits for each of them too, and may be the one that is told: so the
        status is asked for until it is there, and nobody counts as alive for want of it.
        """
        self._board.end()
        for worker in self.wrks:
            worker.terminate()
        began, bound = self._clock.monotonic(), float(self.workers_kill_timeout or 0)
        for worker in self.wrks:
            while worker.inner.exitcode is None:
                waited = self._clock.monotonic() - began
                if waited > bound + AFTERWARDS:
                    break
                if waited > bound:
                    _kill(worker)
                self._pause(SHORT)
        self.wrks.clear()

    def _pause(self, seconds: float) -> None:
        if select.select([self._wake], [], [], seconds)[0]:
            os.read(self._wake, 64)


def _kill(worker: WorkerProcess) -> None:
    with suppress(ProcessLookupError):
        os.kill(worker.inner.pid, signal.SIGKILL)
