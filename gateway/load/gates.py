"""Gates: before each source, so that one which is stuck or slow keeps no more than its share.

A request that waits for a source holds one of the places of those under way. A quarter of them is
shared out, so many to each source for ever; half may be borrowed by whoever needs more; the rest
never waits for a source.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import ceil

from greenlet import GreenletExit

from gateway.load.circuit import Circuit, State
from kernel.clock import Clock
from kernel.errors import Reason, Refusal

_DOWN = frozenset({Reason.SOURCE_UNAVAILABLE, Reason.SOURCE_TIMEOUT})


class Gates:
    """One gate for each source that is set up."""

    def __init__(self, sources: Collection[str], places: int, clock: Clock) -> None:
        """Share so many places out."""
        self._circuits = {name: Circuit(clock) for name in sorted(sources)}
        self._held = dict.fromkeys(self._circuits, 0)
        self._own = max(2, places // 4 // max(1, len(self._held)))
        self._to_borrow = places // 2
        self._borrowed = 0
        self._lock = threading.Lock()

    @contextmanager
    def passing(self, source: str) -> Iterator[None]:
        """Stand around a question to a source, or raise `source.unavailable` at once."""
        self._enter(source)
        try:
            circuit = self._circuits[source]
            admitted = circuit.admits()
            if admitted is State.OPEN:
                raise _closed(source, "failed several times in a row", ceil(circuit.seconds()))
            with _telling(circuit, admitted):
                yield
        finally:
            self._leave(source)

    def states(self) -> Mapping[str, State]:
        """Return whether each source is asked now."""
        return {name: circuit.state for name, circuit in self._circuits.items()}

    def held(self) -> Mapping[str, int]:
        """Return how many requests wait for each source now."""
        with self._lock:
            return dict(self._held)

    def _enter(self, source: str) -> None:
        with self._lock:
            if self._held[source] >= self._own:
                if self._borrowed >= self._to_borrow:
                    raise _closed(source, "has as many questions open as it may have", 1)
                self._borrowed += 1
            self._held[source] += 1

    def _leave(self, source: str) -> None:
        with self._lock:
            self._held[source] -= 1
            if self._held[source] >= self._own:
                self._borrowed -= 1


@contextmanager
def _telling(circuit: Circuit, admitted: State) -> Iterator[None]:
    """Tell the circuit how it went: any answer, also a useless one, shows that the source is up;
    that nobody waits for it any more shows nothing."""
    tell: Callable[[], None] = partial(circuit.failed, admitted)
    try:
        yield
        tell = circuit.succeeded
    except Refusal as refusal:
        if refusal.reason not in _DOWN:
            tell = circuit.succeeded
        raise
    except GreenletExit:
        tell = partial(circuit.not_told, admitted)
        raise
    finally:
        tell()


def _closed(source: str, why: str, seconds: int) -> Refusal:
    refusal = Refusal(
        Reason.SOURCE_UNAVAILABLE, f"Source {source} {why}: it is not asked now; try again later."
    )
    refusal.retry_after = max(1, seconds)
    return refusal
