"""DPoP: this key's holder made this request, for this URL, just now (RFC 9449)."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from crypto import base64url
from crypto.jose import BadToken, demand_typ, embedded_key, take_apart, verify
from crypto.jwk import BadKey
from identity.replay import AHEAD, TOLERANCE, Replay
from kernel.canonical import Json
from kernel.clock import SECOND, Clock
from kernel.errors import Reason, Refusal

ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")
BEHIND = 60
_MAX_PROOF = 8192
_MAX_JTI = 128
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[!-~]*)?",
    re.IGNORECASE | re.ASCII,
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """A proof that is right in itself; `Proofs.spend` uses it up."""

    jkt: str
    """RFC 7638 thumbprint of the key that made it."""
    jti: str
    made_at: int


class Proofs:
    """Checks the proofs of possession of requests to one gateway."""

    def __init__(self, public_url: str, replay: Replay, clock: Clock) -> None:
        """Keep the URL under which the gateway is known, whatever `Host` a request names."""
        self._base = public_url.rstrip("/")
        self._replay = replay
        self._clock = clock

    def check(
        self, headers: tuple[str, ...], method: str, path: str, token: str | None = None
    ) -> Proof:
        """Return the one proof for this method, path and access token, or raise `dpop.missing`
        or `dpop.invalid` (RFC 9449 §4.3)."""
        if not any(headers):
            raise Refusal(Reason.DPOP_MISSING, "The request needs a DPoP header (RFC 9449).")
        if len(headers) > 1:
            raise invalid("there is more than one DPoP header")
        try:
            jws = take_apart(headers[0], _MAX_PROOF)
            demand_typ(jws, "dpop+jwt")
            key = embedded_key(jws.head)
            verify(jws, key)
            claims = jws.claims()
        except (BadToken, BadKey) as bad:
            raise invalid(str(bad)) from None
        self._check_target(claims, method, path)
        if token is not None:
            _check_hash(claims, token)
        return Proof(key.thumbprint, _jti(claims), self._made_at(claims))

    def spend(self, proof: Proof) -> None:
        """Return once for each proof; raise `dpop.replayed` ever after, `state.unavailable` when
        nobody can know."""
        # Remembered past the end of its window by the skew between workers.
        until = proof.made_at + BEHIND + AHEAD + TOLERANCE
        if not self._replay.claim("dpop", proof.jkt, proof.jti, proof.made_at, until):
            raise Refusal(
                Reason.DPOP_REPLAYED, "This DPoP proof was used before: make a new one per request."
            )

    def _check_target(self, claims: Mapping[str, Json], method: str, path: str) -> None:
        if claims.get("htm") != method:
            raise invalid("its 'htm' is not the method of this request")
        url = claims.get("htu")
        asked = target(self._base + path)
        if asked is None or not isinstance(url, str) or target(url) != asked:
            raise invalid("its 'htu' is not the URL of this request")

    def _made_at(self, claims: Mapping[str, Json]) -> int:
        made_at, now = claims.get("iat"), self._clock.now() // SECOND
        if type(made_at) is not int:
            raise invalid("its 'iat' is missing or not a whole number of seconds")
        if not now - BEHIND <= made_at <= now + AHEAD:
            raise invalid("its 'iat' is too far from the gateway's time")
        return made_at


@lru_cache(maxsize=256)
def target(url: str) -> str | None:
    """Return the URL without query and fragment, scheme and host in lower case, a default port
    left out (RFC 9449 §4.3, RFC 3986 §6.2.2 and 3); None for what is no such URL. The path is
    compared as it stands: dot segments and percent-encoding are not undone."""
    found = _URL.fullmatch(url.partition("#")[0].partition("?")[0])
    if found is None:
        return None
    scheme, port = found["scheme"].lower(), found["port"]
    authority = found["host"].lower()
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        authority = f"{authority}:{port}"
    return f"{scheme}://{authority}{found['path'] or '/'}"


def access_token_hash(token: str) -> str:
    """Return the `ath` of an access token (RFC 9449 §4.2)."""
    return base64url.encode(hashlib.sha256(token.encode("ascii")).digest())


def _check_hash(claims: Mapping[str, Json], token: str) -> None:
    claimed = claims.get("ath")
    if not isinstance(claimed, str) or not hmac.compare_digest(
        claimed.encode(), access_token_hash(token).encode()
    ):
        raise invalid("its 'ath' is not the hash of this access token")


def _jti(claims: Mapping[str, Json]) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_JTI:
        raise invalid(f"its 'jti' is not a text of 1 to {_MAX_JTI} characters")
    return jti


def invalid(why: str) -> Refusal:
    """Return the refusal of a proof."""
    return Refusal(Reason.DPOP_INVALID, f"The DPoP proof is not accepted: {why}.")
