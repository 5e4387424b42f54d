"""Watched: the ports behind which somebody else works, each with a watch at its side."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.model import Decision, Warrant
from gateway.observing.metrics import Metrics
from gateway.policy.bundle import Bundle
from gateway.policy.decision import OtherRevision
from gateway.policy.engines import PreparedEngine
from gateway.ports import Fetch
from identity.model import Realm, Session, SignedIn
from identity.sessions import Sessions
from kernel.canonical import Json
from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.names import Revision


@dataclass(frozen=True, slots=True)
class WatchedEngine:
    """An engine whose evaluations are counted and timed."""

    engine: PreparedEngine
    name: str
    metrics: Metrics
    clock: Clock

    def prepare(self, bundle: Bundle) -> None:
        """Make a bundle ready to be asked, or raise `PolicyError`."""
        self.engine.prepare(bundle)

    def decide(self, input: bytes, revision: Revision) -> Decision:
        """Return the engine's decision, or raise what it raises."""
        began, outcome = self.clock.monotonic(), "unavailable"
        try:
            decision = self.engine.decide(input, revision)
            outcome = "allow" if decision.allow else "deny"
        except OtherRevision:
            outcome = "other_revision"
            raise
        finally:
            self.metrics.evaluated(self.name, outcome, self.clock.monotonic() - began)
        return decision

    def ready(self, revision: Revision) -> bool:
        """Return whether the engine has a revision now."""
        return self.engine.ready(revision)

    def healthy(self) -> bool:
        """Return whether the engine can answer now."""
        return self.engine.healthy()


def watched_fetch(fetch: Fetch, metrics: Metrics, clock: Clock) -> Fetch:
    """Return what asks a source, with each question counted and timed under the source's name."""

    def watched(warrant: Warrant) -> Json:
        began, outcome = clock.monotonic(), "internal"
        try:
            record = fetch(warrant)
            outcome = "answered"
        except Refusal as refusal:
            # Who is told when to try again was not let through to the source.
            outcome = refusal.reason.value if refusal.retry_after is None else "not_asked"
            raise
        finally:
            metrics.fetched(warrant.service.source, outcome, clock.monotonic() - began)
        return record

    return watched


@dataclass(frozen=True, slots=True)
class WatchedSessions:
    """Sessions whose beginnings and ends are counted."""

    sessions: Sessions
    count: Callable[[str, int], None]

    def begin(self, who: SignedIn, old: str = "") -> str:
        """Start a session in place of an old one, and return the cookie's value."""
        cookie = self.sessions.begin(who, old)
        self.count("begun", 1)
        return cookie

    def find(self, realm: Realm, cookie: str) -> Session | None:
        """Return the session of a cookie of this realm, or None."""
        return self.sessions.find(realm, cookie)

    def end(self, realm: Realm, cookie: str) -> None:
        """End the session of the cookie, where there is one."""
        self.sessions.end(realm, cookie)
        self.count("ended", 1)

    def end_all(self, issuer: str, sub: str | None, sid: str | None) -> int:
        """End what the provider says has ended, and return how many sessions that were."""
        ended = self.sessions.end_all(issuer, sub, sid)
        self.count("ended_by_provider", ended)
        return ended
