"""Provider: what the try-out sign-in answers to the gateway: who it is, tokens, and an end."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from crypto.jose import BadToken
from gateway.demo.signin.grants import Asked, Grants, Present
from gateway.demo.signin.register import Client, Register
from gateway.demo.signin.tokens import Assertions, Tokens
from identity.oidc_http import post
from identity.oidc_model import ALGORITHMS
from kernel.canonical import Json
from kernel.errors import Refusal

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, repr=False)
class Provider:
    """What the provider is made of."""

    register: Register
    grants: Grants
    tokens: Tokens
    assertions: Assertions

    def metadata(self) -> Mapping[str, Json]:
        """Return what it says of itself (OIDC Discovery §3, RFC 9207 §3)."""
        issuer = self.tokens.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
            "end_session_endpoint": f"{issuer}/end_session",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["pairwise"],
            "scopes_supported": ["openid"],
            "id_token_signing_alg_values_supported": [self.tokens.key.signing.algorithm],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS[:3]),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
        }

    def end_everywhere(self, present: Present) -> None:
        """Tell every client that somebody's session ended; one that does not hear is not waited
        for."""
        for client_id in sorted(present.clients):
            client = self.register.clients[client_id]
            form = urlencode({"logout_token": self.tokens.logout(present, client_id)})
            try:
                post(client.backchannel_logout_uri, form)
            except Refusal:
                continue  # an answer without JSON is a yes (§2.8)

    def token(self, form: Mapping[str, str]) -> tuple[HTTPStatus, Mapping[str, Json]]:
        """Return the answer of the token endpoint (RFC 6749 §5)."""
        client = self.register.clients.get(form.get("client_id", ""))
        if client is None or not self._proven(client, form):
            return HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}
        if form.get("grant_type") != "authorization_code":
            return HTTPStatus.BAD_REQUEST, {"error": "unsupported_grant_type"}
        found = self.grants.redeem(form.get("code", ""), client.id)
        if isinstance(found, Present):
            self.end_everywhere(found)  # RFC 6749 §4.1.2: what a code gave twice is taken back
        if not isinstance(found, tuple) or not _matches(found[0], form):
            return HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"}
        return HTTPStatus.OK, self.tokens.response(*found, client.realm)

    def _proven(self, client: Client, form: Mapping[str, str]) -> bool:
        try:
            self.assertions.prove(form.get("client_assertion", ""), client)
        except (BadToken, Refusal):
            return False
        return form.get("client_assertion_type") == _ASSERTION


def _matches(asked: Asked, form: Mapping[str, str]) -> bool:
    verifier = form.get("code_verifier", "")
    proven = verifier.isascii() and create_s256_code_challenge(verifier) == asked.challenge
    return proven and form.get("redirect_uri") == asked.redirect_uri
