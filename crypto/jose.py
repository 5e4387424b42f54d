"""Compact JWS, strictly: one parser, pinned algorithms, one error (RFC 7515, 7518, 8037, 9864).

Taking the text apart is done once, here, so that no two parsers can disagree about what was signed;
the arithmetic is `crypto.signature`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from joserfc.jwk import ECKey, OKPKey

from crypto import base64url
from crypto.jwk import PublicKey, Use, public_key
from crypto.signature import is_right, made
from kernel.canonical import BadJson, Json, canonical, parse

MAX_HEADER = 4096
_MAX_SIGNATURE = 512
_MAX_DEPTH = 8
_NEVER = ("crit", "b64", "zip")


class BadToken(ValueError):
    """The text is no JWS that we accept; the message says why and never quotes the text."""


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key of ours, with the one algorithm and the one `kid` that it signs under."""

    kid: str
    algorithm: str
    jose: ECKey | OKPKey

    def public_jwk(self) -> dict[str, str]:
        """Return the public JWK with `kid`, `use` and `alg`, and no private member."""
        public = {name: str(value) for name, value in self.jose.as_dict(private=False).items()}
        return {**public, "kid": self.kid, "use": "sig", "alg": self.algorithm}


@dataclass(frozen=True, slots=True, repr=False)
class Jws:
    """A JWS taken apart but not yet proven; `verify` proves it."""

    head: bytes
    """The header's JSON text."""
    header: Mapping[str, Json]
    payload: bytes
    signed: bytes
    signature: bytes

    @property
    def kid(self) -> str | None:
        """Return the header's `kid`, or None where it has none."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None

    @property
    def algorithm(self) -> str:
        """Return the header's `alg`, which nobody has allowed yet."""
        return str(self.header["alg"])

    def claims(self) -> Mapping[str, Json]:
        """Return the payload as the JSON object of a JWT (RFC 7519), or raise `BadToken`."""
        return _object(self.payload, len(self.payload), "payload")


def take_apart(text: str, max_bytes: int) -> Jws:
    """Return the parts of a compact JWS, or raise `BadToken`: its size, its spelling, its header,
    `crit`, `b64` or `zip`."""
    if len(text) > max_bytes:
        raise BadToken(f"the token is larger than {max_bytes} bytes")
    parts = text.split(".")
    if len(parts) != len(("header", "payload", "signature")):
        raise BadToken("the token does not have three parts")
    try:
        head, header = _head(parts[0])
        payload, signature = base64url.decode(parts[1]), base64url.decode(parts[2])
    except base64url.BadBase64:
        raise BadToken("a part of the token is not base64url") from None
    if len(signature) > _MAX_SIGNATURE:
        raise BadToken("the signature is too large")
    return Jws(head, header, payload, text[: text.rindex(".")].encode("ascii"), signature)


def verify(jws: Jws, key: PublicKey) -> None:
    """Return when the key made the signature, by an algorithm that this key may be used with;
    raise `BadToken` otherwise."""
    if jws.algorithm not in key.algorithms:
        raise BadToken("the token's 'alg' is not allowed for this key")
    if not is_right(jws.algorithm, key.native, jws.signed, jws.signature):
        raise BadToken("the signature is not right")


def sign(claims: Mapping[str, Json], typ: str, key: SigningKey) -> str:
    """Return the compact JWS over the canonical claims, with `typ` and an explicit `kid`."""
    header = _protected(key.algorithm, key.kid, typ)
    signed = f"{header}.{base64url.encode(canonical(claims))}"
    signature = made(key.algorithm, key.jose.private_key, signed.encode("ascii"))
    return f"{signed}.{base64url.encode(signature)}"


@lru_cache(maxsize=32)
def _protected(algorithm: str, kid: str, typ: str) -> str:
    """Return the encoded header of what a key of ours signs, the same each time."""
    return base64url.encode(canonical({"alg": algorithm, "kid": kid, "typ": typ}))


@lru_cache(maxsize=512)
def embedded_key(head: bytes) -> PublicKey:
    """Return the signing key in the member `jwk` of a header's text, or raise `BadKey`; a client
    proves itself with the same header again and again."""
    return public_key(_header(head).get("jwk"), Use.SIG)


def demand_typ(jws: Jws, typ: str) -> None:
    """Return when the header's `typ` is exactly this one (RFC 8725 §3.11)."""
    if jws.header.get("typ") != typ:
        raise BadToken(f"the token's 'typ' is not '{typ}'")


@lru_cache(maxsize=512)
def _head(part: str) -> tuple[bytes, Mapping[str, Json]]:
    """Return a header's JSON text, and the header; raises `BadBase64` or `BadToken`."""
    text = base64url.decode(part)
    return text, _header(text)


def _header(text: bytes) -> Mapping[str, Json]:
    header = _object(text, MAX_HEADER, "header")
    if any(name in header for name in _NEVER):
        raise BadToken("the header uses 'crit', 'b64' or 'zip', which are not accepted")
    if not isinstance(header.get("alg"), str):
        raise BadToken("the header has no 'alg'")
    if not isinstance(header.get("kid", ""), str):
        raise BadToken("the header's 'kid' is not a text")
    return header


def _object(text: bytes, max_bytes: int, where: str) -> Mapping[str, Json]:
    try:
        value = parse(text, max_bytes=max_bytes, max_depth=_MAX_DEPTH)
    except BadJson as bad:
        raise BadToken(f"in the token's {where}: {bad}") from None
    if not isinstance(value, Mapping):
        raise BadToken(f"the token's {where} is not a JSON object")
    return value
