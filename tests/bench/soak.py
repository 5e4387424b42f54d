"""`python -m tests.bench.soak`: half load for half an hour; errors, and how memory grows.

Half load is a closed loop as in `bench_latency`; requests are made for some twenty seconds at a
time, so that neither a proof nor a token grows too old.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.bench_latency import CONNECTIONS, half
from tests.bench.governed import Loading
from tests.bench.process import resident_mib, tree
from tests.bench.scene import at_source, peopled, served
from tests.bench.wrk import Load

PORTION = 20
"""Seconds for which requests are made at a time."""
BEFORE = 5
"""Seconds for which one connection, and then full load, tell what half load is."""
SETTLED = 5.0
"""Minutes after which memory should not grow any more."""


@dataclass
class Soaked:
    """What became of the requests so far, and the memory after so many minutes."""

    full: float
    answers: int = 0
    refused: int = 0
    lost: int = 0
    cpu: float = 0.0
    loaded: float = 0.0
    p99: float = 0.0
    memory: dict[float, float] = field(default_factory=dict)

    def add(self, told: Load, cpu: float) -> None:
        """Count a portion in."""
        self.answers, self.cpu = self.answers + told.answers, self.cpu + cpu
        self.refused, self.lost = self.refused + told.refused, self.lost + told.lost
        self.loaded, self.p99 = self.loaded + told.seconds, max(self.p99, told.p99)

    def table(self) -> dict[str, float]:
        """Return what it comes to."""
        settled = next(
            (mib for minute, mib in self.memory.items() if minute >= SETTLED),
            next(iter(self.memory.values())),
        )
        *_, last = self.memory.values()
        return {
            "exchanges": self.answers,
            "per second": round(self.answers / self.loaded, 1),
            "per second at full load": round(self.full, 1),
            "refused": self.refused,
            "lost": self.lost,
            "CPU µs": round(self.cpu / self.answers * 1e6, 1),
            "p99 ms, worst portion": round(self.p99, 1),
            "MiB after five minutes": settled,
            "MiB at the end": last,
            "growth, %": round((last / settled - 1) * 100, 2),
        }


def soak(loading: Loading, minutes: float) -> Soaked:
    """Load for so many minutes at half of the rate that is measured first."""
    alone, _ = loading.load(1, BEFORE)
    full, _ = loading.load(CONNECTIONS, BEFORE)
    pause = half(full, alone)
    soaked, began = Soaked(full.rate), time.monotonic()
    while (left := minutes * 60 - (time.monotonic() - began)) > 0:
        soaked.add(*loading.load(CONNECTIONS, max(1, min(PORTION, round(left))), pause))
        minute = round((time.monotonic() - began) / 60, 2)
        soaked.memory[minute] = resident_mib(loading.pid)
        sys.stderr.write(
            f"minute {minute}: {loading.rate:.0f}/s, {soaked.memory[minute]} MiB,"
            f" {soaked.refused} refused, {soaked.lost} lost\n"
        )
    return soaked


def sizes(state: Path) -> dict[str, float]:
    """Return how large the files of a country grew, in MiB, by directory and kind."""
    found: dict[str, float] = {}
    for file in state.rglob("*"):
        if file.is_file():
            name = str(file.relative_to(state).parent / f"*{file.suffix}")
            found[name] = found.get(name, 0) + file.stat().st_size / 2**20
    return {name: round(size, 1) for name, size in sorted(found.items()) if size >= 1}


@contextmanager
def standing(place: Path) -> Iterator[Loading]:
    """Run a gateway with a worker for each core."""
    people = peopled(place)
    with at_source(place, people.numbers) as source, served(people, source) as country:
        yield Loading.of(place, country, people)


def main() -> None:
    """Soak, print the table, and exit 1 when a request was refused or lost, or a worker
    ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak")
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    with TemporaryDirectory() as directory, standing(Path(directory)) as loading:
        began = set(tree(loading.pid))
        told = soak(loading, minutes).table()
        told["processes that ended"] = len(began - set(tree(loading.pid)))
        told["files, MiB"] = sizes(loading.country.state)
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    bad = ("refused", "lost", "processes that ended")
    raise SystemExit(1 if any(told[name] for name in bad) else 0)


if __name__ == "__main__":
    main()
