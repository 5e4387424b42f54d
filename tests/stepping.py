"""Clocks that step: one process's own, by a preloaded library; the machine's is never touched.

libfaketime 0.9.10 will not do: where it leaves the monotonic clock alone, every sleep of Python's
fails, and where it does not, deadlines leap too.
"""

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "clock.c"


def clock_library(directory: Path) -> Path:
    """Return what a process preloads for a wall clock of its own, compiled (`clock.c` says how it
    is set)."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "the tests need a C compiler (Debian: gcc, libc6-dev)"
    shared = directory / "clock.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", shared, SOURCE], check=True)
    return shared


@dataclass(frozen=True)
class Stepping:
    """The clock of whoever runs in its environment, so many seconds ahead of the machine's."""

    file: Path
    library: Path

    @classmethod
    def made(cls, directory: Path) -> "Stepping":
        """Return a clock that is right as yet, and keep it in a directory."""
        clock = cls(directory / "ahead", clock_library(directory))
        clock.file.write_bytes(struct.pack("q", 0))
        return clock

    @property
    def environ(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "CLOCK_AHEAD": str(self.file)}

    def step(self, seconds: int) -> None:
        """Set it so many seconds ahead of the machine's clock; below 0 it is behind."""
        with self.file.open("r+b") as file:  # the page that everybody sees, and no new one
            file.write(struct.pack("q", seconds))
