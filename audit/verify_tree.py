"""Verifier, the tree: hashes and proofs of RFC 6962, checkpoints and proofs of C2SP tlog.

Part of `audit.verify`, which stands alone: nothing here comes from the code that writes the log.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HASH: Final = 32
MAX_NOTE: Final = 64 * 1024
_MAX_SIGNATURES = 16
_MAX_PATH = 63
_ED25519 = 1
_KEY_ID = 4
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_SHARD = re.compile(r"(.+)/([1-9][0-9]{0,5})")


def earlier(origin: str, later: str) -> bool:
    """Return whether one origin is that of a log before it was recovered and got the other: `log`,
    `log/2`, `log/3` and so on."""
    (one, first), (two, second) = _shard(origin), _shard(later)
    return one == two and first < second


def _shard(origin: str) -> tuple[str, int]:
    match = _SHARD.fullmatch(origin)
    return (origin, 1) if match is None else (match[1], int(match[2]))


class Defect(Exception):
    """Something is not as it must be; the message says what."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\1" + left + right).digest()


def check_inclusion(index: int, size: int, leaf: bytes, path: list[bytes], root: bytes) -> None:
    """Raise `Defect` unless the path proves the leaf hash in the tree (RFC 6962 §2.1.1)."""
    if not 0 <= index < size:
        raise Defect("the entry's index lies outside the tree")
    if len(leaf) != HASH:
        raise Defect("the leaf's hash is not 32 bytes")
    steps = _Steps(path)
    if steps.include(index, size, leaf) != root or steps.left():
        raise Defect("the inclusion proof does not lead to the root")


def check_consistency(
    sizes: tuple[int, int], roots: tuple[bytes, bytes], path: list[bytes]
) -> None:
    """Raise `Defect` unless the path proves that the first tree is the beginning of the second
    (RFC 6962 §2.1.2); the empty tree proves nothing and is refused."""
    old, new = sizes
    if not 1 <= old <= new:
        raise Defect("there is no consistency proof between trees of these sizes")
    steps = _Steps(path)
    if steps.extend(old, new, roots[0]) != roots or steps.left():
        raise Defect("the consistency proof does not lead to the roots")


class _Steps:
    """The hashes of a proof, used up from the root downwards."""

    def __init__(self, path: list[bytes]) -> None:
        self._rest = list(path)

    def left(self) -> bool:
        """Return whether the proof is longer than it may be."""
        return bool(self._rest)

    def include(self, index: int, size: int, leaf: bytes) -> bytes:
        """Return the root over a tree in which the leaf stands at the index."""
        if size == 1:
            return leaf
        split, sibling = self._step(size)
        if index < split:
            return node_hash(self.include(index, split, leaf), sibling)
        return node_hash(sibling, self.include(index - split, size - split, leaf))

    def extend(self, old: int, new: int, known: bytes | None) -> tuple[bytes, bytes]:
        """Return the roots of the old and the new tree; `known` while the old one is whole."""
        if old == new:
            both = self._next() if known is None else known
            return both, both
        split, sibling = self._step(new)
        if old <= split:
            before, after = self.extend(old, split, known)
            return before, node_hash(after, sibling)
        before, after = self.extend(old - split, new - split, None)
        return node_hash(sibling, before), node_hash(sibling, after)

    def _step(self, size: int) -> tuple[int, bytes]:
        return 1 << ((size - 1).bit_length() - 1), self._next()

    def _next(self) -> bytes:
        if not self._rest:
            raise Defect("the proof is too short")
        return self._rest.pop()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head whose signature was verified."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """A C2SP tlog-proof, not yet compared with a leaf."""

    index: int
    path: list[bytes]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A log's name and public key, as in its `vkey` (C2SP signed-note, Ed25519)."""

    name: str
    key_id: bytes
    public: bytes

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Return the key of `<name>+<key id>+<base64 of type and key>`, or raise `Defect`."""
        parts = text.removesuffix("\n").split("+", 2)
        if len(parts) != 3 or not _name(parts[0]):  # noqa: PLR2004 - three parts
            raise Defect("the verifier key is not of the form name+id+key")
        name, key_id, key = parts
        data = _base64(key, "the verifier key")
        if len(data) != 1 + HASH or data[0] != _ED25519:
            raise Defect("the verifier key is not an Ed25519 key")
        expected = hashlib.sha256(name.encode() + b"\n" + data).digest()[:_KEY_ID]
        if expected.hex() != key_id:
            raise Defect("the verifier key's id does not belong to its name and key")
        return cls(name, expected, data[1:])

    def named(self, name: str) -> "VerifierKey":
        """Return the same key under another name: an origin of a log that was recovered."""
        data = name.encode() + b"\n" + bytes([_ED25519]) + self.public
        return VerifierKey(name, hashlib.sha256(data).digest()[:_KEY_ID], self.public)

    def open(self, note: bytes) -> Checkpoint:
        """Return the checkpoint of a signed note by this key, or raise `Defect`."""
        if len(note) > MAX_NOTE:
            raise Defect("the checkpoint is too large")
        text = _text(note, "the checkpoint")
        body, found, rest = text.rpartition("\n\n")
        lines = rest.split("\n")
        if not found or lines.pop() or not lines or len(lines) > _MAX_SIGNATURES:
            raise Defect("the checkpoint is not a signed note with 1 to 16 signatures")
        body += "\n"
        ours = [self._signed(line, body.encode()) for line in lines]  # all: none may be false
        if not any(ours):
            raise Defect(f"the checkpoint carries no signature by the key of {self.name}")
        return self._body(body)

    def proof(self, text: str) -> Proof:
        """Return a C2SP tlog-proof with its checkpoint verified, or raise `Defect`."""
        head, found, note = text.partition("\n\n")
        lines = head.split("\n")
        if not found or lines.pop(0) != "c2sp.org/tlog-proof@v1" or not lines:
            raise Defect("the proof is not a tlog-proof of version 1")
        if lines[0].startswith("extra "):
            _base64(lines.pop(0).removeprefix("extra "), "the proof's extra data")
        if not lines or not lines[0].startswith("index "):
            raise Defect("the proof has no index")
        index = _number(lines.pop(0).removeprefix("index "), "the proof's index")
        path = [_base64(line, "a hash of the proof") for line in lines]
        if len(path) > _MAX_PATH or any(len(value) != HASH for value in path):
            raise Defect("the proof has a hash of the wrong size, or too many")
        return Proof(index, path, self.open(note.encode()))

    def _signed(self, line: str, body: bytes) -> bool:
        """Return whether the line is our signature; a false one by our key is a `Defect`."""
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "—" or not _name(parts[1]):  # noqa: PLR2004 - of three
            raise Defect("a signature line of the checkpoint is malformed")
        data = _base64(parts[2], "a signature of the checkpoint")
        if len(data) <= _KEY_ID:
            raise Defect("a signature line of the checkpoint is too short")
        if parts[1] != self.name or data[:_KEY_ID] != self.key_id:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(data[_KEY_ID:], body)
        except InvalidSignature:
            raise Defect("the checkpoint's signature does not verify") from None
        return True

    def _body(self, body: str) -> Checkpoint:
        lines = body.split("\n")
        if len(lines) < 4 or not all(lines[:-1]):  # noqa: PLR2004 - three lines and the end
            raise Defect("the checkpoint has fewer than three lines, or an empty one")
        if lines[0] != self.name:
            raise Defect("the checkpoint's origin is not the name of the verifier key")
        root = _base64(lines[2], "the checkpoint's root")
        if len(root) != HASH:
            raise Defect("the checkpoint's root is not 32 bytes")
        return Checkpoint(_number(lines[1], "the checkpoint's size"), root)


def _text(data: bytes, what: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Defect(f"{what} is not UTF-8") from None
    if any(character < " " and character != "\n" for character in text):
        raise Defect(f"{what} holds a control character")
    return text


def _number(text: str, what: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise Defect(f"{what} is not a decimal number without leading zeros")
    return int(text)


def _base64(text: str, what: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise Defect(f"{what} is not base64") from None
    if b64encode(data).decode() != text:
        raise Defect(f"{what} is not base64 in its one form")
    return data


def _name(text: str) -> bool:
    return bool(text) and not any(letter.isspace() or letter == "+" for letter in text)
