"""Governed: the exchange under load, every request with a proof of its own."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.asking import LONGEST, Asker
from tests.bench.gated import Gate
from tests.bench.process import cpu_seconds
from tests.bench.scene import Passing, Peopled
from tests.bench.wrk import Load, load, raw
from tests.country import RunningCountry

Row = dict[str, float]
WARM = 2
"""Seconds for which a gateway is loaded before anything counts, and its rate is found out."""
SPARE = 1.5
"""How many more requests are made than the rate so far lets expect; a proof counts once."""
LEAST = 1000
BESIDE = 32
"""Connections to what stands beside the exchange."""
ROUNDS = 3


def row(told: Load, cpu: float | None = None) -> Row:
    """Return one line of a table; nobody may have been refused or lost."""
    if told.lost or told.refused:
        raise SystemExit(f"{told.refused} of {told.answers} were refused, {told.lost} lost")
    line = {
        "per second": round(told.rate, 1),
        "p50 ms": round(told.p50, 2),
        "p99 ms": round(told.p99, 2),
    }
    return line if cpu is None else {**line, "CPU µs": round(cpu / told.answers * 1e6, 1)}


@dataclass
class Loading:
    """A running gateway, who asks it, and how many it answered in a second lately."""

    place: Path
    country: RunningCountry
    asker: Asker
    rate: float = LEAST / WARM

    @classmethod
    def of(cls, place: Path, country: RunningCountry, people: Peopled) -> "Loading":
        """Return it warmed up: what is remembered is, and the rate is known."""
        self = cls(place, country, Asker(country.agency(), people.numbers))
        self.load(8, WARM)
        return self

    @property
    def pid(self) -> int:
        """Return the gateway's main process."""
        return self.country.processes.pids()["gateway"]

    def load(self, connections: int, seconds: int, pause: float = 0.0) -> tuple[Load, float]:
        """Load it; return what was seen, and the CPU that it took. Where it was so quick that the
        requests ran out, that did not count, and more are made."""
        assert seconds <= LONGEST
        while True:
            made = self.asker.made(LEAST + int(self.rate * seconds * SPARE))
            before = cpu_seconds(self.pid)
            told = load(self.place, self.country.gateway, made, connections, seconds, pause)
            used = cpu_seconds(self.pid) - before
            # Some are on their way when wrk ends, and count nowhere.
            if told.answers + connections <= len(made):
                self.rate = told.rate
                return told, used
            self.rate = max(told.answers / told.seconds, self.rate) * 2

    def row(self, connections: int, seconds: int) -> Row:
        """Return one line of a table."""
        return row(*self.load(connections, seconds))


def passed(
    place: Path, bare: Passing, connections: int, seconds: int, pause: float = 0.0
) -> tuple[Load, float]:
    """Load the bare pass-through likewise."""
    request, before = raw("POST", "/", {"Host": "x"}, b"{}"), cpu_seconds(bare.pid)
    told = load(place, bare.url, [request], connections, seconds, pause)
    return told, cpu_seconds(bare.pid) - before


def in_turn(
    gate: Gate, loading: Loading, connections: int, seconds: int, rounds: int = ROUNDS
) -> Row:
    """Return a line of medians of rounds in which the exchange and what stands beside it, at 32
    connections, had their turns, since the machine's speed moves; and the ratio in each round."""
    theirs, ours = [], []
    for _ in range(rounds):
        theirs.append(row(gate.load(BESIDE, seconds))["per second"])
        ours.append(loading.row(connections, seconds))
    ratios = [one["per second"] / other for one, other in zip(ours, theirs, strict=True)]
    return {
        **middle(ours),
        "beside": median(theirs),
        "ratio": round(median(ratios), 2),
        "least": round(min(ratios), 2),
        "most": round(max(ratios), 2),
    }


def middle(rows: list[Row]) -> Row:
    """Return a line of the medians of several rounds."""
    return {name: round(median(one[name] for one in rows), 2) for name in rows[0]}
