"""Beside: the governed exchange and what a user would pick instead, under one load generator."""

from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.bench.gated import CACHE, Gate, gated
from tests.bench.governed import Loading, Row, middle, passed, row
from tests.bench.scene import CORES, Peopled, Ways, at_source, passing, peopled, served

CONNECTIONS = (1, 8, 32, 64)
COMPARED = 32


def by_connections(place: Path, people: Peopled, source: int, seconds: int) -> dict[str, Row]:
    """Return the exchange with one worker and with one on each core, and the pass-through, by how
    many connections there are."""
    table = {}
    with passing(source, people.numbers[0]) as url:
        passed(place, url, 8, 1)
        for connections in CONNECTIONS:
            name = f"bare pass-through, {connections}"
            table[name] = row(passed(place, url, connections, seconds))
    for workers in sorted({1, CORES}):
        with served(people, source, Ways(workers)) as country:
            loading = Loading.of(place, country, people)
            for connections in CONNECTIONS:
                name = f"governed exchange, {workers} workers, {connections}"
                table[name] = loading.row(connections, seconds)
    return table


def in_turn(gates: dict[str, Gate], loading: Loading, seconds: int, rounds: int) -> dict[str, dict]:
    """Return the medians of rounds in which each had its turn, since the machine's speed moves,
    and of the ratios within a round."""
    rows: dict[str, list[Row]] = {}
    for _ in range(rounds):
        for name, gate in gates.items():
            rows.setdefault(name, []).append(row(gate.load(COMPARED, seconds)))
        rows.setdefault("governed exchange", []).append(loading.row(COMPARED, seconds))
    rates = {name: [one["per second"] for one in told] for name, told in rows.items()}
    ratios = {
        f"exchanges : {name}": [
            round(ours / theirs, 3)
            for ours, theirs in zip(rates["governed exchange"], rates[name], strict=True)
        ]
        for name in gates
    }
    told = {name: {"median": median(each), "rounds": each} for name, each in ratios.items()}
    return {
        f"In turn, {COMPARED} connections": {name: middle(each) for name, each in rows.items()},
        "Ratio": told,
    }


def run(place: Path, seconds: int = 6, rounds: int = 3) -> dict[str, dict]:
    """Return every table; each line under the same load generator, source and machine."""
    people = peopled(place)
    with ExitStack() as stack:
        source = stack.enter_context(at_source(place, people.numbers))
        table = by_connections(place, people, source, seconds)
        gates = {
            "nginx and OPA": gated(place / "opa", people, source),
            "nginx and OPA, tokens remembered": gated(place / "cache", people, source, CACHE),
        }
        standing = {name: stack.enter_context(gate) for name, gate in gates.items()}
        country = stack.enter_context(served(people, source))
        loading = Loading.of(place, country, people)
        compared = in_turn(standing, loading, seconds, rounds)
    return {"By number of connections": table, **compared}
