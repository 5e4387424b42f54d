"""Scene: what stands on the machine while it is loaded: people, a source, and the gateway."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.ask import parse_ask
from gateway.demo.country import ROOT, Country
from gateway.demo.play import programs
from gateway.demo.processes import Processes
from identity.model import Scope
from tests.bench.nginx import SOURCE, await_port, nginx
from tests.bench.stage import UNLIMITED, number_of, staged
from tests.country import INCOME, RunningCountry
from tests.flow.office import TOTAL, YEAR, record_of
from tests.ports import free_port

PEOPLE = 500
CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Peopled:
    """A country with many consents, who gave them, and one question to the policies."""

    country: Country
    numbers: Sequence[str]
    facts: str

    def with_settings(self, **settings: str) -> "Peopled":
        """Return the same country under further settings."""
        country = replace(self.country, settings={**self.country.settings, **settings})
        return replace(self, country=country)


@dataclass(frozen=True)
class Ways:
    """How a gateway is run: its workers, the module that starts it, and its own environment."""

    workers: int = CORES
    module: str = "gateway"
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Passing:
    """A running bare pass-through."""

    url: str
    pid: int


def peopled(place: Path, people: int = PEOPLE, **settings: str) -> Peopled:
    """Found a country in which many consent: to everything or to a part, for the first time or
    once more."""
    place.mkdir(parents=True, exist_ok=True)
    with staged(place / "state", **settings) as stage:
        numbers = [number_of(one) for one in range(1, people + 1)]
        with ThreadPoolExecutor(32) as counter:
            for times in (1, 2):
                asked = [
                    (one, number) for one, number in enumerate(numbers) if one % 2 <= 2 - times
                ]
                list(counter.map(lambda one: stage.consent(one[1], partly=one[0] % 4 > 1), asked))
        caller = stage.pipeline.authenticate(stage.credentials(), Scope.EXCHANGE_REQUEST)
        posted = stage.posted(numbers[0], INCOME, [YEAR, TOTAL])
        docket = stage.pipeline.journal.open(caller, parse_ask(posted))
        stage.pipeline._permit(docket)
        return Peopled(stage.country, numbers, bytes(docket.input).decode())


def records_at(place: Path) -> Path:
    """Return the directory of the source's records, a file for each person."""
    return place / "source" / "v1" / "people"


@contextmanager
def at_source(place: Path, numbers: Sequence[str]) -> Iterator[int]:
    """Run a tax office that costs nearly nothing; its port."""
    people = records_at(place)
    people.mkdir(parents=True)
    for number in numbers:
        (people / number).write_text(json.dumps(record_of(number)))
    port = free_port()
    with nginx(place / "office", port, SOURCE.format(port=port, root=place / "source")):
        yield port


@contextmanager
def served(people: Peopled, source: int, ways: Ways | None = None) -> Iterator[RunningCountry]:
    """Run the country's gateway in one of many ways, and its tax office elsewhere."""
    ways = ways or Ways()
    settings = {"GATEWAY_SOURCE_TAX_URL": f"http://127.0.0.1:{source}", **UNLIMITED}
    country = people.with_settings(**settings).country
    processes = Processes(country.place.state / "logs", lambda name: None)
    try:
        (gateway,) = [one for one in programs(country) if one.name == "gateway"]
        arguments = [ways.module, *gateway.arguments[1:], "--workers", str(ways.workers)]
        environ = {**gateway.environ, **ways.environ}
        processes.start([replace(gateway, arguments=arguments, environ=environ)])
        yield RunningCountry(country, processes)
    finally:
        processes.stop()


@contextmanager
def passing(source: int, number: str) -> Iterator[Passing]:
    """Run a server of the gateway's own kind that fetches and hands on, and no more."""
    port = free_port()
    granian = str(Path(sys.executable).parent / "granian")
    options = ["--interface", "wsgi", "--port", str(port), "--blocking-threads", "4"]
    options += ["--workers", str(CORES)]
    server = subprocess.Popen(
        [granian, *options, "tests.bench.passthrough:app"],
        cwd=ROOT,
        env={"BENCH_URL": f"http://127.0.0.1:{source}/v1/people/{number}", "BENCH_SECRET": "none"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_port(port)
        yield Passing(f"http://127.0.0.1:{port}", server.pid)
    finally:
        server.terminate()
        server.wait()
