"""Web: the Flask application, and how every refusal and every fault becomes an answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.wrappers import Response

from gateway.ask import MAX_BODY
from gateway.http.intake import ARRIVED
from gateway.http.problems import problem, status_of
from gateway.http.routes import AUDIENCES, PEOPLE, View, register
from gateway.http.views import reply
from gateway.load.limits import OverQuota
from gateway.observing.observer import Answered, Observer
from kernel.errors import Reason, Refusal

_CHALLENGES = {
    Reason.TOKEN_MISSING: "invalid_token",
    Reason.TOKEN_INVALID: "invalid_token",
    Reason.TOKEN_EXPIRED: "invalid_token",
    Reason.DPOP_MISSING: "invalid_dpop_proof",
    Reason.DPOP_INVALID: "invalid_dpop_proof",
    Reason.DPOP_REPLAYED: "invalid_dpop_proof",
}
_ALGORITHMS = "ES256 PS256 EdDSA Ed25519"
_OF_STATUS = {
    404: Reason.REQUEST_NOT_FOUND,
    405: Reason.REQUEST_METHOD,
    413: Reason.REQUEST_TOO_LARGE,
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Front:
    """What the front of the house is made of."""

    public_url: str
    observer: Observer
    """Follows each request, for figures, log and spans."""
    report: Callable[[Exception, str], None]
    page: Callable[[Refusal, int], Response]
    """Tells a refusal to a person."""
    install: Callable[[Flask], None]
    """Gives the application what pages are made with."""


def application(front: Front, views: Mapping[str, View]) -> Flask:
    """Return the Flask application that serves the views; no traceback ever leaves it."""
    app = Flask("gateway", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY, PROPAGATE_EXCEPTIONS=False)
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    front.install(app)
    register(app, views)
    _answer_errors(app, front)
    _keep_count(app, front)
    app.before_request(_as_written)
    return app


def _as_written() -> None:
    """Refuse what Werkzeug mends: slashes in front of a path, a method in small letters, HEAD."""
    method, path = request.environ["REQUEST_METHOD"], request.environ["PATH_INFO"]
    if not path.startswith("/") or path.startswith("//"):
        raise NotFound
    if request.url_rule is not None and (method == "HEAD" or method != method.upper()):
        raise MethodNotAllowed(request.url_rule.methods)


def told(refusal: Refusal, public_url: str, trace: str) -> Response:
    """Return a refusal as an agency's system is told it (RFC 9457, RFC 9449 §7.1)."""
    document = problem(refusal, public_url, trace, refusal.exchange)
    answer = reply(document, status_of(refusal.reason))
    answer.content_type = "application/problem+json"
    if (error := _CHALLENGES.get(refusal.reason)) is not None:
        answer.headers["WWW-Authenticate"] = f'DPoP error="{error}", algs="{_ALGORITHMS}"'
    if isinstance(refusal, OverQuota):
        answer.headers.update(refusal.fields)
    if refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


def _answer_errors(app: Flask, front: Front) -> None:
    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response:
        g.reason = refusal.reason.value
        if _for_a_person():
            return front.page(refusal, status_of(refusal.reason))
        return told(refusal, front.public_url, g.trace)

    @app.errorhandler(HTTPException)
    def not_served(error: HTTPException) -> Response:
        code = error.code or 400
        ours = code >= 500  # noqa: PLR2004 - RFC 9110 §15.6: the server's own failure
        otherwise = Reason.INTERNAL if ours else Reason.REQUEST_MALFORMED
        reason = _OF_STATUS.get(code, otherwise)
        answer = refused(Refusal(reason, _WORDS[reason]))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            answer.headers["Allow"] = ", ".join(sorted(set(error.valid_methods) - {"HEAD"}))
        if isinstance(error, RequestEntityTooLarge):
            answer.headers["Connection"] = "close"
        return answer

    @app.errorhandler(Exception)
    def broken(error: Exception) -> Response:
        front.report(error, "-")
        return refused(Refusal(Reason.INTERNAL, _WORDS[Reason.INTERNAL]))


def _for_a_person() -> bool:
    """Say whether a page is wanted: by the address, or where there is none, by the browser."""
    if request.endpoint is not None:
        return AUDIENCES[request.endpoint] in PEOPLE
    return "text/html" in request.headers.get("Accept", "")


_WORDS = {
    Reason.REQUEST_MALFORMED: "The request cannot be read, or did not arrive whole and in time.",
    Reason.REQUEST_NOT_FOUND: "There is nothing at this address; see /openapi.json.",
    Reason.REQUEST_METHOD: "This address takes another method.",
    Reason.REQUEST_TOO_LARGE: f"A body may have {MAX_BODY} bytes.",
    Reason.INTERNAL: "Something is wrong in the gateway.",
}


def _keep_count(app: Flask, front: Front) -> None:
    @app.before_request
    def begin() -> None:
        environ = request.environ
        trace = front.observer.begin(environ.get("HTTP_TRACEPARENT"), environ.get(ARRIVED))
        g.trace = trace.name
        g.reason = "-"

    @app.after_request
    def end(answer: Response) -> Response:
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        method, route = (request.method, request.url_rule.rule) if request.url_rule else ("-", "-")
        front.observer.end(Answered(method, route, answer.status_code, g.reason))
        return answer
