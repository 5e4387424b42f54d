"""Latency: of an exchange alone, and what it adds to a bare pass-through at half load.

The load generator knows no rate. Half load is a closed loop instead: 64 connections, each of which
rests between two requests for an exponential time, so long on average that together they ask half
as often as the gateway was found to answer. That is a little kinder than arrivals that wait for
nobody. The pass-through is then asked at the same rate; the difference of two percentiles is an
indication.
"""

from pathlib import Path

from tests.bench.governed import Loading, Row, passed, row
from tests.bench.scene import CORES, at_source, passing, peopled, served
from tests.bench.wrk import Load

CONNECTIONS = 64


def half(full: Load, alone: Load) -> float:
    """Return for how many ms each connection has to rest, if an answer takes what one takes
    alone, and half as long again for those that it meets."""
    return max(0.0, CONNECTIONS / (full.rate / 2) * 1000 - alone.p50 * 1.5)


def run(place: Path, seconds: int = 10) -> dict[str, dict]:
    """Return both tables."""
    people = peopled(place)
    with (
        at_source(place, people.numbers) as source,
        passing(source, people.numbers[0]) as bare,
        served(people, source) as country,
    ):
        loading = Loading.of(place, country, people)
        alone, alone_cpu = loading.load(1, seconds)
        full, _ = loading.load(CONNECTIONS, seconds)
        governed, cpu = loading.load(CONNECTIONS, seconds, half(full, alone))
        passed(place, bare, 8, 1)
        passed_alone = passed(place, bare, 1, seconds)
        pause = CONNECTIONS / governed.rate * 1000
        handed_on, passing_cpu = passed(place, bare, CONNECTIONS, seconds, pause)
    lines: dict[str, Row] = {
        "governed exchange": row(governed, cpu),
        "bare pass-through": row(handed_on, passing_cpu),
        "added": {
            "p50 ms": round(governed.p50 - handed_on.p50, 2),
            "p99 ms": round(governed.p99 - handed_on.p99, 2),
        },
    }
    share = round(governed.rate / full.rate * 100)
    return {
        f"One connection, {CORES} workers": {
            "governed exchange": row(alone, alone_cpu),
            "bare pass-through": row(*passed_alone),
        },
        f"At half load: {share} % of {full.rate:.0f} per second, {CONNECTIONS} connections": lines,
    }
