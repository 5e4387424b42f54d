"""Intake: a request reaches the application whole, small, in time, and as it was written.

The server speaks ASGI and the application WSGI. The steps between stand here because a WSGI server
would wait for a body as long as its sender likes, with a thread, hand on the part that came of one
that broke off as if it were all, decode the path, and keep one of two headers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from gateway.http.routes import EXCHANGES
from gateway.load.fibres import Fibres
from gateway.load.turns import Turns

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
_Answer = tuple[Mapping[str, Any], bytes]

THREADS = 64
"""Requests, other than exchanges, that the application has taken in."""
ARRIVED = "causeway.arrived"
"""Where the environment says when the request was whole, on the machine's monotonic clock."""
APART = ("/livez", "/readyz", "/metrics", "/policies/")
"""Where the machine itself looks: answered by threads of their own and out of turn, since requests
may all be waiting for OPA, and OPA for new policies from us."""
THREADS_APART = 2
WITHIN = 10.0
"""Seconds that a body may take."""
LINGER, LINGERING = 1024 * 1024, 1.0
"""Bytes and seconds of a body that is too large which are read before the answer, since a sender
whose connection is closed in its face never sees why."""


class Intake:
    """Serves a WSGI application over ASGI; slow senders wait here and hold no thread."""

    def __init__(
        self,
        application: "WSGIApplication",
        limit: int,
        turns: Turns | None = None,
        fibres: Fibres | None = None,
    ) -> None:
        """Keep the application, how many bytes a body may have, who works when, and what exchanges
        run in, which need no threads."""
        self._application = application
        self._limit = limit
        self._turns = turns or Turns()
        self._fibres = fibres or Fibres(self._turns)
        self._threads = ThreadPoolExecutor(THREADS, "request")
        self._apart = ThreadPoolExecutor(THREADS_APART, "apart")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        environ = _environ(scope)
        try:
            body = await self._arrived(environ.get("CONTENT_LENGTH", "0"), receive)
            environ["wsgi.input"] = BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        except HTTPException as error:
            environ["wsgi.input"] = Unusable(error)
        environ[ARRIVED] = asyncio.get_running_loop().time()
        start, body = await self._answered(environ)
        await send(start)
        await send({"type": "http.response.body", "body": body})

    async def _answered(self, environ: "WSGIEnvironment") -> _Answer:
        if environ["PATH_INFO"] == EXCHANGES:
            return await self._fibres.run(self._answer, environ)
        apart = environ["PATH_INFO"].startswith(APART)
        threads = self._apart if apart else self._threads
        answer = self._answer if apart else self._in_turn
        return await asyncio.get_running_loop().run_in_executor(threads, answer, environ)

    def _in_turn(self, environ: "WSGIEnvironment") -> _Answer:
        with self._turns.working():
            return self._answer(environ)

    def _answer(self, environ: "WSGIEnvironment") -> _Answer:
        start: dict[str, Any] = {"type": "http.response.start"}

        def begin(status: str, headers: list[tuple[str, str]], _: object = None) -> Any:
            start["status"] = int(status[:3])
            start["headers"] = [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
            ]

        pieces = self._application(environ, begin)
        try:
            return start, b"".join(pieces)
        finally:  # PEP 3333: whoever sent the pieces says so, whatever came of them
            getattr(pieces, "close", lambda: None)()

    async def _arrived(self, length: str, receive: Receive) -> bytes:
        body, over = b"", length.isdecimal() and int(length) > self._limit
        if not over:
            try:
                async with asyncio.timeout(WITHIN):
                    body = await _read(receive, self._limit)
            except TimeoutError:
                raise BadRequest from None
        if over or len(body) > self._limit:
            with suppress(TimeoutError, BadRequest):
                async with asyncio.timeout(LINGERING):
                    await _read(receive, LINGER)
            raise RequestEntityTooLarge
        return body


class Unusable:
    """Stands where a body would be; whoever reads it learns what is wrong."""

    def __init__(self, error: HTTPException) -> None:
        """Keep the error."""
        self._error = error

    def read(self, _: int = -1) -> bytes:
        """Raise the error."""
        raise self._error


async def _read(receive: Receive, enough: int) -> bytes:
    """Return the whole body, or more than enough of it; raise `BadRequest` where it broke off
    (RFC 9112 §8)."""
    body, more = bytearray(), True
    while more and len(body) <= enough:
        message = await receive()
        if message["type"] != "http.request":
            raise BadRequest
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _environ(scope: Scope) -> "WSGIEnvironment":
    """Return the WSGI environment, its path not decoded, with every line of a header that is there
    more than once."""
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["raw_path"].decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.input_terminated": True,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        # `_` and `-` look the same in an environment: only one of them is ours.
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        line = value.decode("latin-1")
        environ[key] = f"{environ[key]},{line}" if key in environ else line
    return environ
