"""A loopback server that answers with exactly the bytes a test wants, over real sockets."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Handler = Callable[[socket.socket, bytes], None]


@dataclass
class Loopback:
    """Where the server listens, and the heads of the requests that it saw."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def targets(self) -> list[str]:
        """Return the request targets in order."""
        return [request.split(b" ", 2)[1].decode("ascii") for request in self.requests]


def answer(
    body: bytes,
    status: str = "200 OK",
    content_type: str = "application/json",
    extra: tuple[str, ...] = (),
) -> bytes:
    """Return one whole HTTP/1.1 answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"Content-Type: {content_type}"] if content_type else []
    return "\r\n".join([*lines, *extra, "", ""]).encode() + body


def sends(text: bytes) -> Handler:
    """Return a handler that sends these bytes and keeps the connection."""
    return lambda connection, _: connection.sendall(text)


@contextmanager
def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> Iterator[Loopback]:
    """Serve on a free port; each request goes to the handler, which may close the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "http" if tls is None else "https"
    seen = Loopback(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
    open_connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                seen.connections += 1
                open_connections.append(connection)
                work = (connection, handler, seen, tls)
                thread = threading.Thread(target=_serve, args=work)
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield seen
    finally:
        for one in (listener, *open_connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in (acceptor, *threads):
            thread.join()


def _serve(
    plain: socket.socket, handler: Handler, seen: Loopback, tls: ssl.SSLContext | None
) -> None:
    pending = b""
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        connection = plain
        if tls is not None:
            connection = stack.enter_context(tls.wrap_socket(plain, server_side=True))
        while chunk := connection.recv(65536):
            pending += chunk
            while b"\r\n\r\n" in pending:
                head, _, pending = pending.partition(b"\r\n\r\n")
                seen.requests.append(head)
                handler(connection, head)
