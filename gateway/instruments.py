"""Instruments: what measures and what is measured, put together."""

from collections.abc import Callable, Mapping
from typing import Self

from gateway.load.gates import Gates
from gateway.observing.gauges import Gauges, Sights
from gateway.observing.metrics import Metrics
from gateway.observing.observer import Observer, Spans
from gateway.observing.shared import Shared
from gateway.observing.tracing import exporter
from gateway.observing.watched import WatchedEngine, WatchedSessions, watched_fetch
from gateway.policy.control import Control
from gateway.policy.engines import PreparedEngine
from gateway.ports import Fetch
from gateway.rooms import Rooms
from gateway.serving.hosts import Hosts
from gateway.serving.worker import Worker
from gateway.setup.collector import Collector
from gateway.short_lived import ShortLived
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from kernel.database import StorageError

Pools = Mapping[str, Callable[[], int]]


class Instruments:
    """What a process measures with."""

    def __init__(
        self,
        metrics: Metrics | None = None,
        spans: Spans | None = None,
        engine: str = "embedded",
        pools: Pools | None = None,
    ) -> None:
        """Take the figures, who takes spans away, what the engine is called, and the pools."""
        self.metrics = metrics or Metrics()
        self._clock = SystemClock()
        self.observer = Observer(self._clock, SystemChance(), self.metrics, spans)
        self._engine = engine
        self._pools = pools or {}

    @classmethod
    def of(
        cls, worker: Worker, engine: str, collector: Collector, pools: Pools | None = None
    ) -> Self:
        """Return a worker's, before anything that they measure; raises `BadSettings` where spans
        are wanted and cannot be made."""
        metrics = Metrics(Shared.joined(worker.number))
        return cls(metrics, exporter(collector, metrics.traced, worker), engine, pools)

    def around(self, engine: PreparedEngine) -> PreparedEngine:
        """Return an engine whose evaluations are measured."""
        return WatchedEngine(engine, self._engine, self.metrics, self._clock)

    def remembered(self) -> None:
        """Count a decision that was remembered."""
        self.metrics.remembered()

    def fetch(self, fetch: Fetch) -> Fetch:
        """Return what asks sources, measured."""
        return watched_fetch(fetch, self.metrics, self._clock)

    def short_lived(self, kept: ShortLived) -> ShortLived:
        """Return short-lived state, its sessions counted."""
        sessions = WatchedSessions(kept.sessions, self.metrics.session)
        return ShortLived(kept.replay, kept.attempts, sessions, kept.rates, kept.fault)

    def gauges(self, rooms: Rooms, gates: Gates, missing: Callable[[], list[str]]) -> Gauges:
        """Return the gauges of opened rooms, whose ledger is measured from now on."""
        rooms.ledger.watch(self.metrics.turned)
        self.metrics.from_zero(gates.states())
        hosts = Hosts(rooms.database, rooms.clock)
        sights = Sights(
            rooms.ledger, gates, missing, lambda: _counted(hosts, rooms.control), self._pools
        )
        return Gauges(self.metrics, sights, self._clock)


def _counted(hosts: Hosts, control: Control) -> tuple[int, int] | None:
    try:
        beats, in_force = hosts.live(), control.active()
    except StorageError:
        return None
    return len(beats), sum(beat.revision not in {"", in_force} for beat in beats)
