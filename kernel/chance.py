"""Chance: the one module that draws random bits; everybody else is handed a source of them."""

import os
from base64 import b32encode
from typing import Protocol


class Chance(Protocol):
    """Draws unpredictable bytes and identifiers."""

    def bits(self, size: int) -> bytes:
        """Return so many random bytes."""
        ...

    def identifier(self, prefix: str) -> str:
        """Return `prefix_` and 26 characters that carry 128 random bits."""
        ...


class SystemChance:
    """The operating system's generator."""

    def bits(self, size: int) -> bytes:
        """Return so many random bytes."""
        return os.urandom(size)

    def identifier(self, prefix: str) -> str:
        """Return `prefix_` and 26 characters that carry 128 random bits."""
        text = b32encode(os.urandom(16)).decode("ascii").rstrip("=").lower()
        return f"{prefix}_{text}"
