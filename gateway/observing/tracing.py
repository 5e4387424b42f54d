"""Tracing: whether spans are exported, and to whom; without an address nothing of it is loaded."""

from collections.abc import Callable
from importlib.util import find_spec

from gateway.observing.observer import Spans
from gateway.serving.worker import Worker
from gateway.setup.collector import Collector
from gateway.setup.given import BadSettings

_MISSING = (
    "GATEWAY_OTLP_URL is set, but OpenTelemetry is not installed: pip install "
    "--require-hashes -r tracing-requirements.txt"
)


def check(url: str | None) -> None:
    """Raise `BadSettings` where spans are wanted and nobody is there to send them."""
    if url is None:
        return
    try:
        there = find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        there = None
    if there is None:
        raise BadSettings(_MISSING)


def exporter(
    collector: Collector, told: Callable[[str, int], None], worker: Worker
) -> Spans | None:
    """Return who exports spans to the collector until the worker's end, or None where there is
    none; `told` counts what became of requests."""
    check(collector.url)
    if collector.url is None:
        return None
    # 25 MiB and a fifth of a second that a gateway without tracing does not need.
    from gateway.observing.spans import Exporter  # noqa: PLC0415 - where a collector is set

    name = f"{worker.host}/{worker.number}"
    spans = Exporter(collector.url, collector.share, name, told)
    worker.at_end.callback(spans.close)
    return spans
