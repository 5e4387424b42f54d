"""Disclosures at rest: one ciphertext per person concerned, under a key that can be destroyed."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.leaf import NONCE

SECRET = 32
_VERSION = 1
_PERSON = b"causeway disclosures of one person v1"
_LEDGER = b"causeway disclosures of the ledger v1"


class Unreadable(Exception):
    """The sealed disclosures do not open: another key, another place, or altered."""


@dataclass(frozen=True, slots=True, repr=False)
class RootKey:
    """The key from which every disclosure key is derived, and its id (at most 32 characters)."""

    id: str
    key: bytes

    def __post_init__(self) -> None:
        """Refuse a key of the wrong size, and an id that does not fit."""
        if len(self.key) != SECRET or not self.id.isascii() or not 1 <= len(self.id) <= SECRET:
            raise ValueError("a disclosure root key is 32 bytes with an ASCII id of 1 to 32")


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """To whom and where sealed disclosures belong; bound into the ciphertext."""

    origin: str
    index: int
    person: str

    def bound(self) -> bytes:
        """Return the additional authenticated data."""
        return f"{self.origin}\n{self.index}\n{self.person}".encode()


def seal(
    root: RootKey, secret: bytes, place: Place, nonce: bytes, disclosures: Sequence[str]
) -> bytes:
    """Return the disclosures under AES-256-GCM; `secret` is the person's, empty for the ledger."""
    key = AESGCM(_derive(root, secret))
    text = "~".join(disclosures).encode("ascii")
    name = root.id.encode("ascii")
    head = bytes((_VERSION, len(name))) + name
    return head + nonce + key.encrypt(nonce, text, head + place.bound())


def unseal(root: RootKey, secret: bytes, place: Place, sealed: bytes) -> list[str]:
    """Return the disclosures, or raise `Unreadable`."""
    name = root.id.encode("ascii")
    head = bytes((_VERSION, len(name))) + name
    if not sealed.startswith(head):
        raise Unreadable("the disclosures are sealed under another root key")
    nonce, text = sealed[len(head) : len(head) + NONCE], sealed[len(head) + NONCE :]
    try:
        plain = AESGCM(_derive(root, secret)).decrypt(nonce, text, head + place.bound())
    except (InvalidTag, ValueError):
        raise Unreadable("the sealed disclosures do not open") from None
    return plain.decode("ascii").split("~")


def _derive(root: RootKey, secret: bytes) -> bytes:
    """Return HKDF-SHA256 (RFC 5869) of the root key, salted with the person's secret."""
    info = _PERSON if secret else _LEDGER
    return HKDF(algorithm=SHA256(), length=SECRET, salt=secret, info=info).derive(root.key)
