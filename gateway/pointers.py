"""Pointers: the segments of a JSON Pointer."""

from functools import lru_cache

from kernel.names import Pointer


@lru_cache(maxsize=4096)
def segments(pointer: Pointer) -> tuple[str, ...]:
    """Return a pointer's segments, unescaped (RFC 6901 §4)."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
