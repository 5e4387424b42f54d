"""Forging: compact JWS texts put together by hand, from any bytes and any signature."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.agency import Agency, base64url

Sign = Callable[[bytes], bytes]
Part = Mapping[str, Any] | bytes


def compact(header: Part, payload: Part, sign: Sign) -> str:
    """Return the JWS of these parts, whether they make sense or not."""
    signed = f"{base64url(_bytes(header))}.{base64url(_bytes(payload))}"
    return f"{signed}.{base64url(sign(signed.encode()))}"


def _bytes(part: Part) -> bytes:
    return part if isinstance(part, bytes) else json.dumps(part).encode()


def nothing(_: bytes) -> bytes:
    return b""


def garbage(_: bytes) -> bytes:
    return bytes(64)


def secret(key: bytes, digest: str = "sha256") -> Sign:
    return lambda signed: hmac.new(key, signed, digest).digest()


def elliptic(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Sign as ES256 or ES256K do: two numbers of 32 bytes (RFC 7518 §3.4)."""

    def sign(signed: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def der(key: ec.EllipticCurvePrivateKey) -> Sign:
    """Sign with the right key in the wrong form: ASN.1 instead of two numbers."""
    return lambda signed: key.sign(signed, ec.ECDSA(hashes.SHA256()))


def pkcs1(key: rsa.RSAPrivateKey) -> Sign:
    return lambda signed: key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def pss(key: rsa.RSAPrivateKey) -> Sign:
    def sign(signed: bytes) -> bytes:
        return key.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())

    return sign


def edwards(key: ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) -> Sign:
    return key.sign


def private_key(jwk: Mapping[str, str]) -> ec.EllipticCurvePrivateKey:
    """Return the private key of a P-256 JWK."""
    return ec.derive_private_key(number(jwk["d"]), ec.SECP256R1())


def number(text: str) -> int:
    from base64 import urlsafe_b64decode

    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def integer(value: int, size: int | None = None) -> str:
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def public_jwk(key: Any) -> dict[str, str]:
    """Return the public JWK of a key of `cryptography`, of kinds that nobody accepts too."""
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        numbers = public.public_numbers()
        curve = {"secp256r1": "P-256", "secp256k1": "secp256k1"}[public.curve.name]
        return {"kty": "EC", "crv": curve, "x": integer(numbers.x, 32), "y": integer(numbers.y, 32)}
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": integer(numbers.n), "e": integer(numbers.e)}
    curve = "Ed448" if isinstance(public, ed448.Ed448PublicKey) else "Ed25519"
    return {"kty": "OKP", "crv": curve, "x": base64url(public.public_bytes_raw())}


def claims(agency: Agency, **changed: Any) -> dict[str, Any]:
    """Return a right assertion's claims, with some changed; None takes one away."""
    now = int(time.time())
    made = {
        "iss": agency.client_id,
        "sub": agency.client_id,
        "aud": agency.gateway,
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid.uuid4()),
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def proof_claims(agency: Agency, path: str, token: str | None, **changed: Any) -> dict[str, Any]:
    """Return a right proof's claims for a POST, with some changed; None takes one away."""
    made = {
        "jti": str(uuid.uuid4()),
        "htm": "POST",
        "htu": agency.gateway + path,
        "iat": int(time.time()),
        "ath": hashed(token) if token else None,
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def hashed(token: str) -> str:
    return base64url(hashlib.sha256(token.encode()).digest())
