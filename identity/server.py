"""Server: the OAuth endpoints; Authlib dispatches the grant, our own checks decide (RFC 6749)."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from flask import request
from werkzeug.wrappers import Response

from identity.assertion import Assertions, NotAuthenticated
from identity.dpop import Proofs
from identity.guard import Form, admit, refused, unauthenticated
from identity.metadata import TOKEN_PATH, resource_metadata, server_metadata
from identity.model import Client, Scope
from identity.tokens import LIFE, Tokens
from kernel.canonical import Json
from kernel.errors import Reason, Refusal

_GRANT = "client_credentials"
_METHOD = "private_key_jwt"
_UNAVAILABLE = {Reason.STATE_UNAVAILABLE, Reason.LEDGER_UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Applicant:
    """An authenticated client, as Authlib wants to ask it."""

    client: Client

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Tell whether it may authenticate so at this endpoint."""
        return method == _METHOD and endpoint == "token"

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether it may use this grant."""
        return grant_type == _GRANT


@dataclass(frozen=True, slots=True)
class Checks:
    """What decides about a token request."""

    assertions: Assertions
    proofs: Proofs
    tokens: Tokens
    report: Callable[[str], None]
    """Tells the operator why an authentication failed; the client learns only that it did."""


class Grant(ClientCredentialsGrant):  # type: ignore[misc] # Authlib has no types
    """client_credentials (RFC 6749 §4.4), always bound to a DPoP key (RFC 9449 §5)."""

    GRANT_TYPE = _GRANT
    TOKEN_ENDPOINT_AUTH_METHODS = (_METHOD,)

    def validate_requested_scope(self) -> None:
        """Accept the proof, then the scope: never narrowed silently, all where none is named."""
        asked: OAuth2Request = self.request
        asked.jkt = self.server.accept_proof(asked.dpop)
        registered = asked.client.client.scopes
        try:
            named = {Scope(name) for name in (asked.payload.scope or "").split(" ") if name}
        except ValueError:
            named = None
        if named is None or not named <= registered:
            raise refused("invalid_scope", "The client is not registered for this scope.")
        asked.granted = named or registered

    def generate_token(self, **_: object) -> dict[str, Json]:
        """Return the token response (RFC 6749 §5.1)."""
        asked: OAuth2Request = self.request
        return dict(self.server.token_for(asked.client.client, asked.granted, asked.jkt))


class Server(AuthorizationServer):  # type: ignore[misc] # Authlib has no types
    """Authlib's server with one grant, one client authentication, and nothing stored."""

    def __init__(self, checks: Checks) -> None:
        """Register what there is and nothing else."""
        super().__init__(query_client=lambda _: None, save_token=lambda _token, _request: None)
        # Authlib prints tokens at DEBUG.
        for name in ("authlib", ClientCredentialsGrant.__module__):
            logging.getLogger(name).setLevel(logging.INFO)
        self._checks = checks
        self.register_grant(Grant)
        self.register_client_auth_method(_METHOD, self._authenticate)

    def create_oauth2_request(self, form: Form) -> OAuth2Request:
        """Return Authlib's request, made of the admitted form alone: no query, no other header."""
        asked = OAuth2Request("POST", self._checks.tokens.issuer + TOKEN_PATH)
        asked.payload = BasicOAuth2Payload(form.parameters)
        asked.dpop = form.dpop
        return asked

    def handle_response(
        self, status_code: int, payload: Mapping[str, Json], headers: object
    ) -> Response:
        """Return the answer, never to be stored; Authlib's `WWW-Authenticate: Basic` stays out."""
        del headers
        return _answer(payload, status_code, "no-store")

    def get_token_grant(self, asked: OAuth2Request) -> Grant:
        """Return the grant that was asked for; the error does not repeat the request's words."""
        if asked.payload.grant_type != _GRANT:
            raise refused("unsupported_grant_type", "Only client_credentials is supported.")
        return Grant(asked, self)

    def accept_proof(self, headers: tuple[str, ...]) -> str:
        """Return the thumbprint of the key that made the one unused proof of this request."""
        try:
            proof = self._checks.proofs.check(headers, "POST", TOKEN_PATH)
            self._checks.proofs.spend(proof)
        except Refusal as refusal:
            if refusal.reason in _UNAVAILABLE:
                raise
            raise refused("invalid_dpop_proof", _plain(refusal.detail)) from None
        return proof.jkt

    def token_for(self, client: Client, scopes: frozenset[Scope], jkt: str) -> Mapping[str, Json]:
        """Return a fresh token with what a client must know about it."""
        return {
            "access_token": self._checks.tokens.issue(client, scopes, jkt),
            "token_type": "DPoP",
            "expires_in": LIFE,
            "scope": " ".join(sorted(scopes)),
        }

    def _authenticate(self, _: object, asked: OAuth2Request) -> Applicant:
        parameters = asked.payload.data
        try:
            client = self._checks.assertions.check(
                parameters["client_assertion"], parameters.get("client_id")
            )
        except NotAuthenticated as why:
            self._checks.report(str(why))
            raise unauthenticated() from None
        return Applicant(client)


class OAuthViews:
    """The four public endpoints, as views."""

    def __init__(self, checks: Checks, keys: Mapping[str, Json]) -> None:
        """Keep the server and the public JWKS of its tokens."""
        self._server = Server(checks)
        self._issuer = checks.tokens.issuer
        self._audience = checks.tokens.audience
        self._keys = keys

    def token(self) -> Response:
        """POST /oauth2/token: an access token for a client that proves itself and its key."""
        try:
            answer: Response = self._server.create_token_response(admit(request, self._audience))
        except OAuth2Error as error:
            return self._server.handle_error_response(None, error)  # type: ignore[no-any-return] # no types
        except Refusal as refusal:
            unavailable = refused("temporarily_unavailable", _plain(refusal.detail), 503)
            return self._server.handle_error_response(None, unavailable)  # type: ignore[no-any-return] # no types
        return answer

    def token_keys(self) -> Response:
        """GET /oauth2/jwks: the public keys of the access tokens (RFC 7517)."""
        return _answer(self._keys, 200, "public, max-age=300")

    def server_metadata(self) -> Response:
        """GET /.well-known/oauth-authorization-server (RFC 8414)."""
        return _answer(server_metadata(self._issuer), 200, "public, max-age=300")

    def resource_metadata(self) -> Response:
        """GET /.well-known/oauth-protected-resource (RFC 9728)."""
        return _answer(resource_metadata(self._issuer, self._audience), 200, "public, max-age=300")

    def by_name(self) -> Mapping[str, Callable[[], Response]]:
        """Return the views under the names that the table of routes gives them."""
        return {
            "token": self.token,
            "token_keys": self.token_keys,
            "server_metadata": self.server_metadata,
            "resource_metadata": self.resource_metadata,
        }


def _plain(text: str) -> str:
    """Return the text without what an error_description may not hold (RFC 6749 §5.2)."""
    return "".join(c for c in text if " " <= c <= "~" and c not in '"\\')


def _answer(payload: Mapping[str, Json], status: int, cache: str) -> Response:
    headers = {"Cache-Control": cache, "X-Content-Type-Options": "nosniff"}
    if cache == "no-store":
        headers["Pragma"] = "no-cache"
    return Response(
        json.dumps(payload), status=status, headers=headers, content_type="application/json"
    )
