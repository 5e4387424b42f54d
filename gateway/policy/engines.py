"""Engines: which policy engine the settings choose."""

from collections.abc import Sequence
from typing import Protocol

from gateway.model import Decision
from gateway.policy.bundle import Bundle
from gateway.policy.engine_embedded import EmbeddedEngine
from kernel.clock import Clock
from kernel.names import Revision


class PreparedEngine(Protocol):
    """An engine that can be given further revisions, and tells how it is."""

    def prepare(self, bundle: Bundle) -> None:
        """Make a bundle ready to be asked, or raise `PolicyError`."""
        ...

    def decide(self, input: bytes, revision: Revision) -> Decision:
        """Return the policies' decision on a canonical input, or raise `Refusal`."""
        ...

    def ready(self, revision: Revision) -> bool:
        """Return whether it has a revision now."""
        ...

    def healthy(self) -> bool:
        """Return whether it can answer now."""
        ...


def opa_addresses(value: str | None) -> Sequence[str]:
    """Return the addresses of OPA in a setting, between them a space or a comma."""
    return (value or "").replace(",", " ").split()


class EngineWatch(Protocol):
    """Measures what an engine does."""

    def around(self, engine: PreparedEngine) -> PreparedEngine:
        """Return the engine, its evaluations measured."""
        ...

    def remembered(self) -> None:
        """Count a decision that was remembered."""
        ...


class Unwatched:
    """Measures nothing."""

    def around(self, engine: PreparedEngine) -> PreparedEngine:
        """Return the engine as it is."""
        return engine

    def remembered(self) -> None:
        """Count nothing."""


def engine_for(opa_url: str | None, clock: Clock) -> PreparedEngine:
    """Return OPA where its address, or two, is set, else the engine in this process; raises
    `BadOpaUrl`."""
    if opa_url is None:
        return EmbeddedEngine(clock)
    # OPA's client brings an HTTP stack of 15 MiB that nobody else needs.
    from gateway.policy.engine_opa import OpaEngine  # noqa: PLC0415 - where OPA is set

    return OpaEngine(opa_url, clock)
