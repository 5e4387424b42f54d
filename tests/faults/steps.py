"""Steps: a process that forks one worker which serves all the while, and one per step of the
pipeline which is killed there, on the same state.

Lines of JSON go to standard output: what each worker said, and how the killed ones ended.
"""

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401 - the first start imports it late

import gateway.pipeline
from consent.store import ConsentStore
from gateway import rooms as gateway_rooms
from gateway.journal import Journal
from gateway.pipeline import Pipeline
from gateway.policy.control import InForce
from kernel.database_sqlite import SqliteDatabase
from tests.faults import worker
from tests.faults.controls import _Altered as Altered


def die(*_: object) -> None:
    """End this process as a crash would."""
    os.kill(os.getpid(), signal.SIGKILL)


def then_die(act: Callable[..., Any]) -> Callable[..., Any]:
    """Return an act after which nothing more happens."""

    def done(*given: Any, **named: Any) -> None:
        act(*given, **named)
        die()

    return done


def in_the_commit(act: Callable[..., Any]) -> Callable[..., Any]:
    """Return an act that dies in its first commit, with the right to write in its hands."""
    sequence = SqliteDatabase.sequence

    def execute(connection: Any, text: str, values: tuple[Any, ...]) -> Any:
        if text == "COMMIT":
            die()
        return connection.execute(text, values)

    @contextmanager
    def altered(self: SqliteDatabase, deadline: Any) -> Iterator[Any]:
        with sequence(self, deadline) as connection:
            yield Altered(connection, execute)

    def armed(*given: Any, **named: Any) -> Any:
        SqliteDatabase.sequence = altered
        return act(*given, **named)

    return armed


PLACES: dict[str, tuple[Any, str]] = {
    "1": (worker.Known, "__call__"),
    "2": (gateway.pipeline, "service_for"),
    "3": (ConsentStore, "look_up"),
    "4": (InForce, "decide"),
    "5": (Journal, "decision"),
    "6": (worker.Desk, "_fetch"),
    "7": (gateway.pipeline, "minimise"),
    "8": (worker, "seal"),
    "9": (Journal, "release"),
    "10": (Pipeline, "handle"),
}
"""What carries each step out."""
IN_THE_COMMIT = " in the commit"
STEPS = (*"1234", f"5{IN_THE_COMMIT}", *"5678", f"9{IN_THE_COMMIT}", "9", "10")
KILLED, SERVING = worker.STANDING[0], worker.STANDING[1]


def killed(state: Path, step: str, tell: int) -> None:
    """Ask once, and die at a step: when it is done, or in its commit."""
    say = worker.Say(tell)
    begin = Journal.open

    def opened(self: Journal, *given: Any) -> Any:
        docket = begin(self, *given)
        say(opened=docket.exchange)
        return docket

    Journal.open = opened
    owner, name = PLACES[step.removesuffix(IN_THE_COMMIT)]
    dying = in_the_commit if step.endswith(IN_THE_COMMIT) else then_die
    setattr(owner, name, dying(getattr(owner, name)))
    worker.Desk(gateway_rooms.open_rooms(worker.settings(state)), say).ask(KILLED)


def serve(state: Path, tell: int, ended: int) -> None:
    """Ask again and again until the other end of a pipe is closed."""
    rooms = gateway_rooms.open_rooms(worker.settings(state))
    desk, stop = worker.Desk(rooms, worker.Say(tell)), threading.Event()
    threading.Thread(target=lambda: (os.read(ended, 1), stop.set()), daemon=True).start()
    while not stop.is_set():
        desk.ask(SERVING)
    rooms.close()


def forked(work: Callable[[], None], *unused: int) -> int:
    """Let a child work, without what is not its own; return its process id."""
    if (child := os.fork()) == 0:
        code = 1
        try:
            for descriptor in unused:
                os.close(descriptor)
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - told here, since nobody else hears of it
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def main(state: Path) -> None:
    """Kill a worker at each step while another serves; tell of everything."""
    read, tell = os.pipe()
    wait, stop = os.pipe()
    serving = forked(lambda: serve(state, tell, wait), read, stop)
    with os.fdopen(read, "rb", buffering=0) as said:
        lines = iter(said.readline, b"")
        for step in STEPS:
            forward(lines, 2)
            mine, its = os.pipe()
            child = forked(lambda step=step, its=its: killed(state, step, its), mine, stop)
            os.close(its)
            with os.fdopen(mine, "rb") as pipe:
                told = [json.loads(line) for line in pipe]
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            told_of(step=step, status=status, told=told)
        forward(lines, 2)
        os.close(stop)
        os.close(tell)
        for line in lines:
            sys.stdout.buffer.write(line)
    told_of(served=os.waitstatus_to_exitcode(os.waitpid(serving, 0)[1]))


def told_of(**line: Any) -> None:
    """Tell something of our own."""
    sys.stdout.buffer.write(json.dumps(line).encode() + b"\n")


def forward(lines: Iterator[bytes], answers: int) -> None:
    """Hand on what the serving worker says, until so many more answers left."""
    while answers:
        line = next(lines)
        sys.stdout.buffer.write(line)
        answers -= "sent" in json.loads(line)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
