"""Gauges: how things stand now in this process, read when somebody looks and once a second.

With several workers each keeps its own gauges current: whichever answers `/metrics` adds them up.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from prometheus_client import Gauge

from audit.ledger import Ledger
from gateway.load.circuit import State
from gateway.load.gates import Gates
from gateway.observing.metrics import Metrics
from kernel.clock import SECOND, Clock

EVERY = 1.0
RARELY = 5
"""Rounds between two looks at what costs a question to somebody else."""
PARTS = ("database", "ledger", "policies", "state", "stopping")
_Mode = Literal["livesum", "livemax", "livemin", "liveall"]


@dataclass(frozen=True, slots=True)
class Sights:
    """What there is to look at."""

    ledger: Ledger
    gates: Gates
    missing: Callable[[], list[str]]
    """Names what keeps the gateway from serving, each with the part before a colon."""
    workers: Callable[[], tuple[int, int] | None]
    """How many workers of all hosts are alive, and how many of them do not have the policies in
    force ready; None where nobody can say."""
    pools: Mapping[str, Callable[[], int]] = field(default_factory=dict)
    """How many of each bounded thing are in use, by its name."""


class Gauges:
    """The gauges of one process."""

    def __init__(self, metrics: Metrics, sights: Sights, clock: Clock) -> None:
        """Make them; `metrics` shows them to whoever asks."""
        self._metrics = metrics
        self._sights = sights
        self._clock = clock
        self._of_the_parts()
        self._of_the_whole()
        self._up.set(clock.now() / SECOND)
        metrics.before_a_look(self.look)

    def _of_the_parts(self) -> None:
        self._circuits = self._gauge(
            "causeway_source_circuit",
            "Workers in which a source's circuit is in each state.",
            "source",
            "state",
        )
        self._waiting = self._gauge(
            "causeway_source_waiting", "Requests that wait for a source now.", "source"
        )
        self._pools = self._gauge("causeway_pool_in_use", "What is in use of each pool.", "pool")
        self._line = self._gauge("causeway_ledger_waiting", "Entries that wait to be written.")
        self._fault = self._gauge(
            "causeway_ledger_fault", "1 where a worker's ledger does not serve.", mode="livemax"
        )
        self._behind = self._gauge(
            "causeway_ledger_guard_age_seconds",
            "Seconds for which the guard has not had the newest head; 0 where it has it.",
            mode="livemax",
        )

    def _of_the_whole(self) -> None:
        self._ready = self._gauge(
            "causeway_ready", "1 where every worker of this host can serve.", mode="livemin"
        )
        self._lacks = self._gauge(
            "causeway_unready", "Workers that a part keeps from serving.", "part"
        )
        self._hosts = self._gauge(
            "causeway_live_workers", "Workers of all hosts by their heartbeats.", mode="livemin"
        )
        self._other = self._gauge(
            "causeway_workers_on_other_policies",
            "Live workers of all hosts that have other policies ready than those in force.",
            mode="livemax",
        )
        self._up = self._gauge(
            "causeway_worker_start_time_seconds", "When each worker started.", mode="liveall"
        )
        self._resident = self._gauge(
            "causeway_worker_resident_bytes", "Memory of each worker.", mode="liveall"
        )
        self._cpu = self._gauge(
            "causeway_worker_cpu_seconds", "Seconds of CPU of each worker.", mode="liveall"
        )

    def look(self) -> None:
        """Write down what this process knows by itself."""
        sights = self._sights
        for name, held in sights.gates.states().items():
            for state in State:
                self._circuits.labels(name, state.value).set(state is held)
        for name, count in sights.gates.held().items():
            self._waiting.labels(name).set(count)
        for name, used in sights.pools.items():
            self._pools.labels(name).set(used())
        self._line.set(sights.ledger.waiting)
        self._fault.set(sights.ledger.fault is not None)
        self._behind.set(sights.ledger.behind)
        self._resident.set(_resident())
        self._cpu.set(sum(os.times()[:2]))

    def look_around(self) -> None:
        """Write down what others have to be asked for."""
        missing = self._sights.missing()
        lacking = {line.partition(":")[0] for line in missing}
        self._ready.set(not missing)
        for part in PARTS:
            self._lacks.labels(part).set(part in lacking)
        if (counted := self._sights.workers()) is not None:
            self._hosts.set(counted[0])
            self._other.set(counted[1])

    def begin(self) -> Callable[[], None]:
        """Look once a second from now on; return what ends it, after a last look."""
        ended = threading.Event()
        thread = threading.Thread(target=self._go_on, args=(ended,), name="gauges", daemon=True)
        thread.start()

        def end() -> None:
            ended.set()
            thread.join()
            self._metrics.settle()

        return end

    def _go_on(self, ended: threading.Event) -> None:
        rounds = 0
        while True:
            self._metrics.settle()
            if rounds % RARELY == 0:
                self.look_around()
            rounds += 1
            if ended.wait(EVERY):
                return

    def _gauge(self, name: str, told: str, *labels: str, mode: _Mode = "livesum") -> Gauge:
        registry = self._metrics.registry
        return Gauge(name, told, labels, registry=registry, multiprocess_mode=mode)


def _resident() -> int:
    """Return the bytes of memory that this process has."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
