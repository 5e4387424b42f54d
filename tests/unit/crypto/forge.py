"""Forge: JWS texts with any header, payload and algorithm, right or wrong, for tests alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from crypto import base64url
from crypto.jwk import PublicKey, Use, public_key

VECTORS = json.loads((Path(__file__).parents[2] / "assets/jose/rfc.json").read_text())

P256 = ECKey.generate_key("P-256")
OTHER_P256 = ECKey.generate_key("P-256")
ED25519 = OKPKey.generate_key("Ed25519")
RSA = RSAKey.generate_key(2048)
KEYS = {"ES256": P256, "EdDSA": ED25519, "Ed25519": ED25519, "PS256": RSA}


def forged(
    header: Mapping[str, Any] | bytes, payload: Any, key: Key | None, alg: str | None = None
) -> str:
    """Return a compact JWS whose parts are exactly these, signed by `alg` (or the header's)."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signed = f"{base64url.encode(head)}.{base64url.encode(body)}"
    if key is None:
        return f"{signed}."
    name = alg or dict(header)["alg"]  # type: ignore[arg-type]
    signature = JWSRegistry.algorithms[name].sign(signed.encode(), key)
    return f"{signed}.{base64url.encode(signature)}"


def jwk(key: Key, **more: Any) -> dict[str, Any]:
    """Return the public JWK."""
    return {**key.as_dict(private=False), **more}


def verifier(key: Key) -> PublicKey:
    """Return the checked public key."""
    return public_key(jwk(key), Use.SIG)
