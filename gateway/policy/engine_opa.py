"""The OPA engine: the same question, put to an Open Policy Agent that serves the same bundle."""

import threading
from typing import Any
from urllib.parse import urlsplit

from opa_client.opa import OpaClient

from gateway.decision import read_decision, read_input, unavailable
from gateway.model import Decision
from gateway.policy.bundle import Bundle
from gateway.policy.finding import BadOpaUrl, PolicyError
from gateway.policy.lint import lint
from gateway.policy.opa_session import FAULTS, BoundedSession
from kernel.canonical import Json
from kernel.clock import Clock
from kernel.names import Revision

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_QUERY = {"provenance": "true", "strict-builtin-errors": "true"}


class OpaEngine:
    """Asks OPA over its REST API. OPA loads its bundle itself; every answer names the revision
    that made it, and one by another revision than asked for is no answer."""

    def __init__(self, url: str, clock: Clock, seconds: float = 1.0, ca_file: str = "") -> None:
        """Take the address (`https`, or `http` on loopback) and how long an answer may take."""
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
        self._host = f"[{host}]" if ":" in host else host
        self._port = port
        self._ssl: str | bool = (ca_file or True) if at.scheme == "https" else False
        self._clock = clock
        self._seconds = seconds
        self._own = threading.local()

    def prepare(self, bundle: Bundle) -> None:
        """Check the rules as the embedded engine does, or raise `PolicyError`; OPA loads them."""
        if findings := lint(bundle.rules):
            raise PolicyError(findings)

    def decide(self, input: bytes, revision: Revision) -> Decision:
        """Return the policies' decision on a canonical input, or raise `Refusal` with
        `policy.unavailable`: undefined, malformed, late, or by another revision."""
        try:
            answer = self._client().query_rule(
                input_data=read_input(input),
                package_path="exchange",
                rule_name="decision",
                query_params=_QUERY,
            )
            return _decision(answer, revision)
        except FAULTS as error:
            raise unavailable() from error

    def healthy(self) -> bool:
        """Return whether OPA is up and has loaded its bundle."""
        try:
            return bool(self._client().check_health(query={"bundles": "true"}))
        except FAULTS:
            return False

    def _client(self) -> OpaClient:
        """Return this thread's own client: its session is not for several threads at once."""
        client: OpaClient | None = getattr(self._own, "client", None)
        if client is None:
            client = _Client(
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
            self._own.client = client
        return client


class _Client(OpaClient):  # type: ignore[misc] # the package has no types
    """The client with a session that is bounded."""

    def __init__(self, clock: Clock, **options: Any) -> None:
        self._clock = clock
        super().__init__(**options)

    def _init_session(self) -> BoundedSession:
        return BoundedSession(super()._init_session(), self._clock)


def _decision(answer: Json, revision: Revision) -> Decision:
    """Return the decision in OPA's answer; without `result` the decision is undefined."""
    if not isinstance(answer, dict) or "result" not in answer:
        raise ValueError("the decision is undefined")
    if _revisions(answer.get("provenance")) != [revision]:
        raise ValueError("another revision decided")
    return read_decision(answer["result"])


def _revisions(provenance: Json) -> list[Json]:
    bundles = provenance.get("bundles") if isinstance(provenance, dict) else None
    if not isinstance(bundles, dict):
        return []
    return [
        loaded.get("revision") if isinstance(loaded, dict) else None for loaded in bundles.values()
    ]
