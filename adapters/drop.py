"""A drop: a file that an agency puts in place now and then, found by person without holding it.

The index keeps two integers and a keyed hash per record, never a name or a value: the record
itself is read from the file when it is asked for, and its key compared.
"""

import os
import stat
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO, NamedTuple, Protocol

from kernel.clock import Deadline

MAX_FILE = 256 * 1024 * 1024
MAX_RECORDS = 1_000_000
MAX_TEXT = 64 * 1024
"""Bytes of one line or record."""


class Missing(Exception):
    """There is no file, or it cannot be opened."""


class Garbled(Exception):
    """The file is not what the catalogue describes; the message says in what."""


class Slow(Exception):
    """The index was not ready in time; it goes on being made for the next request."""


class Entry(NamedTuple):
    """Where one record stands in the file."""

    key: str
    offset: int
    length: int


class Content(NamedTuple):
    """What a file has: the names of its columns, if any, and its records."""

    header: tuple[str, ...]
    entries: Iterable[Entry]


class Found(NamedTuple):
    """What was found for one key, all from one state of the file."""

    header: tuple[str, ...]
    texts: list[bytes]


class Format(Protocol):
    """How a file is cut into records."""

    def content(self, file: BinaryIO) -> Content:
        """Return what the file has; this, or going through the entries, may raise `Garbled`."""
        ...


class Identity(NamedTuple):
    """What changes when a file is replaced or rewritten."""

    device: int
    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, file: BinaryIO) -> "Identity":
        """Return the identity of an open file, or raise `Garbled` for what is no file."""
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Garbled("is not a regular file")
        if status.st_size > MAX_FILE:
            raise Garbled(f"is larger than {MAX_FILE} bytes")
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class Index:
    """Hashes of keys in order, and beside each the place of its record."""

    __slots__ = ("_hashes", "_lengths", "_offsets")

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Take the places of all records; raises `Garbled` when there are too many."""
        hashes, offsets, lengths = array("q"), array("q"), array("l")
        for entry in entries:
            if len(hashes) == MAX_RECORDS:
                raise Garbled(f"has more than {MAX_RECORDS} records")
            hashes.append(hash(entry.key))
            offsets.append(entry.offset)
            lengths.append(entry.length)
        order = sorted(range(len(hashes)), key=hashes.__getitem__)
        self._hashes = array("q", (hashes[i] for i in order))
        self._offsets = array("q", (offsets[i] for i in order))
        self._lengths = array("l", (lengths[i] for i in order))

    def places(self, key: str, limit: int) -> Iterator[tuple[int, int]]:
        """Yield offset and length of the records under this key's hash, in the file's order."""
        wanted = hash(key)
        at = bisect_left(self._hashes, wanted)
        end = min(at + limit, len(self._hashes))
        while at < end and self._hashes[at] == wanted:
            yield self._offsets[at], self._lengths[at]
            at += 1


@dataclass(frozen=True, slots=True)
class _Indexed:
    identity: Identity
    header: tuple[str, ...]
    index: Index | Garbled


class Drop:
    """One file, indexed once per replacement by a thread of its own."""

    def __init__(self, where: Path, form: Format) -> None:
        """Keep the place; nothing is opened yet."""
        self._where = where
        self._format = form
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="drop")
        self._lock = Lock()
        self._latest: Future[_Indexed] | None = None

    def find(self, key: str, limit: int, deadline: Deadline) -> Found:
        """Return the records that may be this key's, at most `limit` of them.

        Raises `Missing`, `Garbled` or `Slow`.
        """
        while True:
            with self._open() as file:
                identity = Identity.of(file)
                indexed = self._indexed(identity, deadline)
                if indexed.identity != identity:
                    continue  # Replaced since it was indexed, or since we opened it.
                if isinstance(indexed.index, Garbled):
                    raise Garbled(str(indexed.index))
                texts = [
                    os.pread(file.fileno(), length, offset)
                    for offset, length in indexed.index.places(key, limit)
                ]
                if Identity.of(file) == identity:
                    return Found(indexed.header, texts)

    def close(self) -> None:
        """End the thread."""
        self._worker.shutdown()

    def _indexed(self, identity: Identity, deadline: Deadline) -> _Indexed:
        """Return the index of the file as it is, made now if it was replaced."""
        if not deadline.left():
            raise Slow
        with self._lock:
            future = self._latest
            if future is None or (future.done() and _outdated(future, identity)):
                future = self._latest = self._worker.submit(self._make)
        try:
            return future.result(deadline.left())
        except FutureTimeoutError as error:
            raise Slow from error

    def _make(self) -> _Indexed:
        with self._open() as file:
            identity = Identity.of(file)
            try:
                content = self._format.content(file)
                return _Indexed(identity, content.header, Index(content.entries))
            except Garbled as error:
                # Kept like an index: the same bytes need not be read again to be refused again.
                return _Indexed(identity, (), error.with_traceback(None))

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        try:
            with open(self._where, "rb", opener=_without_waiting) as file:
                yield file
        except OSError as error:
            raise Missing from error


def _without_waiting(name: str, flags: int) -> int:
    # A pipe in the file's place must not make us wait for its other end.
    return os.open(name, flags | os.O_NONBLOCK)


def _outdated(future: "Future[_Indexed]", identity: Identity) -> bool:
    return future.exception() is not None or future.result().identity != identity
