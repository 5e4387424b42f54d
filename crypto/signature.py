"""Signatures of JWS on `cryptography` alone: ES256, EdDSA, PS256 and RS256 (RFC 7518, 8037, 9864).

Which algorithm a key may be used with is decided before, in `crypto.jwk`. joserfc makes and checks
the same bytes at some three times the price; the tests hold the two together.
"""

from collections.abc import Mapping
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import (
    MGF1,
    PSS,
    AsymmetricPadding,
    PKCS1v15,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

NativeKey: TypeAlias = EllipticCurvePublicKey | Ed25519PublicKey | X25519PublicKey | RSAPublicKey

_NUMBER = 32
"""Bytes of each of the two numbers of an ES256 signature (RFC 7518 §3.4)."""
_SHA256 = SHA256()
_ECDSA = ECDSA(_SHA256)
_ECDSA_ALIKE = ECDSA(_SHA256, deterministic_signing=True)
_EDDSA = frozenset({"EdDSA", "Ed25519"})
_PADDINGS: Mapping[str, AsymmetricPadding] = {
    "PS256": PSS(mgf=MGF1(_SHA256), salt_length=_SHA256.digest_size),
    "RS256": PKCS1v15(),
}


def is_right(algorithm: str, key: NativeKey, signed: bytes, signature: bytes) -> bool:
    """Return whether the key made the signature by this algorithm; never for a key of another."""
    try:
        if algorithm == "ES256" and isinstance(key, EllipticCurvePublicKey):
            if len(signature) != 2 * _NUMBER:
                return False
            numbers = (signature[:_NUMBER], signature[_NUMBER:])
            key.verify(encode_dss_signature(*map(int.from_bytes, numbers)), signed, _ECDSA)
        elif algorithm in _EDDSA and isinstance(key, Ed25519PublicKey):
            key.verify(signature, signed)
        elif algorithm in _PADDINGS and isinstance(key, RSAPublicKey):
            key.verify(signature, signed, _PADDINGS[algorithm], _SHA256)
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def made(algorithm: str, key: object, signed: bytes) -> bytes:
    """Return our signature, or raise `TypeError` where key and algorithm do not belong together."""
    if algorithm == "ES256" and isinstance(key, EllipticCurvePrivateKey):
        numbers = decode_dss_signature(key.sign(signed, _ECDSA))
        return b"".join(number.to_bytes(_NUMBER, "big") for number in numbers)
    if algorithm in _EDDSA and isinstance(key, Ed25519PrivateKey):
        return key.sign(signed)
    raise TypeError("the key does not make signatures of this algorithm")


def made_alike(key: object, signed: bytes) -> bytes:
    """Return our ES256 signature, the same bytes each time (RFC 6979), or raise `TypeError`."""
    if not isinstance(key, EllipticCurvePrivateKey):
        raise TypeError("the key does not make signatures of this algorithm")
    numbers = decode_dss_signature(key.sign(signed, _ECDSA_ALIKE))
    return b"".join(number.to_bytes(_NUMBER, "big") for number in numbers)
