"""Serving, in a worker: it opens everything itself, after the fork, and closes it at its end."""

import asyncio
import os
import signal
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.app import build
from gateway.ask import MAX_BODY
from gateway.http.intake import Intake
from gateway.load.fibres import Fibres
from gateway.load.turns import Turns
from gateway.serving.board import Board
from gateway.serving.parent import die_with_parent
from gateway.serving.worker import Worker
from gateway.setup.settings import Settings
from kernel.clock import Clock

BEAT = 1.0
"""Seconds after which a worker shows its main process again that its loop turns."""


def cores_of(number: int, workers: int, cores: Collection[int]) -> set[int]:
    """Return the cores for one worker of so many, counted from 1: one of its own where there is a
    worker for each, since to wake a thread on another core costs a virtual machine more than the
    work it is woken for; else all, for they may be shared with somebody that we do not know."""
    return {sorted(cores)[number - 1]} if workers == len(cores) else set(cores)


@dataclass(frozen=True, slots=True)
class Workers:
    """What every worker of this host is made from."""

    settings: Settings
    host: str
    board: Board
    clock: Clock
    count: int

    def run(self, serve: Callable[..., None], number: int, name: str, *rest: Any) -> None:
        """Serve as this worker until told to stop, and then close what it opened; `serve` is the
        server's own, which is handed our application in place of its loader's, and the rest."""
        with suppress(OSError):  # only slower, where the host forbids it, or does not know it
            os.sched_setaffinity(0, cores_of(number, self.count, os.sched_getaffinity(0)))
            # A thread that is woken does not push aside the one that woke it and goes on working:
            # that was three quarters of all changes of thread.
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes ends nobody
        for ending in (signal.SIGTERM, signal.SIGINT):  # until the server has its own way
            signal.signal(ending, signal.SIG_DFL)
        if self.board.ending:  # and the signal came to the copy of our parent's own handler
            return
        worker = Worker(self.host, number, lambda: self.board.leaving)
        serve(number, name, lambda: self._application(worker), *rest[1:])
        worker.at_end.close()

    def _application(self, worker: Worker) -> Intake:
        die_with_parent()
        turns = Turns()
        fibres = Fibres(turns)
        pools = {"turns": lambda: turns.taken, "fibres": lambda: fibres.taken}
        application = build(self.settings, fibres, worker, pools)
        intake = Intake(application, MAX_BODY, turns, fibres)
        self._show_life(worker.number, asyncio.get_event_loop_policy().get_event_loop())
        return intake

    def _show_life(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        """Beat from the loop itself, so that one that is stuck is found out."""

        def beat() -> None:
            self.board.beat(number, self.clock.monotonic())
            loop.call_later(BEAT, beat)

        def begin() -> None:
            if self.board.ending:  # the loop drops a signal that comes before it turns
                os.kill(os.getpid(), signal.SIGTERM)
            beat()

        loop.call_soon(begin)
