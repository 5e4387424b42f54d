"""Naming: a revision's name says which versions of the gateway its schema serves.

`0007_serves_0005` is the seventh schema; every gateway whose own newest is 0005 or later can work
on it. A revision that only adds keeps the second number, one that takes away raises it.
"""

import re
from dataclasses import dataclass

_NAME = re.compile(r"(?P<number>[0-9]{4})(_serves_(?P<serves>[0-9]{4}))?")
_MIGRATE = "run `python -m gateway migrate`"


class BadSchema(Exception):
    """The database's schema is not one that this version knows; the message says which."""


@dataclass(frozen=True, slots=True)
class Named:
    """A revision: its number, and the oldest one whose gateways it serves."""

    number: int
    serves: int

    @classmethod
    def of(cls, name: str) -> "Named":
        """Return what a name says, or raise `BadSchema`; the first had no second number."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise BadSchema(f"the database's schema is {name!r}, which no version made")
        number = int(match["number"])
        return cls(number, int(match["serves"] or number))


def refuse_unserved(found: str | None, head: str) -> None:
    """Raise `BadSchema` where a schema does not serve the gateway whose newest is `head`."""
    if found is None:
        raise BadSchema(f"the database has no schema yet: {_MIGRATE}")
    schema, own = Named.of(found), Named.of(head)
    if schema.number < own.number:
        raise BadSchema(
            f"the database's schema is {found}, and this version needs {head}: {_MIGRATE}"
        )
    refuse_contracted(found, head)


def refuse_contracted(found: str, head: str) -> None:
    """Raise `BadSchema` where a newer schema took away what this version works on."""
    schema, own = Named.of(found), Named.of(head)
    if schema.serves > own.number:
        raise BadSchema(
            f"the database's schema is {found}: it took away what this version, which knows"
            f" {head}, works on; install a version that knows {schema.serves:04} or later"
        )
