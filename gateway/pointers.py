"""Pointers: the segments of a JSON Pointer."""

from kernel.names import Pointer


def segments(pointer: Pointer) -> list[str]:
    """Return a pointer's segments, unescaped (RFC 6901 §4)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
