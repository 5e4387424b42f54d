"""Tokens: where the gateway issues them; one for each scope, kept until it is about to expire."""

import json
from collections.abc import Callable
from http import HTTPStatus
from secrets import token_urlsafe
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlencode

from client.jose import as_object, sign
from client.keys import Identity
from client.model import NotTrustworthy, Refused, Unreachable
from client.proofs import Prover
from client.transport import Reply, Transport

SCOPE = "exchange.request"
_LIFE = 60
_MARGIN = 30
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Endpoints(NamedTuple):
    """What discovery found."""

    issuer: str
    token_endpoint: str
    audience: str


class _Held(NamedTuple):
    text: str
    until: int


def discover(transport: Transport) -> Endpoints:
    """Return the gateway's endpoints (RFC 8414, RFC 9728), or raise `NotTrustworthy`."""
    server = as_object(transport.fetch("/.well-known/oauth-authorization-server"))
    resource = as_object(transport.fetch("/.well-known/oauth-protected-resource"))
    issuer, audience = server.get("issuer"), resource.get("resource")
    token_endpoint = server.get("token_endpoint")
    # RFC 8414 §3.3 and RFC 9728 §3.3: what it calls itself is what it was asked as.
    if issuer != transport.base or audience != transport.base:
        raise NotTrustworthy(f"The gateway at {transport.base} calls itself something else.")
    if not isinstance(token_endpoint, str) or not token_endpoint.startswith(f"{issuer}/"):
        raise NotTrustworthy("The gateway's token endpoint is not on the gateway.")
    return Endpoints(str(issuer), token_endpoint, str(audience))


class Tokens:
    """Gets access tokens by `private_key_jwt` (RFC 7523), bound to the prover's key."""

    def __init__(
        self, transport: Transport, identity: Identity, prover: Prover, now: Callable[[], int]
    ) -> None:
        """Keep who asks; nothing is asked for yet."""
        self._transport = transport
        self._identity = identity
        self._prover = prover
        self._now = now
        self._lock = Lock()
        self._held: dict[str, _Held] = {}

    def get(self, endpoints: Endpoints, scope: str = SCOPE) -> str:
        """Return a token that lives a while and covers this scope alone, or raise `Refused`."""
        with self._lock:
            held = self._held.get(scope)
            if held is None or held.until <= self._now():
                held = self._held[scope] = self._fetch(endpoints, scope)
            return held.text

    def forget(self) -> None:
        """Drop what is kept, after the gateway did not take it."""
        with self._lock:
            self._held.clear()

    def _fetch(self, endpoints: Endpoints, scope: str) -> _Held:
        now = self._now()
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION,
            "client_assertion": self._assertion(endpoints.issuer, now),
            "scope": scope,
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "DPoP": self._prover.prove("POST", endpoints.token_endpoint, now),
        }
        path = endpoints.token_endpoint.removeprefix(self._transport.base)
        reply = self._transport.post(path, headers, urlencode(form).encode())
        return _held(reply, now)

    def _assertion(self, issuer: str, now: int) -> str:
        client_id, key = self._identity.client_id, self._identity.signing
        claims = {"iss": client_id, "sub": client_id, "aud": issuer, "jti": token_urlsafe(16)}
        header = {"typ": "JWT"} if key.kid is None else {"typ": "JWT", "kid": key.kid}
        return sign(header, {**claims, "iat": now, "exp": now + _LIFE}, key)


def _held(reply: Reply, now: int) -> _Held:
    if reply.status != HTTPStatus.OK:
        raise _refused(reply)
    told = as_object(reply.body)
    token, kind, life = (told.get(name) for name in ("access_token", "token_type", "expires_in"))
    if not isinstance(token, str) or not isinstance(kind, str) or type(life) is not int:
        raise NotTrustworthy("The gateway's token answer lacks a member.")
    if kind.lower() != "dpop":
        raise NotTrustworthy("The gateway issued a token that is not bound to our key.")
    return _Held(token, now + life - _MARGIN)


def _refused(reply: Reply) -> Refused | Unreachable:
    try:
        told = json.loads(reply.body)
        reason, detail = told["error"], told.get("error_description", "")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Unreachable(f"The token endpoint answered with the status {reply.status}.")
    return Refused(str(reason), str(detail), reply.status)
