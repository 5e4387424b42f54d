"""File lock: one writer at a time over all threads and processes of a machine, in turn."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernel.clock import Deadline

_POLL = 0.001
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gfs2"}
    | {"fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.rclone", "fuse.cephfs", "davfs"}
)


class FileLock:
    """Two lock files beside a file: the lock, and the turnstile where one process waits for it.

    flock is not fair: without the turnstile a busy server that lets go for an instant would
    take the lock again before anybody who polls for it.
    """

    def __init__(self, path: Path) -> None:
        """Open, or make, `<path>.lock` and `<path>.turn`."""
        self._threads = threading.Lock()
        self._lock = _open(path.with_name(path.name + ".lock"))
        self._turnstile = _open(path.with_name(path.name + ".turn"))

    @contextmanager
    def held(self, deadline: Deadline) -> Iterator[None]:
        """Hold the lock, or raise `TimeoutError` when the deadline passes first."""
        self.take(deadline)
        try:
            yield
        finally:
            self.let_go()

    def take(self, deadline: Deadline) -> None:
        """Take the lock, or raise `TimeoutError` when the deadline passes first."""
        if not self._threads.acquire(timeout=deadline.left()):
            raise TimeoutError("another thread holds the lock")
        taken = False
        try:
            _take(self._turnstile, deadline)
            try:
                _take(self._lock, deadline)
            finally:
                fcntl.flock(self._turnstile, fcntl.LOCK_UN)
            taken = True
        finally:
            if not taken:
                self._threads.release()

    def let_go(self) -> None:
        """Let go of the lock; only who took it may."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def close(self) -> None:
        """Close both files."""
        os.close(self._lock)
        os.close(self._turnstile)


def refuse_network(directory: Path, mounts: Path = Path("/proc/self/mountinfo")) -> None:
    """Raise `OSError` when the directory lies on a file system whose locks cannot be trusted."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except FileNotFoundError:  # not Linux: there is no way to know
        return
    best, kind = "", ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        if directory.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, after.split()[0]
    if kind in _NETWORK:
        raise OSError(
            f"{directory} lies on a network file system ({kind}); SQLite needs a local disk"
        )


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(descriptor: int, deadline: Deadline) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if deadline.left() == 0:
                raise TimeoutError("another process holds the lock") from None
            time.sleep(_POLL)
        else:
            return
