"""A worker that is told to end before it can heed a signal finds it on the board."""

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context

import uvloop

from gateway.serving.board import Board
from gateway.serving.workers import Workers
from gateway.setup.settings import Settings
from kernel.clock import SystemClock

BOUND = 20
"""Seconds after which a worker that did not end is killed."""
SERVED = 3


def workers(board: Board) -> Workers:
    return Workers(Settings.from_environ(), "host", board, SystemClock(), 1)


def status_of(worker: Callable[[], None]) -> int:
    """Run a worker in a process of its own, and return its exit status."""
    process = get_context("fork").Process(target=worker)
    process.start()
    process.join(BOUND)
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def serves(board: Board) -> None:
    workers(board).run(lambda *_: os._exit(SERVED), 1, "worker", None)


def turns(board: Board) -> None:
    """Install handlers as the server does, be told to end before the loop turns, and turn."""
    loop = uvloop.new_event_loop()
    loop.add_signal_handler(signal.SIGTERM, loop.stop)
    workers(board)._show_life(1, loop)
    board.end()
    signal.raise_signal(signal.SIGTERM)  # dropped by the loop
    loop.run_forever()


def test_one_that_was_just_forked_does_not_begin_to_serve() -> None:
    board = Board(1)
    assert status_of(lambda: serves(board)) == SERVED
    board.leave()
    assert status_of(lambda: serves(board)) == SERVED, "until told to end it goes on serving"
    board.end()
    assert board.leaving
    assert status_of(lambda: serves(board)) == 0


def test_one_whose_loop_did_not_turn_yet_ends_once_it_does() -> None:
    assert status_of(lambda: turns(Board(1))) == 0
