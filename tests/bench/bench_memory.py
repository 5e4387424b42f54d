"""Memory: what one worker holds, and what an exchange costs it, as exchanges add up."""

from pathlib import Path

from tests.bench.asking import Asker
from tests.bench.governed import Loading, row
from tests.bench.process import resident_mib
from tests.bench.scene import Ways, at_source, peopled, served

CONNECTIONS = 32
PORTION = 20
"""Seconds for which requests are made at a time."""
READ = (1, 2, 5, 10, 20, 50, 100)
"""At which thousands of exchanges it is read, and at the end."""


def run(place: Path, most: int = 100_000) -> dict[str, dict]:
    """Return memory and CPU by how many exchanges there were, the first and the last among them."""
    people = peopled(place)
    with (
        at_source(place, people.numbers) as source,
        served(people, source, Ways(workers=1)) as country,
    ):
        loading = Loading(place, country, Asker(country.agency(), people.numbers))
        table = {"0": {"resident MiB": resident_mib(loading.pid)}}
        marks = [mark * 1000 for mark in READ if mark * 1000 < most] + [most]
        done = 0
        for mark in marks:
            answers = used = 0.0
            while done + answers < mark:
                left = (mark - done - answers) / loading.rate
                told, cpu = loading.load(CONNECTIONS, min(PORTION, max(1, round(left))))
                row(told)
                answers, used = answers + told.answers, used + cpu
            done += int(answers)
            table[f"{done:,}"] = {
                "resident MiB": resident_mib(loading.pid),
                "CPU µs": round(used / answers * 1e6, 1),
            }
    first, last = (list(table.values())[place]["resident MiB"] for place in (1, -1))
    return {
        "One worker, by exchanges so far": table,
        "Growth of its memory, first thousand to the last": {
            "%": round((last / first - 1) * 100, 1)
        },
    }
