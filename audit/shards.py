"""Shards: the origins of one log that was recovered, and which of them an entry was written under.

A recovered log goes on under a new origin: a second history under the old one would be a fork.
"""

import re
from dataclasses import dataclass
from typing import Final

from kernel.database_model import Connection

_NUMBERED: Final = re.compile(r"(?P<stem>.+)/(?P<number>[1-9][0-9]{0,5})")
_READ = 'SELECT "index", previous, origin FROM ledger_recovery ORDER BY "index"'


def number(origin: str) -> int:
    """Return which origin of its log this is: 1 until the first recovery."""
    match = _NUMBERED.fullmatch(origin)
    return 1 if match is None else int(match["number"])


def same_log(one: str, other: str) -> bool:
    """Return whether both are origins of one log."""
    return _stem(one) == _stem(other)


def following(origin: str) -> str:
    """Return the origin under which the log goes on after a recovery."""
    return f"{_stem(origin)}/{number(origin) + 1}"


def _stem(origin: str) -> str:
    match = _NUMBERED.fullmatch(origin)
    return origin if match is None else match["stem"]


@dataclass(frozen=True, slots=True)
class Origins:
    """The origin now, and from which entry on each of them holds; empty where never recovered."""

    now: str
    recoveries: tuple[tuple[int, str, str], ...] = ()
    """Index of `log.recovered`, the origin before it in this database, the origin from it on."""

    def at(self, index: int) -> str:
        """Return the origin under which an entry was written."""
        for first, previous, _ in self.recoveries:
            if index < first:
                return previous
        return self.now


def origins(connection: Connection, now: str) -> Origins:
    """Return the origins of the log in a database, whose state row has the one given."""
    if number(now) == 1:
        return Origins(now)
    rows = connection.execute(_READ).fetchall()
    return Origins(now, tuple((int(row[0]), str(row[1]), str(row[2])) for row in rows))
