"""`python -m tests.bench.soak`: half load for half an hour; errors, and how memory grows."""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.bench_beside import (
    SPARE,
    asked,
    at_source,
    country_with,
    peopled,
)
from tests.bench.bench_server import resident_mib
from tests.bench.wrk import load
from tests.country import RunningCountry

CONNECTIONS = 32
SETTLED = 5
"""Minutes after which memory should not grow any more."""


def soaked(place: Path, country: RunningCountry, numbers: list[str], minutes: int) -> dict:
    """Load for so many minutes at half of the rate that is measured first."""
    agency, pid = country.agency(), country.processes.pids()["gateway"]
    full = load(place, country.gateway, asked(agency, numbers, 6000), CONNECTIONS, 3)
    rate = full.rate / 2
    pause = max(0.0, CONNECTIONS / rate * 1000 - full.p50 / 2)
    answers = lost = refused = 0
    memory = []
    for minute in range(1, minutes + 1):
        made = asked(agency, numbers, int(rate * 60 * SPARE))
        told = load(place, country.gateway, made, CONNECTIONS, 50, pause)
        answers, lost, refused = answers + told.answers, lost + told.lost, refused + told.refused
        memory.append(resident_mib(pid))
        sys.stderr.write(f"minute {minute}: {told.rate:.0f}/s, {memory[-1]} MiB\n")
    settled = memory[min(SETTLED, len(memory)) - 1]
    return {
        "exchanges": answers,
        "per second": round(rate, 1),
        "refused": refused,
        "lost": lost,
        "MiB after five minutes": settled,
        "MiB at the end": memory[-1],
        "growth, %": round((memory[-1] / settled - 1) * 100, 2),
    }


def main() -> None:
    """Soak, print the table, and exit 1 when something was refused or lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak")
    parser.add_argument("--minutes", type=int, default=30)
    minutes = parser.parse_args().minutes
    with TemporaryDirectory() as directory:
        place = Path(directory)
        country, numbers, _ = peopled(place)
        with (
            at_source(place, numbers) as port,
            country_with(country, f"http://127.0.0.1:{port}") as running,
        ):
            told = soaked(place, running, numbers, minutes)
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    raise SystemExit(1 if told["refused"] or told["lost"] else 0)


if __name__ == "__main__":
    main()
