"""One OPA server: the hot question over libcurl, health and revision through opa-python-client.

The client costs ten times what the question does (`docs/performance.md`); the contract suite holds
the two answers together.
"""

import threading
from typing import Any
from urllib.parse import urlsplit

import pycurl
from opa_client.opa import OpaClient

from gateway.policy.fault import BadOpaUrl
from gateway.policy.opa_session import FAILURES, MAX_ANSWER, OK, BoundedSession
from kernel import trace
from kernel.canonical import Json, parse
from kernel.clock import Clock
from kernel.curl import strict_handle

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
PACKAGE, RULE = "exchange", "decision"
QUERY = {"provenance": "true", "strict-builtin-errors": "true"}
HEADERS = ("Content-Type: application/json", "Expect:")
CLIENTS_ANSWER = FAILURES
"""What the client raises in place of an answer."""


class NoAnswer(ValueError):
    """OPA did not answer the question: down, late, without end, or with an error."""


class OpaServer:
    """An OPA at one address (`https`, or `http` on loopback), asked by several threads."""

    def __init__(self, url: str, clock: Clock, seconds: float, ca_file: str) -> None:
        """Take the address, or raise `BadOpaUrl`, and how long an answer may take."""
        tls, self._host, self._port = _address(url)
        scheme = "https" if tls else "http"
        query = "&".join(f"{name}={value}" for name, value in QUERY.items())
        self._url = f"{scheme}://{self._host}:{self._port}/v1/data/{PACKAGE}/{RULE}?{query}"
        self._ssl: str | bool = (ca_file or True) if tls else False
        self._clock = clock
        self._seconds = seconds
        self._own = threading.local()

    def ask(self, input: bytes) -> Json:
        """Return OPA's whole answer to a canonical input, or raise `NoAnswer` or `BadJson`."""
        body = bytearray()
        handle: pycurl.Curl | None = getattr(self._own, "handle", None)
        if handle is None:
            handle = self._own.handle = self._handle()
        handle.setopt(pycurl.POSTFIELDS, b'{"input":' + input + b"}")
        handle.setopt(pycurl.HTTPHEADER, [*HEADERS, *trace.onward(trace.ENGINE)])
        handle.setopt(pycurl.WRITEFUNCTION, lambda chunk: _take(body, chunk))
        try:
            handle.perform()
            status = handle.getinfo(pycurl.RESPONSE_CODE)
        except pycurl.error:
            del self._own.handle
            handle.close()
            raise NoAnswer("OPA does not answer") from None
        if status != OK:
            raise NoAnswer(f"OPA answered with status {status}")
        return parse(bytes(body), max_bytes=MAX_ANSWER)

    def ask_by_client(self, input: Json) -> Json:
        """Return the same through opa-python-client; raises one of `CLIENTS_ANSWER`."""
        answer: Json = self.client().query_rule(
            input_data=input, package_path=PACKAGE, rule_name=RULE, query_params=QUERY
        )
        return answer

    def healthy(self) -> bool:
        """Return whether OPA is up and has loaded its bundle."""
        try:
            return bool(self.client().check_health(query={"bundles": "true"}))
        except FAILURES:
            return False

    def client(self) -> OpaClient:
        """Return this thread's own client: its session is not for several threads at once."""
        client: OpaClient | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = _Client(
                self._clock,
                host=self._host,
                port=self._port,
                version="v1",
                ssl=self._ssl,
                cert=None,
                headers=None,
                token=None,
                retries=0,
                timeout=self._seconds,
            )
        return client

    def _handle(self) -> pycurl.Curl:
        handle = strict_handle()
        if isinstance(self._ssl, str):
            handle.setopt(pycurl.CAINFO, self._ssl)
        handle.setopt(pycurl.URL, self._url)
        handle.setopt(pycurl.POST, 1)
        handle.setopt(pycurl.TIMEOUT_MS, max(1, int(self._seconds * 1000)))
        handle.setopt(pycurl.MAXFILESIZE_LARGE, MAX_ANSWER)
        return handle


class _Client(OpaClient):  # type: ignore[misc] # the package has no types
    """The client with a session that is bounded."""

    def __init__(self, clock: Clock, **options: Any) -> None:
        self._clock = clock
        super().__init__(**options)

    def _init_session(self) -> BoundedSession:
        return BoundedSession(super()._init_session(), self._clock)


def _take(body: bytearray, chunk: bytes) -> int:
    """Keep a piece of the answer; a short count makes libcurl end one that is too large."""
    if len(body) + len(chunk) > MAX_ANSWER:
        return 0
    body += chunk
    return len(chunk)


def _address(url: str) -> tuple[bool, str, int]:
    """Return whether OPA is reached over TLS, its host and its port, or raise `BadOpaUrl`."""
    try:
        at = urlsplit(url)
        host, port = at.hostname or "", at.port or 8181
    except ValueError:
        raise BadOpaUrl("the address of OPA cannot be read") from None
    if at.scheme not in {"http", "https"} or not host or at.path not in {"", "/"}:
        raise BadOpaUrl("the address of OPA is a scheme and a host, as in https://opa:8181")
    if at.query or at.fragment or at.username is not None:
        raise BadOpaUrl("the address of OPA has no user, query or fragment")
    if at.scheme == "http" and host not in LOOPBACK:
        raise BadOpaUrl("OPA on another host is asked over https: whoever answers, decides")
    return at.scheme == "https", f"[{host}]" if ":" in host else host, port
