"""Verifier, the receipts: what an agency kept must still stand in the log.

Part of `audit.verify`, which stands alone: nothing here comes from the code that writes the log.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.verify_tree import (
    HASH,
    Checkpoint,
    Defect,
    VerifierKey,
    check_inclusion,
    earlier,
)

MAX_RECEIPT = 128 * 1024
_TOLD = (
    *("exchange", "agreement", "agreement_revision", "service"),
    *("purpose", "basis", "policy", "consent"),
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt whose proof was verified: which leaf stood where, in which tree."""

    name: str
    origin: str
    index: int
    leaf: bytes
    seen: Checkpoint
    told: dict[str, object]

    def compare(self, members: dict[str, str]) -> None:
        """Raise `Defect` unless the leaf says what the receipt says."""
        if members["type"] != "exchange.release":
            raise Defect("the receipt speaks of a release, the entry is none")
        for name, value in self.told.items():
            if members.get(name) != value:
                raise Defect(f"the receipt's {name} is not that of the entry")


class Expected:
    """What receipts expect of a log, each until the entry or the tree that it speaks of."""

    def __init__(self, receipts: Sequence[Receipt]) -> None:
        """Expect all of them."""
        self._entries = sorted(receipts, key=lambda receipt: receipt.index)
        self._trees = list(self._entries)
        self.lost: list[str] = []
        """What a recovery lost, said plainly: the log itself tells of it."""

    def recovered(self, members: dict[str, str]) -> None:
        """Expect no longer what the log says, under its own signature, that it lost from here."""
        origin, time = members["origin"], members["time"]
        for receipt in self._entries:
            if earlier(receipt.origin, origin):
                self.lost.append(
                    f"receipt {receipt.name}: entry {receipt.index} of {receipt.origin} was seen by"
                    f" the receipt, and lost in the recovery of {time}"
                )
        self._entries = [one for one in self._entries if not earlier(one.origin, origin)]
        self._trees = [one for one in self._trees if not earlier(one.origin, origin)]

    def entry(self, index: int, leaf: bytes, members: dict[str, str]) -> None:
        """Raise `Defect` when a receipt knows another entry there."""
        for receipt in [one for one in self._entries if one.index == index]:
            self._entries.remove(receipt)
            if receipt.leaf != leaf:
                raise Defect("the entry is not the one that a receipt proves")
            receipt.compare(members)

    def trees(self, size: int) -> list[Receipt]:
        """Return the receipts that saw a tree of this size."""
        found = [one for one in self._trees if one.seen.size == size]
        self._trees = [one for one in self._trees if one.seen.size != size]
        return found

    def left(self) -> list[Receipt]:
        """Return the receipts of a larger log than the one that was read."""
        return self._trees


def read(name: str, text: bytes, key: VerifierKey, jwks: bytes | None) -> Receipt:
    """Return the receipt of a compact JWS, or raise `Defect`; its signature is verified when a
    JWKS is given (RFC 7515, RFC 8037). It may speak of the log before it was recovered."""
    if len(text) > MAX_RECEIPT:
        raise Defect("the receipt is too large")
    parts = text.decode("ascii", "replace").strip().split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        raise Defect("the receipt is not a compact JWS")
    header, claims = _json(parts[0]), _json(parts[1])
    if header.get("alg") != "EdDSA" or header.get("typ") != "causeway-receipt+jwt":
        raise Defect("the receipt is not a causeway-receipt+jwt signed with EdDSA")
    if jwks is not None:
        _check_signature(parts, header.get("kid"), jwks)
    log = claims.get("log")
    origin = log.get("origin") if isinstance(log, dict) else None
    if not isinstance(log, dict) or not isinstance(origin, str) or not _ours(origin, key):
        raise Defect(f"the receipt does not speak of the log {key.name}")
    index, leaf, proof = log.get("index"), _bytes(log.get("leaf")), log.get("proof")
    if type(index) is not int or len(leaf) != HASH or not isinstance(proof, str):
        raise Defect("the receipt's place in the log is malformed")
    proven = key.named(origin).proof(proof)
    if proven.index != index:
        raise Defect("the receipt's proof is that of another entry")
    seen = proven.checkpoint
    check_inclusion(index, seen.size, leaf, proven.path, seen.root)
    told = {member: claims.get(member) for member in _TOLD}
    return Receipt(name, origin, index, leaf, seen, told)


def _ours(origin: str, key: VerifierKey) -> bool:
    return origin == key.name or earlier(origin, key.name)


def _check_signature(parts: list[str], kid: object, jwks: bytes) -> None:
    try:
        keys = json.loads(jwks)["keys"]
        found = [key for key in keys if key.get("kid") == kid and key.get("crv") == "Ed25519"]
        public = Ed25519PublicKey.from_public_bytes(_bytes(found[0]["x"]))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise Defect("the receipt is signed by a key that is not among those given") from None
    try:
        public.verify(_bytes(parts[2]), f"{parts[0]}.{parts[1]}".encode())
    except InvalidSignature:
        raise Defect("the receipt's signature does not verify") from None


def _json(part: str) -> dict[str, object]:
    try:
        value = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise Defect("the receipt holds something that is not JSON") from None
    if not isinstance(value, dict):
        raise Defect("the receipt holds something that is not a JSON object")
    return value


def _bytes(text: object) -> bytes:
    if not isinstance(text, str) or not text.isascii():
        raise Defect("the receipt holds something that is not base64url")
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Defect("the receipt holds something that is not base64url") from None
    if urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise Defect("the receipt holds something that is not base64url in its one form")
    return data
