"""Tally: what happens is counted on the thread where it happens, and added up once a second.

To observe a figure shared by processes costs ten times what a thread's own list does, and its lock
is everybody's.
"""

import threading
from bisect import bisect_left
from collections.abc import Sequence
from itertools import starmap
from operator import sub
from typing import Generic, TypeVar

from prometheus_client import Counter, Histogram

_Figure = TypeVar("_Figure", Counter, "Buckets")


class Buckets(Histogram):
    """A histogram that takes many observations at once."""

    bounds: tuple[float, ...] = ()

    def _metric_init(self) -> None:
        super()._metric_init()
        self.bounds = tuple(self._upper_bounds)

    def add(self, counts: Sequence[float], total: float) -> None:
        """Add so many observations to each bucket, and their sum."""
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(total)


class Children(dict[tuple[str, ...], _Figure], Generic[_Figure]):
    """A figure's children by the values of their labels, looked up once; values are from closed
    sets, so that this is one too."""

    def __init__(self, figure: _Figure) -> None:
        """Take the figure."""
        super().__init__()
        self._figure: _Figure = figure

    def __missing__(self, labels: tuple[str, ...]) -> _Figure:
        """Make the child that nobody needed before."""
        child: _Figure = self._figure.labels(*labels) if labels else self._figure
        self[labels] = child
        return child


class _Own(threading.local):
    """What one thread counted since it began; only it ever writes."""

    rows: dict[Counter | Buckets, list[float]] | None = None


class Tally:
    """The counts of all threads of a process."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._own = _Own()
        self._threads: list[dict[Counter | Buckets, list[float]]] = []
        self._told: list[dict[Counter | Buckets, list[float]]] = []
        self._lock = threading.Lock()

    def count(self, figure: Counter, by: float = 1.0) -> None:
        """Count an event."""
        rows = self._own.rows
        if rows is None:
            rows = self._begin()
        if figure in rows:
            rows[figure][0] += by
        else:
            rows[figure] = [by]

    def time(self, figure: Buckets, value: float) -> None:
        """Observe seconds, or a size."""
        rows = self._own.rows
        if rows is None:
            rows = self._begin()
        row = rows.get(figure)
        if row is None:
            row = rows[figure] = [0.0] * (len(figure.bounds) + 1)
        row[bisect_left(figure.bounds, value)] += 1.0
        row[-1] += value

    def settle(self) -> None:
        """Add what the threads counted since the last time to the figures."""
        with self._lock:
            for rows, told in zip(self._threads, self._told, strict=True):
                # Copies made by one call each, while the threads go on.
                for figure, row in list(rows.items()):
                    now = row.copy()
                    before = told.get(figure)
                    if now != before:
                        told[figure] = now
                        _add(figure, now, before or [0.0] * len(now))

    def _begin(self) -> dict[Counter | Buckets, list[float]]:
        rows = self._own.rows = {}
        with self._lock:
            self._threads.append(rows)
            self._told.append({})
        return rows


def _add(figure: Counter | Buckets, now: list[float], before: list[float]) -> None:
    more = list(starmap(sub, zip(now, before, strict=True)))
    if isinstance(figure, Buckets):
        figure.add(more[:-1], more[-1])
    else:
        figure.inc(more[0])
