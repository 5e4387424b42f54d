"""Verifier: reads a log as anybody may, and names the first place that is not as it must be.

It stands alone: the standard library and the Ed25519 check of `cryptography`, and nothing of the
code that writes the log. What it checks, in order:

1. the verifier key, and the signature of the checkpoint;
2. each receipt: its proof, under the same key;
3. each entry: its form, its place in the story, its hash in the tile, and what receipts say of it;
4. each hash tile above; the root of the checkpoint, and of every checkpoint that a receipt saw.
"""

import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from audit import verify_leaf, verify_receipt
from audit.verify_receipt import Expected
from audit.verify_source import Directory, Site, Source
from audit.verify_tree import HASH, MAX_NOTE, Checkpoint, Defect, VerifierKey, leaf_hash, node_hash

TILE: Final = 256
_MAX_KEY = 1024
_MAX_JWKS = 64 * 1024
_MAX_BUNDLE = TILE * (2 + 0xFFFF)
_TOLD_EVERY = 1 << 16


class Bad(Exception):
    """The first bad place: the index of an entry, and what is wrong there."""

    def __init__(self, index: int, what: str) -> None:
        """Keep both."""
        super().__init__(f"bad index={index} what={what}")
        self.index = index
        self.what = what


@dataclass(frozen=True, slots=True)
class Question:
    """What to verify with: the texts of the key, of the receipts by name, and of a JWKS."""

    vkey: str | None
    receipts: Sequence[tuple[str, bytes]] = ()
    jwks: bytes | None = None


def main(
    directory: Path | None,
    url: str | None,
    vkey: Path | None,
    receipts: Sequence[Path] = (),
    jwks: Path | None = None,
) -> int:
    """Verify one log, print the verdict as the last line, and return 0 (good), 1 (bad) or 2."""
    try:
        question = Question(
            None if vkey is None else _head(vkey, _MAX_KEY).decode(),
            [(path.name, _head(path, verify_receipt.MAX_RECEIPT)) for path in receipts],
            None if jwks is None else _head(jwks, _MAX_JWKS),
        )
        source = _source(directory, url)
    except (OSError, UnicodeError, Defect) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        seen = verify(source, question, _say)
    except Bad as bad:
        sys.stdout.write(f"{bad}\n")
        return 1
    sys.stdout.write(f"ok size={seen.size} root={b64encode(seen.root).decode()}\n")
    return 0


def verify(source: Source, question: Question, say: Callable[[str], None]) -> Checkpoint:
    """Return the checkpoint of a log that is as it must be, or raise `Bad`."""
    key, seen = _checkpoint(source, question, say)
    receipts = []
    for name, text in question.receipts:
        try:
            receipts.append(verify_receipt.read(name, text, key, question.jwks))
        except Defect as defect:
            raise Bad(0, f"receipt {name}: {defect}") from None
    expected = Expected(receipts)
    walk = _Walk(source, seen, expected)
    story = verify_leaf.Story(key)
    for index, leaf in walk.leaves():
        try:
            members = verify_leaf.parse(leaf)
            story.tell(index, members)
            if members["type"] == "log.recovered":
                expected.recovered(members)
            walk.add(index, leaf, members)
        except Defect as defect:
            raise Bad(index, str(defect)) from None
        if (index + 1) % _TOLD_EVERY == 0:
            say(f"{index + 1} of {seen.size} entries")
    walk.finish()
    try:
        story.finish()
    except Defect as defect:
        raise Bad(0, str(defect)) from None
    for line in expected.lost:
        say(line)
    return seen


def tile_path(level: int | str, n: int, width: int = TILE) -> str:
    """Return the path of a tile (C2SP tlog-tiles)."""
    digits = str(n).zfill(3 * max(1, -(-len(str(n)) // 3)))
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    path = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{path}" + ("" if width == TILE else f".p/{width}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _source(directory: Path | None, url: str | None) -> Source:
    if directory is not None and url is None:
        return Directory(directory)
    if url is not None and directory is None:
        return Site(url)
    raise Defect("name one source: a directory or a URL")


def _checkpoint(
    source: Source, question: Question, say: Callable[[str], None]
) -> tuple[VerifierKey, Checkpoint]:
    try:
        text = question.vkey
        if text is None:
            say("no --vkey was given: the log's own key is taken on trust")
            text = (source.read("vkey", _MAX_KEY) or b"").decode("utf-8", "replace")
        key = VerifierKey.parse(text)
        return key, key.open(source.read("checkpoint", MAX_NOTE) or b"")
    except Defect as defect:
        raise Bad(0, str(defect)) from None


class _Walk:
    """One pass over the entries, from left to right, that rebuilds every tile."""

    def __init__(self, source: Source, seen: Checkpoint, expected: Expected) -> None:
        self._source = source
        self._seen = seen
        self._expected = expected
        self._levels: list[tuple[int, list[bytes]]] = []
        self._good = 0

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        """Yield the entries up to the checkpoint's size, each with the hash that its tile has."""
        size = self._seen.size
        for n in range(-(-size // TILE)):
            first, width = n * TILE, min(TILE, size - n * TILE)
            bundle, exact = self._read("entries", n, width, _MAX_BUNDLE)
            hashes, _ = self._read(0, n, width, TILE * HASH)
            at = 0
            for index in range(first, first + width):
                end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
                if at + 2 > len(bundle) or end > len(bundle):
                    raise Bad(index, f"{tile_path('entries', n, width)} ends within the entry")
                leaf, place = bundle[at + 2 : end], (index - first) * HASH
                if leaf_hash(leaf) != hashes[place : place + HASH]:
                    raise Bad(index, f"the entry's hash is not the one in {tile_path(0, n, width)}")
                yield index, leaf
                at = end
            if at != len(bundle) and exact:
                raise Bad(first + width, f"{tile_path('entries', n, width)} holds more entries")

    def add(self, index: int, leaf: bytes, members: dict[str, str]) -> None:
        """Take one entry into the tree; raise `Defect` when a receipt knows another."""
        value = leaf_hash(leaf)
        self._expected.entry(index, value, members)
        self._push(0, value)
        for receipt in self._expected.trees(index + 1):
            if self._root() != receipt.seen.root:
                what = f"the first {index + 1} entries are not those that a receipt proves"
                raise Bad(receipt.index, what)
            self._good = index + 1

    def finish(self) -> None:
        """Compare the tiles at the right edge, the root, and receipts of a larger log."""
        for level, (n, hashes) in enumerate(self._levels):
            if hashes and level:
                self._compare(level, n, hashes)
        if self._root() != self._seen.root:
            raise Bad(self._good, "the entries do not lead to the checkpoint's root")
        for receipt in self._expected.left():
            what = f"a receipt proves a log of {receipt.seen.size} entries, this has fewer"
            raise Bad(min(receipt.index, self._seen.size), what)

    def _push(self, level: int, value: bytes) -> None:
        if level == len(self._levels):
            self._levels.append((0, []))
        n, hashes = self._levels[level]
        hashes.append(value)
        if len(hashes) == TILE:
            if level:
                self._compare(level, n, hashes)
            self._levels[level] = (n + 1, [])
            self._push(level + 1, _fold(hashes))

    def _compare(self, level: int, n: int, hashes: list[bytes]) -> None:
        data, _ = self._read(level, n, len(hashes), TILE * HASH)
        name = tile_path(level, n, len(hashes))
        for place, value in enumerate(hashes):
            if data[place * HASH : (place + 1) * HASH] != value:
                index = (n * TILE + place) * TILE**level
                raise Bad(index, f"{name} does not hold the hash of the tile below")

    def _read(self, level: int | str, n: int, width: int, most: int) -> tuple[bytes, bool]:
        """Return a tile, and whether it is exactly the one asked for: a full one serves where
        the partial one is gone (C2SP tlog-tiles)."""
        index = n * TILE * (1 if level == "entries" else TILE ** int(level))
        try:
            data = self._source.read(tile_path(level, n, width), most)
            exact = data is not None
            if data is None and width < TILE:
                data = self._source.read(tile_path(level, n), most)
        except Defect as defect:
            raise Bad(index, str(defect)) from None
        if data is None:
            raise Bad(index, f"{tile_path(level, n, width)} is missing")
        if exact and level != "entries" and len(data) != width * HASH:
            raise Bad(index, f"{tile_path(level, n, width)} is not {width} hashes long")
        return data, exact

    def _root(self) -> bytes:
        right: bytes | None = None
        for _, hashes in self._levels:
            end = len(hashes)
            while end:
                width = end & -end
                part = _fold(hashes[end - width : end])
                right = part if right is None else node_hash(part, right)
                end -= width
        return sha256().digest() if right is None else right


def _fold(hashes: Sequence[bytes]) -> bytes:
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def _head(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most + 1)
