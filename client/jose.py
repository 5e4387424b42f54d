"""JOSE as far as a client needs it: base64url, signing, and taking a compact JWS apart."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from client.model import Json, NotTrustworthy

PrivateKey = ECKey | OKPKey | RSAKey


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key and the one algorithm that it signs with."""

    algorithm: str
    kid: str | None
    jose: PrivateKey

    def public_jwk(self) -> dict[str, Json]:
        """Return the members that a DPoP proof shows (RFC 9449 §4.2)."""
        return {
            name: str(value)
            for name, value in self.jose.as_dict(private=False).items()
            if name in {"kty", "crv", "x", "y", "n", "e"}
        }


class Jws(NamedTuple):
    """A compact JWS taken apart, not yet verified."""

    header: Mapping[str, Json]
    claims: Mapping[str, Json]
    signed: bytes
    signature: bytes


def encode(raw: bytes) -> str:
    """Return base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes of base64url text, or raise `NotTrustworthy`."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (BadBase64, ValueError) as error:
        raise NotTrustworthy("The answer has text that is not base64url.") from error
    # The decoder skips foreign characters; only the one exact spelling returns.
    if encode(raw) != text:
        raise NotTrustworthy("The answer has text that is not base64url.")
    return raw


def sign(header: Mapping[str, Json], claims: Mapping[str, Json], key: SigningKey) -> str:
    """Return the compact JWS (RFC 7515 §7.1) of these claims."""
    head = {"alg": key.algorithm, **header}
    signed = f"{encode(json.dumps(head).encode())}.{encode(json.dumps(claims).encode())}"
    # The algorithm itself: joserfc's own front bounds a header to less than an RSA proof needs.
    signature = JWSRegistry.algorithms[key.algorithm].sign(signed.encode("ascii"), key.jose)
    return f"{signed}.{encode(signature)}"


def take_apart(text: str) -> Jws:
    """Return the parts of a compact JWS, or raise `NotTrustworthy`."""
    head, _, rest = text.partition(".")
    body, _, signature = rest.partition(".")
    signed = text[: len(head) + 1 + len(body)].encode("ascii", "replace")
    return Jws(as_object(decode(head)), as_object(decode(body)), signed, decode(signature))


def as_object(text: bytes) -> Mapping[str, Json]:
    """Return the JSON object of a text, or raise `NotTrustworthy`."""
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise NotTrustworthy("The answer has text that is not JSON.") from error
    if not isinstance(value, dict):
        raise NotTrustworthy("The answer has JSON that is not an object.")
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members
