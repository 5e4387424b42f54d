"""Seal: an extract becomes a compact JWE that only its asker opens (RFC 7516, RFC 7518 §4.6)."""

import hashlib
import json
from functools import lru_cache
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crypto import base64url
from crypto.jwk import BadKey, Use, public_key
from crypto.model import Plaintext, Recipient, Sealed
from kernel.canonical import Json, canonical
from kernel.chance import Chance, SystemChance

ALGORITHM = "ECDH-ES+A256KW"
ENCRYPTION = "A256GCM"
EXTRACT_TYPE = "causeway-extract+jwe"
_SealingKey: TypeAlias = EllipticCurvePublicKey | X25519PublicKey
_KEY, _NONCE, _TAG, _POINT = 32, 12, 16, 32
_ECDH, _P256 = ECDH(), SECP256R1()
_SYSTEM = SystemChance()


def seal(extract: Plaintext, to: Recipient, issuer: str, chance: Chance = _SYSTEM) -> Sealed:
    """Return the extract, sealed to the recipient's registered key.

    `apu` and `apv` bind issuer, client and exchange into the key derivation (RFC 7518 §4.6.1.2).
    """
    kid, key = _key(to.key)
    epk, secret = _agree(key)
    parties = (issuer.encode(), f"{to.client_id}|{extract.exchange}".encode())
    protected = {
        "alg": ALGORITHM,
        "enc": ENCRYPTION,
        "typ": EXTRACT_TYPE,
        "cty": "application/json",
        "kid": kid,
        "apu": base64url.encode(parties[0]),
        "apv": base64url.encode(parties[1]),
        "epk": epk,
    }
    head = base64url.encode(canonical(protected))
    bits = chance.bits(_KEY + _NONCE)
    content_key, nonce = bits[:_KEY], bits[_KEY:]
    wrapped = aes_key_wrap(_derive(secret, *parties), content_key)
    # RFC 7516 §5.1: the encoded header is authenticated together with the content.
    sealed = AESGCM(content_key).encrypt(nonce, extract.plaintext, head.encode("ascii"))
    parts = (wrapped, nonce, sealed[:-_TAG], sealed[-_TAG:])
    text = ".".join((head, *map(base64url.encode, parts)))
    return Sealed(text, hashlib.sha256(text.encode("ascii")).digest())


def _agree(key: _SealingKey) -> tuple[Json, bytes]:
    """Return the public half of an ephemeral key, and what it has in common with the recipient's
    (RFC 7518 §4.6, RFC 8037 §3.2)."""
    if isinstance(key, X25519PublicKey):
        own = X25519PrivateKey.generate()
        x = base64url.encode(own.public_key().public_bytes_raw())
        return {"kty": "OKP", "crv": "X25519", "x": x}, own.exchange(key)
    ephemeral = generate_private_key(_P256)
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    x, y = base64url.encode(point[1 : 1 + _POINT]), base64url.encode(point[1 + _POINT :])
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}, ephemeral.exchange(_ECDH, key)


def _derive(secret: bytes, *parties: bytes) -> bytes:
    """Return the key that wraps the content key: Concat KDF, whose first round has all its bits
    (RFC 7518 §4.6.2, NIST SP 800-56A §5.8.2.1)."""
    told = b"".join(map(_counted, parties))
    return hashlib.sha256(_FIRST_ROUND + secret + _PURPOSE + told + _LENGTH).digest()


def _counted(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


_FIRST_ROUND, _LENGTH = (1).to_bytes(4, "big"), (_KEY * 8).to_bytes(4, "big")
_PURPOSE = _counted(ALGORITHM.encode())


@lru_cache(maxsize=256)
def _key(jwk: str) -> tuple[str, _SealingKey]:
    """Return a registered key and its `kid`; checking a point costs as much as a third of a seal,
    so the last few hundred recipients are remembered by their key's full text."""
    key = public_key(json.loads(jwk), Use.ENC)
    if key.kid is None or not isinstance(key.native, EllipticCurvePublicKey | X25519PublicKey):
        raise BadKey("a sealing key needs a 'kid' and must be EC or OKP")
    return key.kid, key.native
