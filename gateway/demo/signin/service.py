"""Service: the try-out provider over HTTP, on loopback alone; its log names nobody."""

import json
import socket
from collections.abc import Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

from gateway.demo.signin import pages
from gateway.demo.signin.authorize import MAX_QUERY, NotOurs, Wrong, check, once
from gateway.demo.signin.grants import Asked
from gateway.demo.signin.provider import Provider
from identity.oidc_model import level_named
from kernel.canonical import Json
from kernel.errors import Refusal

COOKIE = "__Host-tryout"
_MAX_BODY = 32 * 1024
_FORM = "application/x-www-form-urlencoded"


class Service(ThreadingHTTPServer):
    """Listens on a port of 127.0.0.1."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, provider: Provider) -> None:
        """Bind the port; 0 takes a free one."""
        super().__init__(("127.0.0.1", port), _Handler)
        self.provider = provider


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout: ClassVar[float] = 30.0
    wbufsize: ClassVar[int] = -1
    server: Service

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        match target.path:
            case "/.well-known/openid-configuration":
                self._json(HTTPStatus.OK, self.server.provider.metadata())
            case "/jwks":
                self._json(HTTPStatus.OK, self.server.provider.tokens.jwks())
            case "/healthz":
                self._json(HTTPStatus.OK, {"status": "ok"})
            case "/authorize":
                self._ask(target.query)
            case "/end_session":
                self._end_session(target.query)
            case _:
                self._page(HTTPStatus.NOT_FOUND, pages.told("Not here", "There is no such page."))

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if not size.isdecimal() or int(size) > _MAX_BODY or kind != _FORM:
            self.close_connection = True
            self._json(HTTPStatus.BAD_REQUEST, {"error": "invalid_request"})
            return
        body = self.rfile.read(int(size)).decode("ascii", "replace")
        match urlsplit(self.path).path:
            case "/token":
                self._token(body)
            case "/authorize":
                self._answered(body)
            case _:
                self._page(HTTPStatus.NOT_FOUND, pages.told("Not here", "There is no such page."))

    def _ask(self, query: str) -> None:
        """Show who may be picked."""
        register, grants = self.server.provider.register, self.server.provider.grants
        try:
            request = check(query, register.clients)
        except NotOurs as not_ours:
            self._refuse(str(not_ours))
        except Wrong as wrong:
            self._back(wrong.asked, {"error": wrong.error})
        else:
            realm, present = request.client.realm, grants.present(self._cookie())
            known = None if present is None else present.person
            asking = pages.Asking(realm, register.people(realm), known)
            page = pages.choose(query, asking, request.at_least)
            self._page(HTTPStatus.OK, page, request.client.origin)

    def _answered(self, body: str) -> None:
        """Take who was picked, and send the browser back with a code."""
        provider = self.server.provider
        try:
            form = once(body)
            request = check(form.get("request", "")[: MAX_QUERY + 1], provider.register.clients)
            level = level_named(form.get("level", ""))
        except (NotOurs, Wrong, Refusal):
            self._refuse("The form cannot be read.")
            return
        person = form.get("person", "")
        if form.get("answer", "yes") != "yes":
            self._back(request.asked, {"error": "access_denied"})
        elif person not in provider.register.people(request.client.realm):
            self._refuse("Nobody of this name is known here.")
        else:
            cookie, code = provider.grants.sign_in(self._cookie(), person, level, request.asked)
            self._back(request.asked, {"code": code}, cookie)

    def _end_session(self, query: str) -> None:
        """End the session here, tell the clients, and go back (RP-Initiated Logout §2)."""
        provider = self.server.provider
        try:
            given = once(query)
        except NotOurs as not_ours:
            self._refuse(str(not_ours))
            return
        present = provider.grants.sign_out(self._cookie())
        if present is not None:
            provider.end_everywhere(present)
        client = provider.register.clients.get(given.get("client_id", ""))
        target = given.get("post_logout_redirect_uri", "")
        if client is not None and target in client.post_logout_redirect_uris:
            state = f"?{urlencode({'state': given['state']})}" if "state" in given else ""
            self._redirect(target + state, f"{COOKIE}=; Max-Age=0")
        else:
            self._page(HTTPStatus.OK, pages.told("Signed out", "You are signed out here."))

    def _token(self, body: str) -> None:
        try:
            form = once(body)
        except NotOurs:
            self._json(HTTPStatus.BAD_REQUEST, {"error": "invalid_request"})
            return
        self._json(*self.server.provider.token(form))

    def _back(self, asked: Asked, answer: Mapping[str, str], cookie: str | None = None) -> None:
        """Send the browser back with an answer, `state`, and who we are (RFC 9207 §2)."""
        told = {**answer, "state": asked.state, "iss": self.server.provider.tokens.issuer}
        url = f"{asked.redirect_uri}?{urlencode(told)}"
        self._redirect(url, None if cookie is None else f"{COOKIE}={cookie}")

    def _cookie(self) -> str:
        try:
            kept = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return "" if kept is None else kept.value

    def _refuse(self, words: str) -> None:
        self._page(HTTPStatus.BAD_REQUEST, pages.told("This did not work", words))

    def _redirect(self, url: str, cookie: str | None) -> None:
        headers = {"Location": url}
        if cookie is not None:
            headers["Set-Cookie"] = f"{cookie}; Path=/; Secure; HttpOnly; SameSite=Lax"
        self._send(HTTPStatus.SEE_OTHER, headers, b"")

    def _page(self, status: HTTPStatus, page: str, *targets: str) -> None:
        self._send(status, pages.headers(targets), page.encode())

    def _json(self, status: HTTPStatus, content: Mapping[str, Json]) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(content).encode())

    def _send(self, status: HTTPStatus, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Cache-Control": "no-store"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request's line leads to a person."""
