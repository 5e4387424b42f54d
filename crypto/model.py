"""Nouns of cryptography: whom an answer is sealed for, and the sealed answer."""

from dataclasses import dataclass
from typing import Protocol

from kernel.names import ClientId, ExchangeId


class Plaintext(Protocol):
    """What is about to be sealed; only `gateway.minimise` makes it."""

    @property
    def exchange(self) -> ExchangeId:
        """Return the exchange that it answers."""
        ...

    @property
    def plaintext(self) -> bytes:
        """Return the clear bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Recipient:
    """The client that alone can open the answer, with its registered public key (a JWK)."""

    client_id: ClientId
    key: str
    """The public `use: enc` JWK as canonical JSON text; `kid` is in it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A compact JWE (RFC 7516); only `crypto.seal.seal` makes one."""

    jwe: str
    sha256: bytes
    """SHA-256 over the ASCII of `jwe`."""
