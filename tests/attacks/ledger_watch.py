"""Ledger watch: what was committed meanwhile, as another process sees it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from gateway.demo.country import STANDING
from gateway.demo.sources import Resident
from tests.country import RunningCountry

REFUSAL = "exchange.refusal"
DECISION = "exchange.decision"
RELEASE = "exchange.release"

Leaf = dict[str, Any]


def committed(country: RunningCountry, since: int = 0) -> list[Leaf]:
    """Return the leaves from an index on."""
    url = country.country.settings["GATEWAY_DATABASE_URL"]
    path = Path(url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ledger:
        rows = ledger.execute(
            'SELECT leaf FROM ledger_leaf WHERE "index" >= ? ORDER BY "index"', (since,)
        ).fetchall()
    return [json.loads(leaf) for (leaf,) in rows]


def size(country: RunningCountry) -> int:
    """Return how many entries the ledger has."""
    return len(committed(country))


@contextmanager
def written(country: RunningCountry, *types: str) -> Iterator[None]:
    """Expect exactly these entries, in this order, from what happens inside."""
    before = size(country)
    yield
    seen = [leaf["type"] for leaf in committed(country, before)]
    assert seen == list(types), seen


def nothing_written(country: RunningCountry) -> Any:
    """Expect that a stranger, or a refusal before an exchange opens, leaves no entry."""
    return written(country)


def standing(country: RunningCountry) -> Resident:
    """Return somebody who consented before the start; tests here ask, and change nothing."""
    return country.country.sources.people[STANDING]
