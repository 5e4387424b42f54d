"""Heart: beats for one worker as long as it serves, and says goodbye at its end."""

import threading
from collections.abc import Callable

from gateway.serving.hosts import EVERY, Hosts, State
from gateway.serving.worker import Worker
from kernel.database import Replaced, StorageError

LOOK = 0.5
"""Seconds after which a stop is noticed, and told to the other hosts."""


class Heart:
    """A thread that writes this worker's row every few seconds, and at once where its state or
    what it has ready changes; a beat that fails is left out, and the next one tries again."""

    def __init__(self, hosts: Hosts, worker: Worker, revision: Callable[[], str]) -> None:
        """Take the rows, whose beat it is, and how to learn which policies it has ready."""
        self._hosts = hosts
        self._worker = worker
        self._revision = revision
        self._said: tuple[State, str] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye; this worker's row counts as dead from now on."""
        self._ended.set()
        self._thread.join()
        self._say(State.LEFT)

    def _beat(self) -> None:
        left = 0.0
        while not self._ended.is_set():
            state = State.LEAVING if self._worker.leaving() else State.SERVING
            if left <= 0 or self._said != (state, self._revision()):
                self._say(state)
                left = float(EVERY)
            self._ended.wait(LOOK)
            left -= LOOK

    def _say(self, state: State) -> None:
        revision = self._revision()
        try:
            self._hosts.beat(self._worker.host, str(self._worker.number), revision, state)
        except (StorageError, TimeoutError, OSError, Replaced):
            return
        self._said = (state, revision)
