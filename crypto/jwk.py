"""Public keys of others: which JWKs may verify a signature or receive a seal (RFC 7517, 8037)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from crypto import base64url
from crypto.signature import NativeKey
from kernel.canonical import Json

MAX_KID = 128
_POINT = 32
_RSA_BYTES = range(2048 // 8, 4096 // 8 + 1)
_RSA_EXPONENTS = range(65537, 2**32, 2)
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# The ordinates of Ed25519's small-order points: under such a key anybody can sign anything.
_WEAK_ED25519 = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)


class BadKey(ValueError):
    """The JWK is none that we accept; the message says why and never quotes the key."""


class Use(StrEnum):
    """What a key is for (RFC 7517 §4.2)."""

    SIG = "sig"
    ENC = "enc"


_ALGORITHMS: Mapping[tuple[Use, str, str], frozenset[str]] = {
    (Use.SIG, "EC", "P-256"): frozenset({"ES256"}),
    (Use.SIG, "OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
    (Use.SIG, "RSA", ""): frozenset({"PS256"}),
    (Use.ENC, "EC", "P-256"): frozenset({"ECDH-ES+A256KW"}),
    (Use.ENC, "OKP", "X25519"): frozenset({"ECDH-ES+A256KW"}),
}
_COORDINATES = {("EC", "P-256"): "xy", ("OKP", "Ed25519"): "x", ("OKP", "X25519"): "x"}
_KINDS: Mapping[str, type[ECKey | OKPKey | RSAKey]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
_OPERATIONS = {Use.SIG: "verify", Use.ENC: "deriveKey"}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A checked public key, with the algorithms that it may be used with and no others."""

    kid: str | None
    use: Use
    algorithms: frozenset[str]
    members: Mapping[str, str]
    """The required members alone (`kty`, `crv`, `x` …): the input of the thumbprint."""
    thumbprint: str
    """SHA-256, base64url (RFC 7638)."""
    native: NativeKey = field(repr=False)

    def registered(self) -> dict[str, str]:
        """Return the JWK as we keep it: public members, `use`, and `kid` where there is one."""
        named = {} if self.kid is None else {"kid": self.kid}
        return {**self.members, "use": self.use.value, **named}


def public_key(jwk: Json, use: Use, *, provider: bool = False) -> PublicKey:
    """Return the key of one public JWK for this use, or raise `BadKey`; a sign-in `provider` may
    sign with RS256 as well, and a key of it that names its `alg` with that one only."""
    if not isinstance(jwk, Mapping):
        raise BadKey("a JWK must be a JSON object")
    if _PRIVATE & jwk.keys():
        raise BadKey("a JWK must not contain private members")
    members = _members(jwk, jwk.get("kty"))
    allowed = _ALGORITHMS.get((use, members["kty"], members.get("crv", "")))
    if allowed is None:
        raise BadKey(f"this kind of key is not accepted for use '{use.value}'")
    if provider:
        allowed = _of_provider(members["kty"], allowed, jwk.get("alg"))
    _check_purpose(jwk, use, allowed)
    key, thumbprint = _imported(tuple(members.items()))
    return PublicKey(_kid(jwk), use, allowed, members, thumbprint, key)


def _of_provider(kind: str, allowed: frozenset[str], named: Json) -> frozenset[str]:
    """Return what a provider's key may be used with (OIDC Core §15.1, RFC 8725 §3.1)."""
    wider = allowed | {"RS256"} if kind == "RSA" else allowed
    # EdDSA and Ed25519 are two names of one algorithm for an Ed25519 key (RFC 9864).
    return wider if named is None or kind == "OKP" else wider & {str(named)}


def key_set(jwks: Json, max_keys: int = 8) -> tuple[PublicKey, ...]:
    """Return the keys of a client's JWKS: each with `use` and a `kid` of its own."""
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= max_keys:
        raise BadKey(f"a JWKS must hold between 1 and {max_keys} keys in its member 'keys'")
    found = tuple(public_key(jwk, _use(jwk)) for jwk in keys)
    kids = {key.kid for key in found}
    if None in kids or len(kids) != len(found):
        raise BadKey("every key of a JWKS needs a 'kid' of its own")
    return found


def _use(jwk: Json) -> Use:
    named = jwk.get("use") if isinstance(jwk, Mapping) else None
    if named not in ("sig", "enc"):
        raise BadKey("every key of a JWKS needs 'use', either 'sig' or 'enc'")
    return Use(str(named))


def _members(jwk: Mapping[str, Json], kind: Json) -> dict[str, str]:
    if kind == "RSA":
        return {"kty": "RSA", **_rsa_members(jwk)}
    curve = jwk.get("crv")
    names = _COORDINATES.get((str(kind), str(curve)))
    if names is None:
        raise BadKey("the key must be EC P-256, OKP Ed25519 or X25519, or RSA")
    values = {name: _text(jwk, name, range(_POINT, _POINT + 1)) for name in names}
    return {"kty": str(kind), "crv": str(curve), **values}


def _rsa_members(jwk: Mapping[str, Json]) -> dict[str, str]:
    modulus, exponent = _text(jwk, "n", _RSA_BYTES), _text(jwk, "e", range(1, 5))
    number = int.from_bytes(base64url.decode(modulus))
    if number.bit_length() < _RSA_BYTES.start * 8 or number % 2 == 0:
        raise BadKey("an RSA key must have an odd modulus of at least 2048 bits")
    if int.from_bytes(base64url.decode(exponent)) not in _RSA_EXPONENTS:
        raise BadKey("an RSA key must have an odd public exponent of at least 65537")
    return {"n": modulus, "e": exponent}


def _text(jwk: Mapping[str, Json], name: str, sizes: range) -> str:
    value = jwk.get(name)
    if not isinstance(value, str) or len(value) > 2 * sizes.stop:
        raise BadKey(f"member '{name}' is missing or has the wrong type or size")
    try:
        raw = base64url.decode(value)
    except base64url.BadBase64:
        raise BadKey(f"member '{name}' is not base64url") from None
    if len(raw) not in sizes:
        raise BadKey(f"member '{name}' has the wrong size")
    return value


def _check_purpose(jwk: Mapping[str, Json], use: Use, allowed: frozenset[str]) -> None:
    if jwk.get("use", use.value) != use.value:
        raise BadKey(f"the key's 'use' is not '{use.value}'")
    algorithm = jwk.get("alg")
    if algorithm is not None and str(algorithm) not in allowed:
        raise BadKey("the key's 'alg' is not one that this kind of key may be used with")
    operations = jwk.get("key_ops")
    if operations is None:
        return
    needed = {_OPERATIONS[use], "deriveBits"} if use is Use.ENC else {_OPERATIONS[use]}
    if not isinstance(operations, list) or not any(name in operations for name in needed):
        raise BadKey(f"the key's 'key_ops' do not allow use '{use.value}'")


def _kid(jwk: Mapping[str, Json]) -> str | None:
    kid = jwk.get("kid")
    if kid is None:
        return None
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID or not kid.isprintable():
        raise BadKey(f"'kid' must be a text of 1 to {MAX_KID} printable characters")
    return kid


@lru_cache(maxsize=1024)
def _imported(members: tuple[tuple[str, str], ...]) -> tuple[NativeKey, str]:
    """Return the key and its thumbprint; importing checks that an EC point lies on its curve.

    A client proves itself with the same key again and again; the last keys are remembered.
    """
    named: dict[str, str | list[str]] = dict(members)
    kind, curve = dict(members)["kty"], named.get("crv")
    if curve == "Ed25519":
        _refuse_small_order(base64url.decode(dict(members)["x"]))
    try:
        key = _KINDS[kind].import_key(named)
        if curve == "X25519":
            # A low-order point makes every shared secret zero: the exchange then raises.
            point = X25519PublicKey.from_public_bytes(base64url.decode(dict(members)["x"]))
            X25519PrivateKey.from_private_bytes(b"\x01" * _POINT).exchange(point)
        return cast("NativeKey", key.public_key), key.thumbprint()
    except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        raise BadKey("the key's numbers do not make a valid key") from None


def _refuse_small_order(point: bytes) -> None:
    if point[:-1] + bytes([point[-1] & 0x7F]) in _WEAK_ED25519:
        raise BadKey("the key is a point of small order")
