"""Provider: what an OpenID provider says of itself, and the keys that it signs with, kept a while.

Both come from where the operator's setting points and from nowhere else: the issuer in the
document is the issuer that was configured, letter by letter (OIDC Discovery §4.3).
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from crypto.jose import BadToken, Jws, verify
from crypto.jwk import BadKey, PublicKey, Use, public_key
from identity.oidc_http import fetch, trusted
from identity.oidc_kept import Kept
from identity.oidc_model import ALGORITHMS, Metadata, unreachable
from kernel.canonical import Json
from kernel.clock import Clock

MAX_KEYS = 32
_DOCUMENT = "/.well-known/openid-configuration"

Fetch = Callable[[str], Mapping[str, Json]]


class Provider:
    """One issuer; threads share it."""

    def __init__(self, issuer: str, clock: Clock, fetch_json: Fetch = fetch) -> None:
        """Keep the issuer; nothing is fetched before somebody signs in."""
        self.issuer = issuer
        self._metadata = Kept(lambda: _metadata(fetch_json(_address(issuer)), issuer), clock)
        self._keys = Kept(lambda: _keys(fetch_json(self.metadata().jwks_uri)), clock)

    def metadata(self) -> Metadata:
        """Return what the provider says of itself, or raise `signin.unavailable`."""
        return self._metadata.get()

    def verify(self, jws: Jws, allowed: frozenset[str]) -> None:
        """Return when one key of the provider made the signature with an allowed algorithm; raise
        `BadToken` otherwise, or `signin.unavailable` where the keys cannot be had."""
        if jws.algorithm not in allowed:
            raise BadToken("its 'alg' is not one that is allowed here")
        fitting = _fitting(self._keys.get(), jws) or _fitting(self._keys.get(newer=True), jws)
        if len(fitting) != 1:
            raise BadToken("its 'kid' and 'alg' do not name one key of the provider")
        verify(jws, fitting[0])


def _address(issuer: str) -> str:
    if not trusted(issuer):
        raise unreachable("The sign-in service's address is not https.")
    return issuer.removesuffix("/") + _DOCUMENT


def _metadata(document: Mapping[str, Json], issuer: str) -> Metadata:
    """Return the document's part that we use, or raise `signin.unavailable`."""
    if document.get("issuer") != issuer:
        raise unreachable("The sign-in service calls itself by another name than it should.")
    for name, needed in _NEEDED.items():
        offered = document.get(name)
        if offered is not None and not (isinstance(offered, list) and needed in offered):
            raise unreachable(f"The sign-in service does not offer {needed}.")
    ending = document.get("end_session_endpoint")
    algorithms = document.get("id_token_signing_alg_values_supported")
    offered_algorithms = algorithms if isinstance(algorithms, list) else ["RS256"]
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_endpoint(document, "authorization_endpoint", issuer),
        token_endpoint=_endpoint(document, "token_endpoint", issuer),
        jwks_uri=_endpoint(document, "jwks_uri", issuer),
        end_session_endpoint=None
        if ending is None
        else _endpoint(document, "end_session_endpoint", issuer),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        algorithms=frozenset(one for one in ALGORITHMS if one in offered_algorithms)
        | ({"EdDSA"} if "Ed25519" in offered_algorithms else set()),
    )


_NEEDED = {
    "response_types_supported": "code",
    "code_challenge_methods_supported": "S256",
    "token_endpoint_auth_methods_supported": "private_key_jwt",
}


def _endpoint(document: Mapping[str, Json], name: str, issuer: str) -> str:
    url = document.get(name)
    if not isinstance(url, str) or not trusted(url, beside=issuer) or not urlsplit(url).path:
        raise unreachable(f"The sign-in service's {name} is missing or is not https.")
    return url


def _keys(document: Mapping[str, Json]) -> tuple[PublicKey, ...]:
    """Return the keys of a JWKS that may sign; others may stand beside them (RFC 7517 §5)."""
    jwks = document.get("keys")
    if not isinstance(jwks, list) or len(jwks) > MAX_KEYS:
        raise unreachable("The sign-in service's keys cannot be read.")
    found = []
    for jwk in jwks:
        try:
            found.append(public_key(jwk, Use.SIG, provider=True))
        except BadKey:
            continue
    return tuple(found)


def _fitting(keys: tuple[PublicKey, ...], jws: Jws) -> list[PublicKey]:
    return [
        key
        for key in keys
        if jws.algorithm in key.algorithms and ("kid" not in jws.header or key.kid == jws.kid)
    ]
