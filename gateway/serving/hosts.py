"""Hosts: who serves now, known by a heartbeat row for each worker of each host.

A heartbeat decides nothing about anybody's data, so it is a plain row and no entry of the ledger:
the control epoch settles with each append what a host may do, whether it is known here or not.
"""

from dataclasses import dataclass
from enum import StrEnum

from kernel.clock import SECOND, Clock, Deadline, Micros
from kernel.database import Database

EVERY = 5
"""Seconds between two beats; rare, since on SQLite each takes the right to write for a moment."""
MISSED = 3
"""Beats after which a worker counts as dead."""
FORGOTTEN = 3600
"""Seconds after which the row of a dead worker may become another's, so that they stay few."""
PATIENCE = 2.0

_LIVE = """
SELECT name, worker, seen, revision, state FROM host
WHERE seen > ? AND seen < ? AND state <> ? ORDER BY name, worker
"""
_AGAIN = "UPDATE host SET seen = ?, revision = ?, state = ? WHERE name = ? AND worker = ?"
_TAKE_OVER = """
UPDATE host SET seen = ?, revision = ?, state = ?, name = ?, worker = ? WHERE seen < ?
AND (name, worker) IN (SELECT name, worker FROM host WHERE seen < ? ORDER BY seen LIMIT 1)
"""
_FIRST = """
INSERT INTO host (seen, revision, state, name, worker) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (name, worker) DO UPDATE
SET seen = excluded.seen, revision = excluded.revision, state = excluded.state
"""


class State(StrEnum):
    """What a worker is at."""

    SERVING = "serving"
    PREPARED = "prepared"
    LEAVING = "leaving"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Beat:
    """One sign of life: a host, one of its workers, when, and which policies it has ready."""

    name: str
    worker: str
    seen: Micros
    revision: str
    state: State


class Hosts:
    """The rows of all hosts; times are the workers' own, which are two seconds apart at most."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Take the database that all hosts share, and the time."""
        self._database = database
        self._clock = clock

    def live(self) -> tuple[Beat, ...]:
        """Return the last beat of each worker that is not dead, by host and worker."""
        # A sign of life from the future would outlive the one who gave it.
        now, longest = self._clock.now(), MISSED * EVERY * SECOND
        values = now - longest, now + longest, State.LEFT.value
        rows = self._database.read().execute(_LIVE, values).fetchall()
        return tuple(
            Beat(row["name"], row["worker"], row["seen"], row["revision"], State(row["state"]))
            for row in rows
        )

    def beat(self, name: str, worker: str, revision: str, state: State) -> None:
        """Write a worker's row: its own, or that of one long dead, or a new one."""
        now = self._clock.now()
        said, long_ago = (now, revision, state.value, name, worker), now - FORGOTTEN * SECOND
        with self._database.sequence(Deadline.within(PATIENCE, self._clock)) as connection:
            connection.begin()
            for statement, values in (
                (_AGAIN, said),
                (_TAKE_OVER, (*said, long_ago, long_ago)),
                (_FIRST, said),
            ):
                if connection.execute(statement, values).rowcount == 1:
                    break
            connection.commit()
