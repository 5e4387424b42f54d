"""Checkpoints: C2SP tlog-checkpoint and tlog-proof texts, signed as C2SP signed notes."""

import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit import shards
from audit.model import Tree

_ED25519 = b"\x01"
_NAME = re.compile(r"[!-*,-~]{1,120}")
_NOTE = re.compile(
    r"(?P<body>(?P<origin>[!-~]+)\n(?P<size>0|[1-9][0-9]{0,15})\n(?P<root>[A-Za-z0-9+/]{43}=)\n)\n"
    r"— (?P<name>[!-~]+) (?P<signature>[A-Za-z0-9+/]{90}[A-Za-z0-9+/=]{2})\n"
)


class BadCheckpoint(ValueError):
    """The text is no checkpoint of this log; the message says why."""


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """The log's key and its name, which is the log's origin (C2SP tlog-checkpoint)."""

    name: str
    key: Ed25519PrivateKey
    public: bytes = field(init=False)
    """The 32 bytes of the public key."""
    key_id: bytes = field(init=False)
    """The key's four-byte ID (C2SP signed-note)."""

    def __post_init__(self) -> None:
        """Refuse a name that a signed note cannot carry; derive once what every note needs."""
        if not _NAME.fullmatch(self.name):
            raise ValueError("a log's origin is visible ASCII without spaces and '+'")
        public = self.key.public_key().public_bytes_raw()
        named = self.name.encode() + b"\n" + _ED25519 + public
        object.__setattr__(self, "public", public)
        object.__setattr__(self, "key_id", sha256(named).digest()[:4])

    def named(self, name: str) -> "Signer":
        """Return the same key under another name, such as that of the log after a recovery."""
        return self if name == self.name else Signer(name, self.key)

    def heir(self, note: str) -> "Signer":
        """Return the key under the name that a checkpoint has, where that is a log which follows
        this one after a recovery; else itself, and then `read` refuses the checkpoint."""
        name = note.partition("\n")[0]
        follows = shards.same_log(self.name, name) and _NAME.fullmatch(name)
        later = shards.number(name) > shards.number(self.name)
        return self.named(name) if follows and later else self

    @property
    def vkey(self) -> str:
        """Return the verifier key: name, key ID and public key in one line of text."""
        public = b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{public}"

    def sign(self, tree: Tree) -> str:
        """Return the signed checkpoint of a tree; the caller answers for its consistency."""
        body = f"{self.name}\n{tree.size}\n{b64encode(tree.root).decode()}\n"
        signature = b64encode(self.key_id + self.key.sign(body.encode())).decode()
        return f"{body}\n— {self.name} {signature}\n"

    def read(self, note: str) -> Tree:
        """Return the tree of a checkpoint that this key signed, or raise `BadCheckpoint`."""
        match = _NOTE.fullmatch(note)
        if match is None:
            raise BadCheckpoint("the text is not a signed checkpoint")
        if match["origin"] != self.name or match["name"] != self.name:
            raise BadCheckpoint(f"the checkpoint belongs to another log than {self.name}")
        try:
            signature = b64decode(match["signature"], validate=True)
            root = b64decode(match["root"], validate=True)
            if signature[:4] != self.key_id:
                raise BadCheckpoint("the checkpoint is signed by another key")
            public = Ed25519PublicKey.from_public_bytes(self.public)
            public.verify(signature[4:], match["body"].encode())
        except (BadBase64, InvalidSignature):
            raise BadCheckpoint("the checkpoint's signature does not verify") from None
        return Tree(int(match["size"]), root)


class Checkpoint:
    """A tree that may be signed, signed when somebody first asks: most are never shown."""

    __slots__ = ("_lock", "_note", "_signer", "tree")

    def __init__(self, tree: Tree, signer: Signer) -> None:
        """Take the tree; whoever makes this answers for its consistency."""
        self.tree = tree
        self._signer = signer
        self._lock = Lock()
        self._note = ""

    def note(self) -> str:
        """Return the signed checkpoint, always the same text."""
        with self._lock:
            self._note = self._note or self._signer.sign(self.tree)
            return self._note


def tlog_proof(index: int, path: Sequence[bytes], note: str) -> str:
    """Return a C2SP tlog-proof: an entry's place, its inclusion proof, and the checkpoint."""
    lines = ["c2sp.org/tlog-proof@v1", f"index {index}"]
    lines += [b64encode(value).decode() for value in path]
    return "\n".join(lines) + "\n\n" + note
