"""A country whose tax office and policies are the tests' own; all the rest of it is real."""

import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.demo.country import ROOT, STANDING, Place, found
from gateway.demo.play import programs
from gateway.demo.processes import Processes
from gateway.demo.sources import Resident
from gateway.demo.state import prepare
from gateway.setup.addresses import SQLITE
from kernel.clock import Deadline, SystemClock
from kernel.filelock import FileLock
from tests.country import MOST_CHILDREN, PEOPLE, RunningCountry, reading
from tests.flow.office import Office, open_office
from tests.ports import free_port

Leaf = dict[str, Any]
LEDGER = ("GATEWAY_DATABASE_URL", "GATEWAY_MIGRATOR_URL")
_LEAVES = 'SELECT leaf FROM ledger_leaf ORDER BY "index"'


@dataclass
class WatchedCountry(RunningCountry):
    """A running country whose ledger a test may read while something happens."""

    office: Office = field(default_factory=Office)
    standing: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def consented(self, children: int = 0) -> Resident:
        """Return somebody whom no other test knows, who consented to all that was offered and has
        at least so many children."""
        for place in self.standing:
            if place > STANDING:
                break
            resident = self.country.sources.people[place]
            if len(resident.children) >= children:
                return resident
        return self.with_children(children, MOST_CHILDREN)

    @property
    def database(self) -> Path:
        """The database's file, on SQLite."""
        return Path(self.country.settings["GATEWAY_DATABASE_URL"].removeprefix(SQLITE))

    def committed(self) -> list[Leaf]:
        """Return the leaves that are committed now, as another process sees them."""
        with reading(self) as database:
            rows = database.read().execute(_LEAVES).fetchall()
        return [json.loads(row["leaf"]) for row in rows]

    def trail(self, exchange: str) -> list[str]:
        """Return the types of an exchange's entries, in order."""
        return [leaf["type"] for leaf in self.committed() if leaf.get("exchange") == exchange]

    @contextmanager
    def no_writing(self) -> Iterator[None]:
        """Hold the right to write, on SQLite, so that the gateway cannot commit anything."""
        lock = FileLock(self.database)
        try:
            with lock.held(Deadline.within(60, SystemClock())):
                yield
        finally:
            lock.close()


@contextmanager
def watched_country(state: Path, **settings: str) -> Iterator[WatchedCountry]:
    """Run a country with a tax office of its own, under further settings; it is founded where its
    ledger is to be, under the usual ones."""
    place = Place(prepare(state), free_port())
    country = found(place, PEOPLE, {name: settings[name] for name in LEDGER if name in settings})
    with open_office() as office:
        more = {"GATEWAY_SOURCE_TAX_URL": office.url, **settings}
        country = replace(country, settings={**country.settings, **more})
        processes = Processes(place.state / "logs", lambda name: None)
        try:
            processes.start([one for one in programs(country) if one.name != "tax"])
            yield WatchedCountry(country, processes, office=office)
        finally:
            processes.stop()


def policies(directory: Path, files: dict[str, str]) -> str:
    """Copy the policies into a directory, with some files written otherwise; return its path."""
    shutil.copytree(ROOT / "policies", directory)
    for path, text in files.items():
        (directory / path).write_text(text, encoding="utf-8")
    return str(directory)
