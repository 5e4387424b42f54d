"""Collector: where spans are sent (OTLP over HTTP), and of how many requests."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from kernel.loopback import on_this_machine

_TRACES = "/v1/traces"


@dataclass(frozen=True, slots=True)
class Collector:
    """Where spans go, None where nowhere, and the share of traces that do."""

    url: str | None = None
    share: float = 1.0


def collector(url: str) -> str | None:
    """Return a collector's address for spans, its path added where it has none (OTLP 1.x, "Request
    URL"), None where none is set, or raise `ValueError` with what is wrong."""
    if not url:
        return None
    try:
        at = urlsplit(url)
        host, _ = at.hostname, at.port
    except ValueError:
        host = None
    if not host or at.scheme not in {"http", "https"} or at.query or at.fragment or "@" in url:
        raise ValueError("is an address without user and query, as in http://127.0.0.1:4318")
    if at.scheme == "http" and not on_this_machine(url):
        raise ValueError("is https, except for a collector on this machine")
    return f"{at.scheme}://{at.netloc}{_TRACES if at.path in {'', '/'} else at.path}"


def share(text: str) -> float:
    """Return the share of requests whose spans are exported, or raise `ValueError`."""
    try:
        part = float(text)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 1:
        raise ValueError("is a number from 0 to 1")
    return part
