"""Wire: exactly these bytes to the real server, and what came back."""

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.agency import Agency, Answer

Lines = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True)
class Replies:
    """Everything that came back until the server closed or fell silent."""

    raw: bytes
    closed: bool
    seconds: float

    @property
    def statuses(self) -> list[int]:
        """Return the status of every answer on the connection; interim ones count too."""
        heads = [part for part in self.raw.split(b"HTTP/1.")[1:] if part[1:2] == b" "]
        return [int(head[2:5]) for head in heads]

    @property
    def last(self) -> Answer:
        """Return the last answer."""
        start = self.raw.rindex(b"HTTP/1.")
        head, _, body = self.raw[start:].partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        parted = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in parted}
        return Answer(int(first.split(" ")[1]), headers, body)


def send(gateway: str, raw: bytes, *, patience: float = 60.0, half_close: bool = False) -> Replies:
    """Send the bytes and return what came back; `half_close` ends our side after them."""
    to = urlsplit(gateway)
    began, closed, received = time.monotonic(), True, b""
    with socket.create_connection((to.hostname, to.port), timeout=patience) as connection:
        # A server may answer, and close, before everything was sent.
        with suppress(OSError):
            connection.sendall(raw)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        try:
            while piece := connection.recv(65536):
                received += piece
        except TimeoutError:
            closed = False
        except ConnectionResetError:
            pass
    return Replies(received, closed, time.monotonic() - began)


def request(
    method: str, target: str, lines: Lines = (), body: bytes = b"", version: str = "1.1"
) -> bytes:
    """Return the bytes of a request with these header lines, in this order and spelling."""
    head = f"{method} {target} HTTP/{version}\r\n".encode("latin-1")
    for name, value in lines:
        head += name.encode("latin-1") + b": "
        head += (value if isinstance(value, bytes) else value.encode("latin-1")) + b"\r\n"
    return head + b"\r\n" + body


def chunked(body: bytes, size: int = 1000) -> bytes:
    """Return the body in chunks, without the last chunk that ends it (RFC 9112 §7.1)."""
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


LAST_CHUNK = b"0\r\n\r\n"


def proven(
    agency: Agency, *, method: str = "POST", path: str = "/v1/exchanges"
) -> list[tuple[str, str]]:
    """Return the header lines of a request that proves itself rightly and asks to be the last."""
    agency.forget_old()
    return [
        ("Host", urlsplit(agency.gateway).netloc),
        ("Connection", "close"),
        ("Content-Type", "application/json"),
        *agency.authorization(method, path).items(),
    ]
