"""Remembered decisions: the same question under the same revision is evaluated once.

A decision follows from the input's bytes and the revision's rules alone: `lint` bans whatever could
tell one evaluation from another. The input names nobody, and its time is the minute.
"""

from collections.abc import Callable

from gateway.model import Decision
from gateway.policy.bundle import Bundle
from gateway.policy.engines import PreparedEngine
from kernel.names import Revision
from kernel.recent import Recent
from kernel.waits import OwnThread, Waits

MOST = 4096
MOST_BYTES = 8 * 1024 * 1024


def _nobody() -> None:
    """Tell nobody."""


class RememberingEngine:
    """Stands before an engine and asks it each question once; only decisions are remembered, never
    a failure to make one."""

    def __init__(
        self,
        engine: PreparedEngine,
        told: Callable[[], None] = _nobody,
        waits: Waits = OwnThread(),  # noqa: B008 - it has no state
        most: int = MOST,
    ) -> None:
        """Take the engine, who is told of each decision that was remembered, how to wait for one
        that was not, and how many may be held."""
        self._engine = engine
        self._told = told
        self._waits = waits
        self.remembered: Recent[tuple[Revision, bytes], Decision] = Recent(most, MOST_BYTES)

    def prepare(self, bundle: Bundle) -> None:
        """Make a bundle ready to be asked, or raise `PolicyError`; what is remembered goes."""
        self._engine.prepare(bundle)
        self.remembered.clear()

    def decide(self, input: bytes, revision: Revision) -> Decision:
        """Return the policies' decision on a canonical input, or raise `Refusal` with
        `policy.unavailable`."""
        asked = (revision, input)
        decision = self.remembered.get(asked)
        if decision is None:
            decision = self._waits.aside(lambda: self._engine.decide(input, revision))
            self.remembered.keep(asked, decision, len(input))
        else:
            self._told()
        return decision

    def ready(self, revision: Revision) -> bool:
        """Return whether the engine has a revision now."""
        return self._engine.ready(revision)

    def healthy(self) -> bool:
        """Return whether the engine can answer now."""
        return self._engine.healthy()
