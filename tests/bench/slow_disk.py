"""Slow disk: the environment of a process whose every sync takes longer, and what a sync takes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).with_name("slow_sync.c")
SYNCS = 200
TIMED = f"""
import os, sys, tempfile, time
with tempfile.TemporaryFile(dir=sys.argv[1]) as file:
    taken = 0.0
    for _ in range({SYNCS}):
        file.write(bytes(4096))
        file.flush()
        began = time.perf_counter()
        os.fdatasync(file.fileno())
        taken += time.perf_counter() - began
print(taken / {SYNCS} * 1000)
"""


def slow_disk(directory: Path, micros: int) -> dict[str, str]:
    """Return the environment in which each sync takes so many microseconds more."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("the benchmarks need a C compiler: install the Debian package gcc.")
    shared = directory / "slow_sync.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", shared, SOURCE], check=True)
    return {"LD_PRELOAD": str(shared), "SLOW_SYNC_MICROS": str(micros)}


def sync_ms(directory: Path, environ: Mapping[str, str]) -> float:
    """Return what a sync of a page takes a process with this environment, in milliseconds."""
    told = subprocess.run(
        [sys.executable, "-c", TIMED, str(directory)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return round(float(told.stdout), 3)
