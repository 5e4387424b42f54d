"""Express: `POST /v1/exchanges` goes to the pipeline straight, past Flask, and is told the same.

Flask costs an exchange half a millisecond. Nothing is checked here: a request that is not whole, or
for another address, is Flask's, and the pipeline proves the rest.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING

import orjson

from gateway.ask import Posted
from gateway.http.intake import ARRIVED
from gateway.http.routes import EXCHANGES
from gateway.http.views import exchanged
from gateway.http.web import HEADERS, Front, told
from gateway.observing.observer import Answered
from gateway.pipeline import Pipeline
from identity.model import Credentials
from kernel.errors import Refusal

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHOD = "POST"
_SENT = [
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    *HEADERS.items(),
]


class Express:
    """A WSGI application before another one."""

    def __init__(self, pipeline: Pipeline, front: Front, others: "WSGIApplication") -> None:
        """Take the pipeline, what counts and words refusals, and who serves all other addresses."""
        self._pipeline = pipeline
        self._front = front
        self._others = others

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Answer an exchange, or hand the request on."""
        if environ["PATH_INFO"] != EXCHANGES or environ["REQUEST_METHOD"] != METHOD:
            return self._others(environ, start)
        if not isinstance(environ["wsgi.input"], BytesIO):  # it did not arrive whole
            return self._others(environ, start)
        observer = self._front.observer
        trace = observer.begin(environ.get("HTTP_TRACEPARENT"), environ.get(ARRIVED))
        try:
            answer = self._pipeline.handle(_credentials(environ), _posted(environ))
        except Refusal as refusal:
            problem = told(refusal, self._front.public_url, trace.name)
            problem.headers.extend(HEADERS)
            status, reason = problem.status_code, refusal.reason.value
            observer.end(Answered(METHOD, EXCHANGES, status, reason))
            return problem(environ, start)
        body = orjson.dumps(exchanged(answer))
        start("200 OK", [*_SENT, ("Content-Length", str(len(body)))])
        observer.end(Answered(METHOD, EXCHANGES, 200, "-"))
        return (body,)


def _credentials(environ: "WSGIEnvironment") -> Credentials:
    return Credentials(
        METHOD, EXCHANGES, _lines(environ, "HTTP_AUTHORIZATION"), _lines(environ, "HTTP_DPOP")
    )


def _lines(environ: "WSGIEnvironment", name: str) -> tuple[str, ...]:
    line = environ.get(name)
    return () if line is None else (line,)


def _posted(environ: "WSGIEnvironment") -> Posted:
    return Posted(
        body=environ["wsgi.input"].read(),
        content_type=environ.get("CONTENT_TYPE", ""),
        content_encoding=environ.get("HTTP_CONTENT_ENCODING", ""),
        query=bool(environ["QUERY_STRING"]),
        idempotency_key="HTTP_IDEMPOTENCY_KEY" in environ,
    )
