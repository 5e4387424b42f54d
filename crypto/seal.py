"""Seal: an extract becomes a compact JWE that only its asker opens (RFC 7516, RFC 7518 §4.6)."""

import hashlib
import json
from functools import lru_cache

from joserfc import jwe
from joserfc.jwk import ECKey, OKPKey, RSAKey

from crypto import base64url
from crypto.jwk import BadKey, Use, public_key
from crypto.model import Plaintext, Recipient, Sealed

ALGORITHM = "ECDH-ES+A256KW"
ENCRYPTION = "A256GCM"
EXTRACT_TYPE = "causeway-extract+jwe"


def seal(extract: Plaintext, to: Recipient, issuer: str) -> Sealed:
    """Return the extract, sealed to the recipient's registered key.

    `apu` and `apv` bind issuer, client and exchange into the key derivation (RFC 7518 §4.6.1.2).
    """
    kid, key = _key(to.key)
    protected = {
        "alg": ALGORITHM,
        "enc": ENCRYPTION,
        "typ": EXTRACT_TYPE,
        "cty": "application/json",
        "kid": kid,
        "apu": base64url.encode(issuer.encode()),
        "apv": base64url.encode(f"{to.client_id}|{extract.exchange}".encode()),
    }
    text = jwe.encrypt_compact(protected, extract.plaintext, key, [ALGORITHM, ENCRYPTION])
    return Sealed(text, hashlib.sha256(text.encode("ascii")).digest())


@lru_cache(maxsize=256)
def _key(jwk: str) -> tuple[str, ECKey | OKPKey]:
    """Return a registered key and its `kid`; checking a point costs as much as a third of a seal,
    so the last few hundred recipients are remembered by their key's full text."""
    key = public_key(json.loads(jwk), Use.ENC)
    if key.kid is None or isinstance(key.jose, RSAKey):
        raise BadKey("a sealing key needs a 'kid' and must be EC or OKP")
    return key.kid, key.jose
