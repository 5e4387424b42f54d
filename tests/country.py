"""A demo country for tests: the real gateway and the real sources, as processes of their own."""

import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.demo.country import STANDING, Country, Place, document, found
from gateway.demo.play import programs
from gateway.demo.processes import Processes
from gateway.demo.sources import Resident
from gateway.demo.state import prepare
from kernel.clock import Deadline, SystemClock
from kernel.database import Database, open_database
from tests import commands
from tests.agency import Agency
from tests.ports import free_port

AGREEMENT = "family-allowance"
SCHEME = "resident-number"
RESIDENTS = "population/residents"
INCOME = "tax/income"
ENROLMENT = "education/enrolment"
PEOPLE = 1_000
"""Residents of a country that tests share; the demo's own has fewer."""
MOST_CHILDREN = 3


@dataclass
class RunningCountry:
    """The country while it runs; residents are handed out so that tests do not share them."""

    country: Country
    processes: Processes
    taken: Iterator[int] = field(default_factory=lambda: itertools.count(2 * STANDING + 1))

    @property
    def gateway(self) -> str:
        return self.country.place.gateway

    @property
    def state(self) -> Path:
        return self.country.place.state

    @property
    def environ(self) -> dict[str, str]:
        return self.country.environ()

    @property
    def document(self) -> dict:
        return document(self.country, self.processes.pids())

    @property
    def agencies(self) -> dict:
        return self.document["agencies"]

    def resident(self) -> Resident:
        """Return somebody whom no other test knows, without any consent."""
        people, place = self.country.sources.people, next(self.taken)
        assert place < len(people), f"all {len(people)} residents are taken: give `running` more"
        return people[place]

    def consenting(self, *options: str) -> Resident:
        """Return somebody whom no other test knows, with a consent given just now."""
        resident = self.resident()
        given = self.consents("give", resident, *options)
        assert given.returncode == 0, given.stderr
        return resident

    def with_children(self, least: int, most: int) -> Resident:
        """Return somebody who consented just now and has so many children."""
        while not least <= len((resident := self.resident()).children) <= most:
            continue
        given = self.consents("give", resident)
        assert given.returncode == 0, given.stderr
        return resident

    def agency(self, name: str = "family-benefits") -> Agency:
        """Return an agency's system with its own keys; it speaks raw HTTP."""
        known = self.agencies[name]
        keys = [
            json.loads((self.state / known[part]).read_text())
            for part in ("client_key", "seal_key")
        ]
        return Agency(self.gateway, known["client_id"], *keys)

    def consents(self, act: str, resident: Resident, *options: str) -> subprocess.CompletedProcess:
        """Run a `consents` command about a resident, as a process of its own."""
        return self.run(
            *("gateway", "consents", act, "--agreement", AGREEMENT),
            *("--subject", f"{SCHEME}:{resident.number}", "--clerk", "c-1", *options),
        )

    def activity(self, resident: Resident) -> list[dict]:
        """Return the resident's own list."""
        told = self.run(
            *("gateway", "consents", "activity"), *("--subject", f"{SCHEME}:{resident.number}")
        )
        assert told.returncode == 0, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    def leaves(self, directory: Path) -> list[dict]:
        """Export the log into a directory, verify it, and return its leaves in order."""
        for arguments in (("export", str(directory)), ("verify", "--dir", str(directory))):
            told = self.run("gateway", "audit", *arguments)
            assert told.returncode == 0, told.stdout + told.stderr
        return exported_leaves(directory)

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run one of our own commands under this country's settings."""
        return commands.run(arguments, self.environ)


@contextmanager
def reading(country: RunningCountry) -> Iterator[Database]:
    """Open the country's database, wherever it is, as another process would."""
    database = open_database(country.country.settings["GATEWAY_DATABASE_URL"])
    try:
        yield database
    finally:
        database.close(Deadline.within(60, SystemClock()))


def exported_leaves(directory: Path) -> list[dict]:
    """Return the leaves of an exported log, read by nothing but the format (C2SP tlog-tiles)."""
    bundles = sorted(
        (path for path in (directory / "tile" / "entries").rglob("*") if path.is_file()),
        key=lambda path: path.relative_to(directory).as_posix().replace(".p/", "/"),
    )
    leaves = []
    for path in bundles:
        raw = path.read_bytes()
        while raw:
            size = int.from_bytes(raw[:2], "big")
            leaves.append(json.loads(raw[2 : 2 + size]))
            raw = raw[2 + size :]
    return leaves


@contextmanager
def running(state: Path, residents: int = PEOPLE, /, **settings: str) -> Iterator[RunningCountry]:
    """Run a country of its own under a directory and further settings, and stop it by its process
    ids."""
    place = Place(prepare(state), free_port())
    country = found(place, residents, settings)
    processes = Processes(place.state / "logs", lambda name: None)
    try:
        processes.start(programs(country))
        yield RunningCountry(country, processes)
    finally:
        processes.stop()
