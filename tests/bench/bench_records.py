"""Records: the exchange and the bare pass-through by the size of the record that the source sends,
of which two fields travel; what a large answer costs is in `bench_stages`."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench.bench_stages import SIZES
from tests.bench.governed import Loading, Row, passed, row
from tests.bench.scene import CORES, at_source, passing, peopled, records_at, served
from tests.flow.office import record_of

CONNECTIONS = 32
FEW = 16
"""People who are asked about, so that the files of the source stay in memory."""


def grown(place: Path, numbers: Sequence[str], kib: int) -> None:
    """Let the source's records be so large; each line of them is a member that nobody asks for."""
    held = {f"line {place}": "x" * 1000 for place in range(kib)}
    for number in numbers:
        (records_at(place) / number).write_text(json.dumps({**record_of(number), "held": held}))


def run(place: Path, seconds: int = 4) -> dict[str, dict]:
    """Return the table."""
    people = peopled(place)
    people = replace(people, numbers=people.numbers[:FEW])
    table: dict[str, Row] = {}
    with (
        at_source(place, people.numbers) as source,
        passing(source, people.numbers[0]) as bare,
        served(people, source) as country,
    ):
        loading = Loading.of(place, country, people)
        for kib in SIZES:
            grown(place, people.numbers, kib)
            table[f"{kib:,} KiB, governed exchange"] = loading.row(CONNECTIONS, seconds)
            table[f"{kib:,} KiB, bare pass-through"] = row(
                *passed(place, bare, CONNECTIONS, seconds)
            )
    return {f"By record size, {CONNECTIONS} connections, {CORES} workers": table}
