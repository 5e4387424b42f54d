"""Metrics: counts and durations for Prometheus, labelled by route and reason, about nobody."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest


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

    def text(self) -> str:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry).decode()
