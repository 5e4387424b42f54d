"""Preparing: new policies get ready on every host before one entry brings them into force.

A host with two OPA servers has two places for policies. A row for each says what belongs there, and
OPA loads it from us (`gateway.http.bundles`). The rows decide nothing about anybody's data, so they
are no entries of the ledger: a decision counts only under the revision that the ledger names.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gateway.policy.bundle import BadBundle, Bundle
from gateway.policy.control import Control
from gateway.policy.engines import PreparedEngine
from gateway.policy.fault import PolicyError
from kernel.clock import Clock, Deadline
from kernel.database import Database, Replaced
from kernel.errors import Refusal
from kernel.names import Revision

PLACES = ("0", "1")
PATIENCE = 10.0
LOOK = 0.5
"""Seconds between two looks for policies to prepare."""

_READ = "SELECT place, revision FROM policy_place ORDER BY since DESC, place"
_CONTENT = "SELECT content FROM policy_place WHERE revision = ?"
_PUT = """
INSERT INTO policy_place (place, revision, content, since) VALUES (?, ?, ?, ?)
ON CONFLICT (place) DO UPDATE
SET revision = excluded.revision, content = excluded.content, since = excluded.since
"""


class Beat(Protocol):
    """The last sign of life of a worker that is not dead."""

    @property
    def name(self) -> str:
        """Return its host."""
        ...

    @property
    def state(self) -> str:
        """Return what it is at."""
        ...

    @property
    def revision(self) -> str:
        """Return the newest policies that it has ready."""
        ...


class Hosts(Protocol):
    """Knows who serves now."""

    def live(self) -> Sequence[Beat]:
        """Return the last beat of each worker that is not dead."""
        ...


class Places:
    """What belongs into the two places, the same on every host."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Take the database that all hosts share."""
        self._database = database
        self._clock = clock

    def revisions(self) -> Mapping[str, Revision]:
        """Return the revision of each place, the one that was put there last before the other."""
        rows = self._database.read().execute(_READ).fetchall()
        return {row["place"]: Revision(row["revision"]) for row in rows}

    def bundle(self, revision: Revision) -> Bundle | None:
        """Return the policies of a revision that has a place, or None; raises `BadBundle`."""
        row = self._database.read().execute(_CONTENT, (revision,)).fetchone()
        bundle = None if row is None else Bundle.from_bytes(bytes(row["content"]))
        return bundle if bundle is not None and bundle.revision == revision else None

    def put(self, bundle: Bundle, in_force: Bundle) -> None:
        """Give checked policies the place that those in force do not have."""
        held = self.revisions()
        kept = next((one for one in PLACES if held.get(one) == in_force.revision), None)
        rows = [(PLACES[0], in_force)] if kept is None else []
        rows.append((PLACES[1 - PLACES.index(kept or PLACES[0])], bundle))
        now = self._clock.now()
        with self._database.sequence(Deadline.within(PATIENCE, self._clock)) as connection:
            connection.begin()
            for number, (place, one) in enumerate(rows):
                values = (place, one.revision, one.content, now + number)
                connection.put(_PUT, values)
            connection.commit()

    def coming(self, in_force: Revision | None) -> Revision | None:
        """Return the revision that is to be prepared, or None where there is none."""
        held = list(self.revisions().values())
        return held[0] if in_force in held and held[0] != in_force else None


class Preparing:
    """Makes coming policies ready in this process, and tells which are."""

    def __init__(self, places: Places, control: Control, engine: PreparedEngine) -> None:
        """Take what is coming, who keeps what is ready, and the engine that must have it."""
        self._places = places
        self._control = control
        self._engine = engine
        self._ready: Revision | None = None

    def ready(self) -> str:
        """Return the newest revision under which this process can decide without a wait."""
        return self._ready or self._control.ready()

    def look(self) -> None:
        """Make ready what is coming, as far as it is not; a fault leaves it for the next look."""
        try:
            coming = self._places.coming(self._control.active())
            if coming is None or coming == self._ready:
                self._ready = coming
                return
            self._ready = None
            bundle = self._places.bundle(coming)
            if bundle is not None:
                self._control.make_ready(bundle)
                self._ready = coming if self._engine.ready(coming) else None
        except (Refusal, BadBundle, PolicyError, Replaced):
            self._ready = None

    def begin(self) -> Callable[[], None]:
        """Look now and then, in a thread of its own; return what ends that."""
        ended = threading.Event()

        def go_on() -> None:
            while not ended.wait(LOOK):
                self.look()

        thread = threading.Thread(target=go_on, name="preparing", daemon=True)
        thread.start()

        def end() -> None:
            ended.set()
            thread.join()

        return end


def lacking(hosts: Hosts, revision: Revision) -> list[str]:
    """Name the hosts that serve, and have a worker on which a revision is not ready."""
    return sorted(
        {
            beat.name
            for beat in hosts.live()
            if beat.state in {"serving", "prepared"} and beat.revision != revision
        }
    )


def prepared(hosts: Hosts, revision: Revision, deadline: Deadline) -> list[str]:
    """Wait until a revision is ready on every live host; name those on which it is not in time."""
    pause = threading.Event()
    while (missing := lacking(hosts, revision)) and deadline.left() > 0:
        pause.wait(LOOK / 2)
    return missing
