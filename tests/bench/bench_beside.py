"""Beside: the governed exchange and what a user would pick instead, under one load generator."""

from contextlib import ExitStack
from pathlib import Path

from tests.bench.gated import CACHE, gated
from tests.bench.governed import BESIDE, ROUNDS, Loading, Row, in_turn, passed, row
from tests.bench.scene import CORES, Peopled, Ways, at_source, passing, peopled, served

CONNECTIONS = (1, 8, 32, 64)


def by_connections(place: Path, people: Peopled, source: int, seconds: int) -> dict[str, Row]:
    """Return the exchange with one worker and with one on each core, and the pass-through, by how
    many connections there are."""
    table = {}
    with passing(source, people.numbers[0]) as bare:
        passed(place, bare, 8, 1)
        for connections in CONNECTIONS:
            name = f"bare pass-through, {connections}"
            table[name] = row(*passed(place, bare, connections, seconds))
    for workers in sorted({1, CORES}):
        with served(people, source, Ways(workers)) as country:
            loading = Loading.of(place, country, people)
            for connections in CONNECTIONS:
                name = f"governed exchange, {workers} workers, {connections}"
                table[name] = loading.row(connections, seconds)
    return table


def run(place: Path, seconds: int = 6, rounds: int = ROUNDS) -> dict[str, dict]:
    """Return every table; each line under the same load generator, source and machine."""
    people = peopled(place)
    with ExitStack() as stack:
        source = stack.enter_context(at_source(place, people.numbers))
        table = by_connections(place, people, source, seconds)
        gates = {
            "nginx and OPA": gated(place / "opa", people, source),
            "nginx and OPA, tokens remembered": gated(place / "cache", people, source, CACHE),
        }
        country = stack.enter_context(served(people, source))
        loading = Loading.of(place, country, people)
        beside = {}
        for name, standing in gates.items():
            with standing as gate:
                beside[name] = in_turn(gate, loading, BESIDE, seconds, rounds)
    return {
        "By number of connections": table,
        f"Governed exchanges, {CORES} workers, {BESIDE} connections, in turn with": beside,
    }
