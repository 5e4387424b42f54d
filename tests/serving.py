"""Hosts for tests: further gateways of one country, each a `serve` of its own with its workers."""

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.demo.country import ROOT
from gateway.recovery.sweep import TOTAL_DEADLINE, Sweep
from gateway.rooms import opened
from gateway.serving.parent import die_with_parent
from gateway.setup.settings import Settings
from kernel.clock import SECOND, Micros, SystemClock
from tests.agency import Agency, Answer
from tests.country import RunningCountry
from tests.ports import free_port

PATIENCE = 120.0
"""Seconds that a condition may take on a busy machine; nothing is expected to."""


def until(holds: Callable[[], Any], what: str = "what was waited for did not come") -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@dataclass
class Host:
    """One gateway: its main process, where it listens, and what it wrote."""

    country: RunningCountry
    at: str
    process: subprocess.Popen[bytes]
    log: Path

    def agency(self, name: str = "family-benefits") -> Agency:
        """Return an agency's system that speaks to this host, under the gateway's one name."""
        return replace(self.country.agency(name), at=self.at)

    def workers(self) -> list[int]:
        """Return the process ids of its workers, oldest first."""
        main = self.process.pid
        try:
            told = Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii")
        except FileNotFoundError:
            return []
        return [int(pid) for pid in told.split()]

    def readiness(self) -> tuple[int, list[str]]:
        """Return the status and what is missing, as `/readyz` tells it; 0 where nobody answers."""
        try:
            answer = Agency(self.at, "", {}, {}).request("GET", "/readyz")
        except (OSError, http.client.HTTPException):
            return 0, []
        return answer.status, answer.json["missing"]

    def ready(self) -> bool:
        return self.readiness()[0] == 200

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of an event in its log, in order."""
        whole = self.log.read_text().rpartition("\n")[0]  # the last line may be half written
        lines = [line for line in whole.splitlines() if line.startswith("{")]
        return [line for line in map(json.loads, lines) if line["event"] == event]

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Wait for its end, and return its exit status."""
        return self.process.wait(PATIENCE)


@contextmanager
def serving(
    country: RunningCountry,
    *options: str,
    at: str | None = None,
    around: Sequence[str] = (),
    ready: bool = True,
    **settings: str,
) -> Iterator[Host]:
    """Run a host of a country with `serve`'s options and further settings; `around` is what runs
    it, where something does. It is killed at the end, if it still runs."""
    address = at or "127.0.0.1"
    port = free_port()
    log = country.state / "logs" / f"host-{port}.log"
    command = [sys.executable, "-m", "gateway", "serve", "--host", address, "--port", str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*around, *command, *options],
            cwd=ROOT,
            env={**country.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - only a system call
        )
    host = Host(country, f"http://{address}:{port}", process, log)
    try:
        if ready:
            until(lambda: host.ready() or process.poll() is not None, "the host does not serve")
            assert process.poll() is None, log.read_text()
        yield host
    finally:
        process.kill()
        process.wait()


def own(country: RunningCountry) -> Host:
    """Return the country's own gateway, seen as a host."""
    process = country.processes._running["gateway"][1]
    return Host(country, country.gateway, process, country.state / "logs" / "gateway.log")


@dataclass(frozen=True)
class Later:
    """A clock that is ahead."""

    seconds: int

    def now(self) -> Micros:
        return Micros(SystemClock().now() + self.seconds * SECOND)

    def monotonic(self) -> float:
        return SystemClock().monotonic()


def swept(country: RunningCountry) -> int:
    """End what a crash left open, as a gateway does once nobody can wait for it any more; return
    how many exchanges that were."""
    with opened(Settings.parse(country.country.settings)) as rooms:
        clock = Later(TOTAL_DEADLINE + 1)
        return Sweep(rooms.database, rooms.ledger, rooms.pseudonyms.open, clock)()


def check_ledger(country: RunningCountry, directory: Path, released: Sequence[str]) -> None:
    """Check that the ledger verifies, that each answer that reached somebody is in it, and that
    each exchange has a refusal, or a decision and then exactly one end; what a killed worker left
    open is swept first."""
    swept(country)
    trails: dict[str, list[str]] = {}
    for leaf in country.leaves(directory):
        if "exchange" in leaf:
            trails.setdefault(leaf["exchange"], []).append(leaf["type"].removeprefix("exchange."))
    ends = (["refusal"], ["decision", "release"], ["decision", "refusal"])
    assert [trail for trail in trails.values() if trail not in ends] == []
    assert {trails.get(name, [""])[-1] for name in released} <= {"release"}


def exchanges(answers: Sequence[Answer]) -> list[str]:
    """Return the exchanges whose data left."""
    return [answer.json["exchange"] for answer in answers if answer.status == 200]
