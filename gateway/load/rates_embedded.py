"""Rates on one machine: buckets in a file of this boot that its workers share, mapped into memory.

A bucket is one instant: when it will be full again (the generic cell rate algorithm). The file
has room for so many buckets; one that is full is no different from none, and gives its room away.
"""

import hashlib
import mmap
import os
import struct
from functools import lru_cache
from pathlib import Path

from gateway.load.rates import Bucket, Empty
from kernel.bootfile import unavailable
from kernel.clock import Clock, Deadline
from kernel.filelock import FileLock, refuse_network

_SLOT = struct.Struct("<16sd")
_SLOTS = 1 << 16
_PROBES = 32
_WAIT = 1.0
_ROUNDING = 1e-6


class EmbeddedRates:
    """The port `gateway.load.rates.Rates` for the workers of one machine."""

    def __init__(self, directory: Path, boot: str, clock: Clock) -> None:
        """Open the file of this boot, or make it; raise `state.unavailable`."""
        self._clock = clock
        path = directory / f"{boot}.rates"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_network(directory)
            for old in directory.glob("*.rates*"):
                if not old.name.startswith(path.name):
                    old.unlink()
            self._lock = FileLock(path)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # Not sparse: a page for which a full disk has no room ends who touches it.
                os.posix_fallocate(file, 0, _SLOT.size * _SLOTS)
                self._slots = mmap.mmap(file, _SLOT.size * _SLOTS)
            finally:
                os.close(file)
        except OSError as error:
            raise unavailable("cannot be opened") from error

    def take(self, *buckets: Bucket) -> Empty | None:
        """Take one from each bucket and return None, or from none of them and return the first
        that is empty; raise `Refusal` with `state.unavailable` when nobody can know."""
        try:
            with self._lock.held(Deadline.within(_WAIT, self._clock)):
                return self._take(buckets)
        except OSError as error:
            raise unavailable("does not answer") from error

    def close(self) -> None:
        """Let go of the file."""
        self._slots.close()
        self._lock.close()

    def _take(self, buckets: tuple[Bucket, ...]) -> Empty | None:
        now = self._clock.monotonic()
        taken: dict[int, tuple[bytes, float]] = {}
        for bucket in buckets:
            digest, window = _digest(bucket.name), bucket.limit.seconds
            place, full_at = self._find(digest, now, taken)
            full_at = min(max(full_at, now), now + window) + window / bucket.limit.count
            if (over := full_at - now - window) > _ROUNDING:
                return Empty(bucket, over)
            taken[place] = (digest, full_at)
        for place, slot in taken.items():
            _SLOT.pack_into(self._slots, place, *slot)
        return None

    def _find(
        self, digest: bytes, now: float, taken: dict[int, tuple[bytes, float]]
    ) -> tuple[int, float]:
        """Return the bucket's place, or one that is free, and when what is there is full."""
        first, free = int.from_bytes(digest[:4]), None
        for n in range(_PROBES):
            place = (first + n) % _SLOTS * _SLOT.size
            if place in taken:
                continue
            held, full_at = _SLOT.unpack_from(self._slots, place)
            if held == digest:
                return place, full_at
            if free is None and full_at <= now:
                free = place
        if free is None:
            raise unavailable("counts more askers than it has room for")
        return free, now


@lru_cache(maxsize=4096)
def _digest(name: tuple[str, ...]) -> bytes:
    return hashlib.blake2b("\0".join(name).encode(), digest_size=16).digest()
