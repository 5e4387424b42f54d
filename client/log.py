"""The log: is this leaf in the tree that the log's key signed? (C2SP tlog-proof, RFC 9162)."""

import re
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client.model import CalledWrongly, NotTrustworthy

_ED25519 = b"\x01"
_KEY = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/=]+)\n?")
_PROOF = re.compile(
    r"c2sp\.org/tlog-proof@v1\n(?:extra [A-Za-z0-9+/=]*\n)?index (?P<index>0|[1-9][0-9]{0,15})\n"
    r"(?P<path>(?:[A-Za-z0-9+/]{43}=\n){0,64})\n(?P<note>.*)",
    re.DOTALL,
)
_CHECKPOINT = re.compile(
    r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,15})\n(?P<root>[A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*"
)
_SIGNATURE = re.compile(r"— (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/=]+)\n")
_MAX_NOTE = 128 * 1024


@dataclass(frozen=True, slots=True)
class LogKey:
    """A log's verifier key: the one thing that must be trusted beforehand (C2SP signed-note)."""

    name: str
    id: bytes
    public: bytes

    @classmethod
    def parse(cls, text: str) -> "LogKey":
        """Return the key of a `vkey` line, or raise `CalledWrongly`."""
        found = _KEY.fullmatch(text)
        try:
            raw = b64decode(found["key"], validate=True) if found else b""
        except BadBase64:
            raw = b""
        if found is None or len(raw) != 33 or raw[:1] != _ED25519:  # noqa: PLR2004 - type and key
            raise CalledWrongly("The log's verifier key is not an Ed25519 vkey.")
        key_id = sha256(found["name"].encode() + b"\n" + raw).digest()[:4]
        if key_id.hex() != found["id"]:
            raise CalledWrongly("The log's verifier key does not fit its own key ID.")
        return cls(found["name"], key_id, raw[1:])

    def verify(self, note: str) -> str:
        """Return the text of a signed note, or raise `NotTrustworthy` when we did not sign it."""
        text, _, lines = note.rpartition("\n\n")
        text += "\n"
        signatures = list(_SIGNATURE.finditer(lines))
        if "".join(one[0] for one in signatures) != lines or len(note) > _MAX_NOTE:
            raise NotTrustworthy("The receipt's checkpoint is not a signed note.")
        for one in signatures:
            raw = _base64(one["signature"])
            if one["name"] == self.name and raw[:4] == self.id:
                self._check(raw[4:], text)
                return text
        raise NotTrustworthy("The receipt's checkpoint is not signed by this log's key.")

    def _check(self, signature: bytes, text: str) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature as error:
            raise NotTrustworthy("The checkpoint's signature does not verify.") from error


@dataclass(frozen=True, slots=True)
class Included:
    """Where a leaf stands, once that is proven."""

    index: int
    size: int
    root: bytes


def check_proof(proof: str, leaf: bytes, key: LogKey) -> Included:
    """Return where the leaf stands in the signed tree, or raise `NotTrustworthy`."""
    found = _PROOF.fullmatch(proof)
    if found is None:
        raise NotTrustworthy("The receipt's proof is not a tlog-proof.")
    tree = _CHECKPOINT.fullmatch(key.verify(found["note"]))
    if tree is None or tree["origin"] != key.name:
        raise NotTrustworthy("The receipt's checkpoint is not one of this log.")
    path = [_base64(line) for line in found["path"].splitlines()]
    place = Included(int(found["index"]), int(tree["size"]), _base64(tree["root"]))
    if _root(leaf, place.index, place.size, path) != place.root:
        raise NotTrustworthy("The receipt's proof does not lead to the signed root.")
    return place


def _root(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that an inclusion proof leads to (RFC 9162 §2.1.3.2), None if it is none."""
    if index >= size:
        return None
    at, last, node = index, size - 1, leaf
    for sibling in path:
        if not last:
            return None
        if at & 1 or at == last:
            node = _parent(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = _parent(node, sibling)
        at, last = at >> 1, last >> 1
    return None if last else node


def _parent(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except BadBase64 as error:
        raise NotTrustworthy("The receipt's proof has text that is not base64.") from error
