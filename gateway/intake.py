"""Intake: a body has arrived whole, small and in time before the application looks at it."""

import threading
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING

from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WITHIN = 10.0
"""Seconds that a body may take."""
LINGER, LINGERING = 1024 * 1024, 1.0
"""Bytes and seconds of a body that is too large which are read before the answer, since a sender
whose connection is closed in its face never sees why."""


class Unusable:
    """Stands where a body would be; whoever reads it learns what is wrong."""

    def __init__(self, error: HTTPException) -> None:
        """Keep the error."""
        self._error = error

    def read(self, _: int = -1) -> bytes:
        """Raise the error."""
        raise self._error


class Intake:
    """Reads every body before the application runs; slow senders wait here and nowhere else.

    The server reads a body for as long as the sender likes, and gives what came as if it were all.
    """

    def __init__(self, application: "WSGIApplication", limit: int) -> None:
        """Keep the application, and how large a body may be."""
        self._application = application
        self._limit = limit

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Run the application once the body is there, or in its place what is wrong with it."""
        try:
            environ["wsgi.input"] = self._arrived(environ)
        except HTTPException as error:
            environ["wsgi.input"] = Unusable(error)
        return self._application(environ, start_response)

    def _arrived(self, environ: "WSGIEnvironment") -> IO[bytes]:
        chunked = "HTTP_TRANSFER_ENCODING" in environ
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if not chunked and not length:
            return BytesIO()
        stream, most = environ["wsgi.input"], self._limit + 1
        body = b"" if length > self._limit else _in_time(stream, most, WITHIN)
        if max(length, len(body)) > self._limit:
            with suppress(BadRequest):
                _in_time(stream, LINGER, LINGERING)
            raise RequestEntityTooLarge
        # RFC 9112 §8: a message shorter than it says is incomplete.
        if not chunked and len(body) != length:
            raise BadRequest
        return BytesIO(body)


def _in_time(stream: IO[bytes], most: int, seconds: float) -> bytes:
    """Return the body, or `most` bytes of it; the thread that reads ends with the connection."""
    arrived: SimpleQueue[bytes] = SimpleQueue()
    reader = threading.Thread(target=lambda: arrived.put(_drained(stream, most)), daemon=True)
    reader.start()
    try:
        return arrived.get(timeout=seconds)
    except Empty:
        raise BadRequest from None


def _drained(stream: IO[bytes], most: int) -> bytes:
    body = bytearray()
    while len(body) < most and (piece := stream.read(most - len(body))):
        body += piece
    return bytes(body)
