"""Export: the log as static files in the layout of C2SP tlog-tiles, the checkpoint last."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from audit import store
from audit.checkpoint import Signer
from audit.merkle import EMPTY, TILE, fold, leaf_hash, node_hash
from audit.model import BadLedger, Head, Tree
from kernel.database_model import Connection
from kernel.durable import replace_durably

_PAGE = 1024


class Occupied(Exception):
    """The directory cannot take this export; the message says why."""


def export(connection: Connection, directory: Path, signer: Signer) -> Tree:
    """Write the whole log into a directory and return its tree.

    Every hash is computed anew from the leaves; `BadLedger` when they do not lead to the root
    of the state row, and then no checkpoint is signed.
    """
    head = store.head(connection)
    if head is None:
        raise BadLedger("no log was opened in this database yet")
    if head.origin != signer.name:
        raise BadLedger(f"the database holds the log {head.origin}, not {signer.name}")
    return write(_leaves(connection, head), directory, signer, Tree(head.size, head.root))


def write(
    leaves: Iterable[bytes], directory: Path, signer: Signer, expected: Tree | None = None
) -> Tree:
    """Write leaves as a log into a directory: bundles, tiles, `vkey`, and `checkpoint` last."""
    _claim(directory, signer)
    tiles = _Tiles(directory)
    bundle: list[bytes] = []
    size = 0
    for leaf in leaves:
        bundle.append(leaf)
        tiles.add(0, leaf_hash(leaf))
        size += 1
        if len(bundle) == TILE:
            _write_bundle(directory, size // TILE - 1, bundle)
            bundle = []
    if bundle:
        _write_bundle(directory, size // TILE, bundle)
    tree = Tree(size, tiles.finish())
    if expected is not None and tree != expected:
        raise BadLedger("the leaves in the database do not lead to the root in the state row")
    _put(directory / "checkpoint", signer.sign(tree).encode())
    return tree


def tile_path(level: str, n: int, width: int) -> str:
    """Return a tile's path (C2SP tlog-tiles): the number in groups of three digits."""
    *above, last = (group.zfill(3) for group in f"{n:,}".split(","))
    groups = [*(f"x{group}" for group in above), last]
    partial = "" if width == TILE else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


class _Tiles:
    """The hash tiles, level over level, written as they fill."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._levels: list[tuple[int, list[bytes]]] = []

    def add(self, level: int, value: bytes) -> None:
        """Add a hash at the right end of a level; a full tile's root goes one level up."""
        if level == len(self._levels):
            self._levels.append((0, []))
        n, hashes = self._levels[level]
        hashes.append(value)
        if len(hashes) == TILE:
            self._write(level, n, hashes)
            self._levels[level] = (n + 1, [])
            self.add(level + 1, fold(hashes))

    def finish(self) -> bytes:
        """Write the partial tiles at the right edge and return the root of the tree."""
        right: bytes | None = None
        for level, (n, hashes) in enumerate(self._levels):
            if hashes:
                self._write(level, n, hashes)
            row = list(hashes)
            while row:  # the perfect subtrees inside the partial tile, from right to left
                width = len(row) & -len(row)
                part = fold(row[-width:])
                del row[-width:]
                right = part if right is None else node_hash(part, right)
        return EMPTY if right is None else right

    def _write(self, level: int, n: int, hashes: list[bytes]) -> None:
        _put(self._directory / tile_path(str(level), n, len(hashes)), b"".join(hashes))


def _leaves(connection: Connection, head: Head) -> Iterator[bytes]:
    for start in range(0, head.size, _PAGE):
        for leaf, _ in store.leaves(connection, start, min(start + _PAGE, head.size)):
            yield leaf


def _write_bundle(directory: Path, n: int, bundle: list[bytes]) -> None:
    content = b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in bundle)
    _put(directory / tile_path("entries", n, len(bundle)), content)


def _claim(directory: Path, signer: Signer) -> None:
    """Take a directory that is empty or holds an earlier export of the same log."""
    directory.mkdir(parents=True, exist_ok=True)
    vkey = directory / "vkey"
    text = f"{signer.vkey}\n"
    if vkey.exists():
        if vkey.read_text(encoding="ascii", errors="replace") != text:
            raise Occupied(f"{directory} holds the export of another log")
    elif any(directory.iterdir()):
        raise Occupied(f"{directory} is not empty and holds no export")
    _put(vkey, text.encode())


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_durably(path, content)
