"""Merkle tree: the hashes, roots and proofs of RFC 6962, over any source of subtree hashes."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

TILE = 256
EMPTY = sha256().digest()
"""The root of the tree without leaves (RFC 6962 §2.1)."""

Subtree = Callable[[int, int], bytes]
"""Returns MTH(D[start:end]) for a range that the tree of RFC 6962 has as a node."""


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of one leaf (RFC 6962 §2.1)."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 6962 §2.1)."""
    return sha256(b"\x01" + left + right).digest()


def middle(start: int, end: int) -> int:
    """Return where the tree over D[start:end] divides: the largest power of two below its size."""
    return start + (1 << ((end - start - 1).bit_length() - 1))


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over a power of two of neighbouring subtree hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def parts(size: int) -> list[tuple[int, int]]:
    """Return the ranges of the perfect subtrees that make up a tree, from left to right."""
    ranges = []
    start = 0
    while start < size:
        end = start + (1 << ((size - start).bit_length() - 1))
        ranges.append((start, end))
        start = end
    return ranges


def joined(edge: Sequence[bytes]) -> bytes:
    """Return the root of the tree whose perfect subtrees have these hashes, from left to right."""
    if not edge:
        return EMPTY
    root = edge[-1]
    for value in reversed(edge[:-1]):
        root = node_hash(value, root)
    return root


def inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return PATH(index, D[size]) of RFC 6962 §2.1.1, from the leaf's sibling upwards."""
    if not 0 <= index < size:
        raise IndexError("the tree has no such leaf")
    path = []
    start, end = 0, size
    while end - start > 1:
        split = middle(start, end)
        if index < split:
            path.append(subtree(split, end))
            end = split
        else:
            path.append(subtree(start, split))
            start = split
    return path[::-1]


def consistency(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Return PROOF(old, D[new]) of RFC 6962 §2.1.2; `old` is at least 1."""
    if not 1 <= old <= new:
        raise IndexError("there is a consistency proof only from 1 up to the tree's size")
    path = []
    start, end = 0, new
    while old != end:
        split = middle(start, end)
        if old <= split:
            path.append(subtree(split, end))
            end = split
        else:
            path.append(subtree(start, split))
            start = split
    if start > 0:
        path.append(subtree(start, end))
    return path[::-1]


class Growth:
    """A tree that grows by some leaves: its edge before them suffices for everything after."""

    __slots__ = ("_known", "_parts", "before", "hashes", "size")

    def __init__(self, size: int, edge: Sequence[bytes]) -> None:
        """Start from a tree of this size and the hashes of its perfect subtrees."""
        ranges = parts(size)
        if len(ranges) != len(edge):
            raise ValueError("the edge does not belong to a tree of this size")
        self.before = self.size = size
        self.hashes: list[bytes] = []
        self._parts = ranges
        self._known = dict(zip(ranges, edge, strict=True))
        """The perfect subtrees of which the hash is known, which later leaves never change."""

    def extend(self, hashes: Iterable[bytes]) -> None:
        """Add leaf hashes at the right; two neighbours of one width become one, twice as wide."""
        for value in hashes:
            self.hashes.append(value)
            start, end = self.size, self.size + 1
            self._known[start, end] = value
            while self._parts and start - self._parts[-1][0] == end - start:
                left = self._parts.pop()
                start = left[0]
                self._known[start, end] = node_hash(self._known[left], self._known[left[1], end])
            self._parts.append((start, end))
            self.size = end

    def subtree(self, start: int, end: int) -> bytes:
        """Return MTH(D[start:end]); `KeyError` when it lies inside what was there before."""
        known = self._known.get((start, end))
        if known is not None:
            return known
        width = end - start
        if width & (width - 1) == 0:
            raise KeyError((start, end))
        split = middle(start, end)
        return node_hash(self.subtree(start, split), self.subtree(split, end))

    def root(self) -> bytes:
        """Return the root with the new leaves."""
        return joined(self.edge())

    def edge(self) -> list[bytes]:
        """Return the hashes of the perfect subtrees with the new leaves."""
        return [self._known[part] for part in self._parts]

    def inclusion(self, index: int) -> list[bytes]:
        """Return the inclusion proof of a new leaf in the grown tree."""
        return inclusion(index, self.size, self.subtree)
