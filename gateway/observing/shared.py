"""Shared metrics: the figures of all workers of one host, in files of their own, added up.

The files lie in memory and have their size before anybody counts: a page of a mapped file for
which a full disk has no room ends the process that touches it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

WHERE = "PROMETHEUS_MULTIPROC_DIR"
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - the directory within it is made for its owner alone
KIBIBYTES = {"counter": 256, "histogram": 512}
GAUGES = ("livesum", "livemax", "livemin", "liveall")
OF_A_GAUGE = 64


@contextmanager
def fresh_figures() -> Iterator[None]:
    """Give the workers that are started within a fresh place for their figures."""
    room = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix="causeway-metrics-", dir=room) as place:
        os.environ[WHERE] = place  # noqa: TID251 - prometheus_client's own setting
        try:
            yield
        finally:
            del os.environ[WHERE]  # noqa: TID251 - as above


def put_away(number: int) -> None:
    """Take a worker that ended out of the figures that tell how things stand; what it counted
    stays, and whoever comes in its place goes on from there."""
    if place := os.environ.get(WHERE):  # noqa: TID251 - as above
        mark_process_dead(number, place)  # type: ignore[no-untyped-call] # not typed


@dataclass(frozen=True, slots=True)
class Shared:
    """The place where the workers of this host keep their figures."""

    place: Path

    @classmethod
    def joined(cls, number: int) -> Self | None:
        """Have every figure that this process makes from now on kept in its own files there, by
        its number, or return None where nobody shares figures. Raises `OSError` without room."""
        place = os.environ.get(WHERE)  # noqa: TID251 - as above
        if not place:
            return None
        sizes = KIBIBYTES | {f"gauge_{mode}": OF_A_GAUGE for mode in GAUGES}
        for name, size in sizes.items():
            _take_room(Path(place) / f"{name}_{number}.db", size * 1024)
        made = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call] # not typed
        values.ValueClass = made
        return cls(Path(place))

    def text(self) -> bytes:
        """Return the sums in Prometheus's text format."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self.place))  # type: ignore[no-untyped-call] # not typed
        return generate_latest(registry)


def _take_room(path: Path, size: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(descriptor)
