"""Metadata: what the gateway says about itself to OAuth clients (RFC 8414, RFC 9728)."""

from collections.abc import Mapping

from identity.dpop import ALGORITHMS
from identity.model import Scope
from kernel.canonical import Json

TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path, not a secret
KEYS_PATH = "/oauth2/jwks"


def server_metadata(issuer: str) -> Mapping[str, Json]:
    """Return the authorization server's metadata (RFC 8414 §2, RFC 9449 §5.1)."""
    return {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "jwks_uri": issuer + KEYS_PATH,
        "scopes_supported": [scope.value for scope in Scope],
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
    }


def resource_metadata(issuer: str, audience: str) -> Mapping[str, Json]:
    """Return the protected resource's metadata (RFC 9728 §2)."""
    return {
        "resource": audience,
        "authorization_servers": [issuer],
        "scopes_supported": [scope.value for scope in Scope],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
        "dpop_bound_access_tokens_required": True,
    }
