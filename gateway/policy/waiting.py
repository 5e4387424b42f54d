"""Waiting: a decision waits until the engine has the policies that came into force a moment ago."""

import threading
from collections.abc import Callable

from gateway.model import Decision
from gateway.policy.bundle import Bundle
from gateway.policy.decision import OtherRevision
from gateway.policy.engines import PreparedEngine
from kernel.clock import Clock
from kernel.errors import Outdated
from kernel.names import Revision
from kernel.waits import OwnThread, Waits

WITHIN = 10.0
"""Seconds after which nobody waits any more for an engine that still has other policies."""
PAUSE = 0.05


class WaitingEngine:
    """Stands before an engine and asks it again while it has another revision than the one in
    force; only so long after the first such answer, so that no queue grows before one that stays
    behind."""

    def __init__(
        self,
        engine: PreparedEngine,
        in_force: Callable[[], Revision | None],
        clock: Clock,
        waits: Waits = OwnThread(),  # noqa: B008 - it has no state
        within: float = WITHIN,
    ) -> None:
        """Take the engine, who knows what the ledger says is in force, and how to wait."""
        self._engine = engine
        self._in_force = in_force
        self._clock = clock
        self._waits = waits
        self._within = within
        self._behind: tuple[Revision, float] | None = None
        self._lock = threading.Lock()
        self._never = threading.Event()
        self.waited = 0
        """Questions that had to wait, since the start."""

    def prepare(self, bundle: Bundle) -> None:
        """Make a bundle ready to be asked, or raise `PolicyError`."""
        self._engine.prepare(bundle)

    def decide(self, input: bytes, revision: Revision) -> Decision:
        """Return the policies' decision, or raise `Refusal` with `policy.unavailable`; `Outdated`
        where the engine has another revision because that one is in force by now."""
        try:
            decision = self._engine.decide(input, revision)
        except OtherRevision as other:
            return self._again(input, revision, other)
        if self._behind is not None and self._behind[0] == revision:
            self._behind = None
        return decision

    def ready(self, revision: Revision) -> bool:
        """Return whether the engine has a revision."""
        return self._engine.ready(revision)

    def healthy(self) -> bool:
        """Return whether the engine can answer now."""
        return self._engine.healthy()

    def _again(self, input: bytes, revision: Revision, other: OtherRevision) -> Decision:
        return self._waits.aside(lambda: self._until_it_has(input, revision, other))

    def _until_it_has(self, input: bytes, revision: Revision, other: OtherRevision) -> Decision:
        until, first = self._until(revision), True
        while True:
            if self._in_force() != revision:
                raise Outdated
            if self._clock.monotonic() >= until:
                raise other
            if first:
                self._count()
                first = False
            self._never.wait(PAUSE)
            try:
                decision = self._engine.decide(input, revision)
            except OtherRevision:
                continue
            self._behind = None
            return decision

    def _until(self, revision: Revision) -> float:
        """Return until when to wait for a revision: since the engine was first seen without it."""
        with self._lock:
            if self._behind is None or self._behind[0] != revision:
                self._behind = (revision, self._clock.monotonic() + self._within)
            return self._behind[1]

    def _count(self) -> None:
        with self._lock:
            self.waited += 1
