"""Proofs of possession: this request comes from the holder of the token's key (RFC 9449)."""

from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe

from client.jose import SigningKey, encode, sign
from client.model import Json


@dataclass(frozen=True, slots=True)
class Prover:
    """Makes a fresh proof for each request."""

    key: SigningKey

    def prove(self, method: str, url: str, now: int, token: str | None = None) -> str:
        """Return the proof for this method, URL and access token, made at this Unix second."""
        claims: dict[str, Json] = {
            "jti": token_urlsafe(16),
            "htm": method,
            "htu": url,
            "iat": now,
        }
        if token is not None:
            claims["ath"] = encode(sha256(token.encode("ascii")).digest())
        return sign({"typ": "dpop+jwt", "jwk": self.key.public_jwk()}, claims, self.key)
