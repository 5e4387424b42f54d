"""Login views: `/login` and its way back, `/logout`, and the provider's `/backchannel-logout`."""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from flask import Request, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.wrappers import Response

from crypto.jose import BadToken
from identity.login import Login
from identity.model import Level, Realm
from identity.oidc_attempt import COOKIE, LIFE, cookie_name
from identity.oidc_logout import BackChannel
from identity.oidc_model import HOME, PREFIX, RECENT, failed, level_named, own_path
from identity.onward import NO_STORE, onward, see
from identity.sessions import COOKIES, Sessions
from kernel.canonical import Json
from kernel.clock import SECOND, Clock
from kernel.errors import Reason, Refusal

CSRF_FIELD = "token"
"""The form member that carries a session's token."""
_MAX_QUERY = 4096
_MAX_FIELDS = 16
_MAX_BODY = 32 * 1024
_MAX_ATTEMPTS = 4
_FORM = "application/x-www-form-urlencoded"
_SET_UP = "Signing in is not set up at this gateway."

View = Callable[[], Response]


@dataclass(frozen=True, slots=True, repr=False)
class Door:
    """One realm's sign-in: the way there and back, and the provider's own way to us."""

    login: Login
    back_channel: BackChannel


class LoginViews:
    """The addresses of the sign-in, for residents and, under `/officer`, for officers."""

    def __init__(
        self,
        doors: Mapping[Realm, Door],
        sessions: Sessions,
        public_url: str,
        keys: Mapping[str, Json],
        clock: Clock,
    ) -> None:
        """Keep the doors (a realm without one is not set up), and the public JWKS that proves us
        to the provider."""
        self._doors = doors
        self._sessions = sessions
        self._origin = public_url
        self._keys = keys
        self._clock = clock

    def by_name(self) -> Mapping[str, View]:
        """Return the views under the names that the table of routes gives them."""
        views: dict[str, View] = {"login_keys": self._public_keys}
        for realm, mark in ((Realm.RESIDENT, ""), (Realm.OFFICER, "officer_")):
            of = _OfRealm(realm)
            views[f"{mark}login"] = of.bind(self._login)
            views[f"{mark}login_callback"] = of.bind(self._callback)
            views[f"{mark}logout"] = of.bind(self._logout)
            views[f"{mark}backchannel_logout"] = of.bind(self._ended_there)
        return views

    def _login(self, realm: Realm) -> Response:
        """GET /login: to the provider, or straight to the page for whoever is signed in enough."""
        query = _query(request)
        to = own_path(query.get("to", HOME[realm]), realm)
        level = level_named(query.get("level", "low"))
        if self._enough(realm, level):
            return see(to)
        door = self._door(realm)
        start = door.login.start(to, level)
        answer = onward(start.url, door.login.relying.issuer)
        stale = [name for name in request.cookies if name.startswith(COOKIE)]
        for name in stale if len(stale) >= _MAX_ATTEMPTS else ():
            _drop(answer, name)
        _keep(answer, cookie_name(start.state), start.sealed, LIFE)
        return answer

    def _callback(self, realm: Realm) -> Response:
        """GET /login/callback: a new session in place of the old one, and on to the page."""
        query = _query(request)
        name = cookie_name(query.get("state", ""))
        cookie = request.cookies.get(name, "")
        finished = self._door(realm).login.finish(query, cookie)
        old = request.cookies.get(COOKIES[realm], "")
        answer = see(finished.to)
        _drop(answer, name)
        _keep(answer, COOKIES[realm], self._sessions.begin(finished.who, old), None)
        return answer

    def _logout(self, realm: Realm) -> Response:
        """POST /logout: the session ends here, then at the provider where it has a place for it."""
        cookie = request.cookies.get(COOKIES[realm], "")
        session = self._sessions.find(realm, cookie)
        answer = see("/")
        if session is not None:
            form = _form(request)
            token = form.get(CSRF_FIELD, "").encode()
            if not self._from_here() or not hmac.compare_digest(token, session.csrf.encode()):
                raise failed("This form is not from this page, or it is too old.")
            self._sessions.end(realm, cookie)
            answer = self._farewell(realm)
        elif not self._from_here():
            return answer  # a Lax cookie does not come with a foreign form, yet would go with this
        _drop(answer, COOKIES[realm])
        return answer

    def _ended_there(self, realm: Realm) -> Response:
        """POST /backchannel-logout (OIDC Back-Channel Logout §2.5)."""
        try:
            form = _form(request)
            self._door(realm).back_channel.end(form.get("logout_token", ""))
        except BadToken as bad:
            return _json({"error": "invalid_request", "error_description": str(bad)}, 400)
        except Refusal as refusal:
            ours = refusal.reason in {Reason.STATE_UNAVAILABLE, Reason.SIGNIN_UNAVAILABLE}
            return (
                _json({"error": "temporarily_unavailable"}, 503)
                if ours
                else _json({"error": "invalid_request"}, 400)
            )
        return Response(status=200, headers=NO_STORE)

    def _public_keys(self) -> Response:
        """GET /login/keys: the key by which the provider knows us (RFC 7517)."""
        return _json(self._keys, 200, "public, max-age=300")

    def _enough(self, realm: Realm, level: Level) -> bool:
        session = self._sessions.find(realm, request.cookies.get(COOKIES[realm], ""))
        if session is None or session.who.level < level:
            return False
        age = self._clock.now() // SECOND - session.who.auth_time
        return level is not Level.HIGH or age < RECENT

    def _door(self, realm: Realm) -> Door:
        door = self._doors.get(realm)
        if door is None:
            raise Refusal(Reason.SIGNIN_UNAVAILABLE, _SET_UP)
        return door

    def _farewell(self, realm: Realm) -> Response:
        try:
            login = self._door(realm).login
            return onward(login.farewell(), login.relying.issuer, self._origin)
        except Refusal:
            return see("/")  # the session is over here, whether the provider answers or not

    def _from_here(self) -> bool:
        """Tell whether the browser says that one of our own pages sent this (Fetch Metadata)."""
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        return site in {None, "same-origin"} and origin in {None, self._origin}


@dataclass(frozen=True, slots=True)
class _OfRealm:
    """Turns a view of a realm into a view."""

    realm: Realm

    def bind(self, view: Callable[[Realm], Response]) -> View:
        return lambda: view(self.realm)


def _query(asked: Request) -> Mapping[str, str]:
    """Return the parameters of the address, each once, or raise `Refusal`."""
    return _once(asked.query_string[: _MAX_QUERY + 1], _MAX_QUERY)


def _form(asked: Request) -> Mapping[str, str]:
    """Return the members of a form, each once, or raise `Refusal`."""
    if asked.mimetype != _FORM:
        raise Refusal(Reason.REQUEST_MEDIA_TYPE, f"Send a form: {_FORM}.")
    asked.max_content_length = _MAX_BODY
    try:
        body = asked.get_data(cache=False)
    except (BadRequest, RequestEntityTooLarge):
        raise Refusal(Reason.REQUEST_TOO_LARGE, "The form is too large.") from None
    return _once(body, _MAX_BODY)


def _once(text: bytes, limit: int) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        pairs = [("", ""), ("", "")]
    if len(text) > limit or len(dict(pairs)) != len(pairs):
        raise Refusal(Reason.REQUEST_MALFORMED, "The parameters of this address cannot be read.")
    return dict(pairs)


def _keep(answer: Response, name: str, value: str, seconds: int | None) -> None:
    answer.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Lax"
    )


def _drop(answer: Response, name: str) -> None:
    answer.delete_cookie(name, path="/", secure=True, httponly=True, samesite="Lax")


def _json(content: Mapping[str, Json], status: int, cache: str = "no-store") -> Response:
    return Response(
        json.dumps(content),
        status=status,
        headers={**NO_STORE, "Cache-Control": cache},
        content_type="application/json",
    )


def paths() -> Mapping[str, tuple[str, str]]:
    """Return method and path of every view by its name."""
    found = {"login_keys": ("GET", "/login/keys")}
    for realm, mark in ((Realm.RESIDENT, ""), (Realm.OFFICER, "officer_")):
        prefix = PREFIX[realm]
        found[f"{mark}login"] = ("GET", f"{prefix}/login")
        found[f"{mark}login_callback"] = ("GET", f"{prefix}/login/callback")
        found[f"{mark}logout"] = ("POST", f"{prefix}/logout")
        found[f"{mark}backchannel_logout"] = ("POST", f"{prefix}/backchannel-logout")
    return found
