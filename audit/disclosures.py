"""Disclosures at rest: one ciphertext per person concerned, under a key that can be destroyed."""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.leaf import NONCE

SECRET = 32
_VERSION = 1
_PERSON = b"causeway disclosures of one person v1"
_LEDGER = b"causeway disclosures of the ledger v1"
_JOURNAL = b"causeway restrictions in the guard v1"


class Unreadable(Exception):
    """The sealed disclosures do not open: another key, another place, or altered."""


class RootKey:
    """The key from which every disclosure key is derived, and its id (at most 32 characters)."""

    __slots__ = ("_keyed", "id", "mark")

    def __init__(self, id: str, key: bytes) -> None:
        """Refuse a key of the wrong size and an id that does not fit; extract once (RFC 5869)."""
        if len(key) != SECRET or not id.isascii() or not 1 <= len(id) <= SECRET:
            raise ValueError("a disclosure root key is 32 bytes with an ASCII id of 1 to 32")
        self.id = id
        self.mark = bytes((_VERSION, len(id))) + id.encode("ascii")
        """What stands before everything that is sealed under this key."""
        self._keyed = hmac.new(HKDF.extract(SHA256(), None, key), digestmod=sha256)

    def derive(self, secret: bytes) -> bytes:
        """Return HKDF-Expand (RFC 5869 §2.3) for a person's secret, or for the ledger itself."""
        return self._expand(_PERSON + secret if secret else _LEDGER)

    def journal(self) -> bytes:
        """Return the key under which the guard's journal says whom a restriction is about."""
        return self._expand(_JOURNAL)

    def _expand(self, told: bytes) -> bytes:
        """Return the first block of HKDF-Expand; a copy of what is keyed costs half of keying."""
        block = self._keyed.copy()
        block.update(told + b"\x01")
        return block.digest()


class Place(NamedTuple):
    """To whom and where sealed disclosures belong; bound into the ciphertext."""

    origin: str
    entry: int
    person: str

    def bound(self) -> bytes:
        """Return the additional authenticated data."""
        return f"{self.origin}\n{self.entry}\n{self.person}".encode()


def seal(
    root: RootKey, secret: bytes, place: Place, nonce: bytes, disclosures: Sequence[str]
) -> bytes:
    """Return the disclosures under AES-256-GCM; `secret` is the person's, empty for the ledger."""
    text = "~".join(disclosures).encode("ascii")
    sealed = AESGCM(root.derive(secret)).encrypt(nonce, text, root.mark + place.bound())
    return root.mark + nonce + sealed


def unseal(root: RootKey, secret: bytes, place: Place, sealed: bytes) -> list[str]:
    """Return the disclosures, or raise `Unreadable`."""
    head = root.mark
    if not sealed.startswith(head):
        raise Unreadable("the disclosures are sealed under another root key")
    nonce, text = sealed[len(head) : len(head) + NONCE], sealed[len(head) + NONCE :]
    try:
        plain = AESGCM(root.derive(secret)).decrypt(nonce, text, head + place.bound())
    except (InvalidTag, ValueError):
        raise Unreadable("the sealed disclosures do not open") from None
    return plain.decode("ascii").split("~")
