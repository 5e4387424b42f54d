"""Metrics: counts and durations for Prometheus, labelled by route and reason, about nobody."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.circuit import State
from gateway.gates import Gates


class Metrics:
    """The figures of this process."""

    def __init__(self) -> None:
        """Register the figures in a registry of their own."""
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "causeway_answers_total",
            "Answers by route, status and reason.",
            ("route", "status", "reason"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "causeway_answer_seconds",
            "Seconds from request to answer, by route.",
            ("route",),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self._registry,
        )

    def answered(self, route: str, status: int, reason: str, seconds: float) -> None:
        """Count one answer."""
        self._answers.labels(route, str(status), reason).inc()
        self._seconds.labels(route).observe(seconds)

    def show_sources(self, gates: Gates) -> None:
        """Show from now on how each source's gate stands."""
        self._registry.register(_Gates(gates))

    def text(self) -> str:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry).decode()


class _Gates(Collector):
    """Reads the gates when somebody looks."""

    def __init__(self, gates: Gates) -> None:
        self._gates = gates

    def collect(self) -> Iterator[Metric]:
        circuits = GaugeMetricFamily(
            "causeway_source_circuit",
            "1 for the state of each source's circuit, 0 for the others.",
            labels=("source", "state"),
        )
        for name, held in self._gates.states().items():
            for state in State:
                circuits.add_metric((name, state.value), float(state is held))
        yield circuits
        waiting = GaugeMetricFamily(
            "causeway_source_waiting",
            "Requests that wait for a source now.",
            labels=("source",),
        )
        for name, count in self._gates.held().items():
            waiting.add_metric((name,), count)
        yield waiting
