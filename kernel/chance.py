"""Chance: the one module that draws random bits; everybody else is handed a source of them."""

import os
from typing import Final, Protocol

_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz234567" * 8
"""A letter of base32 (RFC 4648 §6) for each byte, and eight bytes for each letter."""


class Chance(Protocol):
    """Draws unpredictable bytes and identifiers."""

    def bits(self, size: int) -> bytes:
        """Return so many random bytes."""
        ...

    def identifier(self, prefix: str) -> str:
        """Return `prefix_` and 26 characters that carry 130 random bits."""
        ...


class SystemChance:
    """The operating system's generator."""

    def bits(self, size: int) -> bytes:
        """Return so many random bytes."""
        return os.urandom(size)

    def identifier(self, prefix: str) -> str:
        """Return `prefix_` and 26 characters that carry 130 random bits."""
        return f"{prefix}_{os.urandom(26).translate(_LETTERS).decode('ascii')}"
