"""Receipt: what the gateway signed about a release, checked with nothing but keys."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client.jose import as_object, decode, encode, take_apart
from client.log import Included, LogKey, check_proof
from client.model import Json, NotTrustworthy

_TYPE = "causeway-receipt+jwt"


@dataclass(frozen=True, slots=True)
class Trust:
    """What a receipt is checked with: the gateway's receipt keys, and the log's key."""

    keys: Mapping[str, bytes]
    """Ed25519 public keys by `kid`."""
    log: LogKey

    @classmethod
    def of(cls, jwks: bytes, vkey: str) -> "Trust":
        """Return what a JWKS (`/v1/receipts/keys`) and a vkey (`/audit/log/vkey`) say."""
        return cls(receipt_keys(jwks), LogKey.parse(vkey))


@dataclass(frozen=True, slots=True, repr=False)
class Expected:
    """What a receipt must say for it to be the receipt of this exchange."""

    claims: Mapping[str, Json]
    fields: Collection[str]
    sealed: str


def receipt_keys(jwks: bytes) -> dict[str, bytes]:
    """Return the Ed25519 keys of a JWKS by `kid` (RFC 7517, RFC 8037)."""
    listed = as_object(jwks).get("keys")
    found = {}
    for jwk in listed if isinstance(listed, list) else ():
        kid = jwk.get("kid") if isinstance(jwk, dict) else None
        if isinstance(kid, str) and jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
            found[kid] = decode(str(jwk.get("x")))
    if not found:
        raise NotTrustworthy("The gateway publishes no key that signs receipts.")
    return found


def verified(receipt: str, trust: Trust) -> tuple[Mapping[str, Json], Included]:
    """Return a receipt's claims and where its release is logged, or raise `NotTrustworthy`:
    the signature, and the inclusion proof that the receipt carries."""
    jws = take_apart(receipt)
    if jws.header.get("alg") != "EdDSA" or jws.header.get("typ") != _TYPE:
        raise NotTrustworthy("The receipt is not an EdDSA receipt.")
    if "crit" in jws.header or "b64" in jws.header:
        raise NotTrustworthy("The receipt's header has members that it must not have.")
    public = trust.keys.get(str(jws.header.get("kid")))
    if public is None:
        raise NotTrustworthy("The receipt is signed by a key that the gateway does not publish.")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(jws.signature, jws.signed)
    except (InvalidSignature, ValueError) as error:
        raise NotTrustworthy("The receipt's signature does not verify.") from error
    return jws.claims, _logged(jws.claims.get("log"), trust.log)


def check_receipt(receipt: str, trust: Trust, expected: Expected) -> Included:
    """Return where the release is logged when this is the receipt of this exchange and of this
    sealed text, or raise `NotTrustworthy`."""
    claims, included = verified(receipt, trust)
    for name, value in expected.claims.items():
        if claims.get(name) != value:
            raise NotTrustworthy(f"The receipt's '{name}' is not the one of this exchange.")
    digest = encode(sha256(expected.sealed.encode("ascii")).digest())
    if claims.get("sealed_sha256") != digest:
        raise NotTrustworthy("The receipt speaks of another sealed text.")
    fields = claims.get("fields")
    if not isinstance(fields, Sequence) or sorted(map(str, fields)) != sorted(expected.fields):
        raise NotTrustworthy("The receipt names other fields than those that were released.")
    return included


def _logged(log: Json, key: LogKey) -> Included:
    if not isinstance(log, dict) or log.get("origin") != key.name:
        raise NotTrustworthy("The receipt names another log.")
    included = check_proof(str(log.get("proof")), decode(str(log.get("leaf"))), key)
    if included.index != log.get("index"):
        raise NotTrustworthy("The receipt's proof is for another entry of the log.")
    return included
