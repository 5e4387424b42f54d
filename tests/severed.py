"""A proxy before a server on loopback, which can cut, hold and garble what goes through it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Spoil = Callable[[bytes], bytes | None]
"""What becomes of some bytes: others, or None, which cuts the connection instead."""


class Proxy:
    """Passes connections on to a port; each direction goes through what the test sets."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.asked: Spoil | None = None
        self.answered: Spoil | None = None
        self.open = threading.Event()
        """Cleared, nothing passes any more, and nothing is cut either."""
        self.open.set()
        self._held: list[socket.socket] = []
        self._ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut every connection that there is."""
        held, self._held = self._held, []
        for one in held:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        """Let nobody in any more."""
        self._ended = True
        self.open.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while not self._ended:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            self._held += [near, far]
            ways = ((near, far, lambda: self.asked), (far, near, lambda: self.answered))
            for source, target, spoil in ways:
                threading.Thread(
                    target=self._pass, args=(source, target, spoil), daemon=True
                ).start()

    def _pass(
        self, source: socket.socket, target: socket.socket, spoil: Callable[[], Spoil | None]
    ) -> None:
        with suppress(OSError):
            while some := source.recv(1 << 16):
                self.open.wait()
                change = spoil()
                passed = some if change is None else change(some)
                if passed is None:
                    break
                target.sendall(passed)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """Stand before a port until the end."""
    made = Proxy(port)
    try:
        yield made
    finally:
        made.close()
