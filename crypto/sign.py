"""Sign: the receipt of a release, as a compact JWS."""

from collections.abc import Mapping

from crypto.jose import SigningKey, sign
from kernel.canonical import Json

RECEIPT_TYPE = "causeway-receipt+jwt"


def sign_receipt(claims: Mapping[str, Json], key: SigningKey) -> str:
    """Return the receipt (RFC 7515, `alg` EdDSA, RFC 8037) over the canonical claims."""
    return sign(claims, RECEIPT_TYPE, key)
