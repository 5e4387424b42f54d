"""Disk: a shared object, compiled for the test run, that makes one process's disk fail."""

import ctypes
import shutil
import subprocess
from pathlib import Path

FAULTS = {"none": 0, "kill": 1, "torn": 2, "EIO": 3, "ENOSPC": 4}
SOURCE = Path(__file__).with_name("disk.c")


def compiled(directory: Path) -> Path:
    """Return the shared object to name in LD_PRELOAD."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "the fault tests need a C compiler (Debian: gcc, libc6-dev)"
    shared = directory / "disk.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(shared), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return shared


class Disk:
    """The disk of this process, which was started with the shared object preloaded."""

    def __init__(self) -> None:
        self._calls = ctypes.CDLL(None)
        self._calls.disk_disarm.restype = ctypes.c_long

    def arm(self, state: Path, fault: str, below: str, at: int, tell: int) -> None:
        """Let the `at`-th write or sync on a file below a part of the state fail; count them."""
        where = ctypes.c_char_p(str((state / below).resolve()).encode())
        self._calls.disk_arm(where, FAULTS[fault], ctypes.c_long(at), tell)

    def disarm(self) -> int:
        """Let everything succeed again; return how many calls there were."""
        return int(self._calls.disk_disarm())
