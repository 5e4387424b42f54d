"""Grants: what each role may do to each table, and which columns are ever written again.

The writer is the gateway, the eraser destroys what a person may have destroyed, the migrator owns.
What is not named here is written once: no role of the gateway may change or delete it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

VERSION = "alembic_version"

CHANGES: Mapping[str, frozenset[str]] = {
    "ledger_state": frozenset(
        ("origin", "size", "root", "edge", "last_time", "epoch", "batch"),
    ),
    "ledger_leaf": frozenset(),
    "ledger_tile": frozenset(),
    "ledger_body": frozenset(),
    "ledger_restriction": frozenset(),
    "ledger_recovery": frozenset(),
    "person": frozenset(("number", "last")),
    "control": frozenset(("value",)),
    "policy_bundle": frozenset(),
    "policy_place": frozenset(("revision", "content", "since")),
    "stop": frozenset(("state", "since", "reason", "index")),
    "client": frozenset(("state", "since")),
    "exchange": frozenset(("state", "closing", "receipt", "person", "identifier")),
    # The row of a dead worker is given to the next one, so that nobody needs to delete any.
    "host": frozenset(("name", "worker", "seen", "revision", "state")),
    "consent": frozenset(
        {
            *("revision", "agency", "purpose", "state", "granted", "valid_from", "valid_until"),
            *("use_limit", "term", "epoch", "since", "identifier", "notice", "language"),
        }
    ),
    "consent_slot": frozenset(("consent",)),
    "consent_event": frozenset(),
    "consent_receipt": frozenset(),
    "notice": frozenset(),
    "consent_request": frozenset(("state",)),
    "consent_asked": frozenset(("request", "at")),
    "consent_asking": frozenset(("day", "count")),
    "resident_case": frozenset(("state", "closed", "closing")),
    "resident_cases": frozenset(("open",)),
    "consent_count": frozenset(("term", "uses")),
    "consent_use": frozenset(),
    "block": frozenset(("kinds", "since")),
}
"""The columns that are written again after a row was made; for most tables few, or none."""

ERASED = ("person", "ledger_body")
"""What the eraser deletes from: a person's secret, and what was sealed for them."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the roles that already exist in the database."""

    writer: str | None = None
    eraser: str | None = None


@dataclass(frozen=True, slots=True)
class Right:
    """What one role may do to one table."""

    table: str
    verbs: frozenset[str]
    columns: frozenset[str]
    """The columns that it may update."""


def rights(*, erases: bool) -> Iterator[Right]:
    """Return everything that the writer may do, or the eraser, who may all that and delete."""
    yield Right(VERSION, frozenset({"SELECT"}), frozenset())
    for table, columns in CHANGES.items():
        verbs = {"SELECT", "INSERT"}
        if erases and table in ERASED:
            verbs.add("DELETE")
        yield Right(table, frozenset(verbs), columns)


def statements(role: str, *, erases: bool) -> Iterator[str]:
    """Return the statements after which a role has its rights and no others of its own."""
    who = quoted(role)
    yield f"GRANT USAGE ON SCHEMA public TO {who}"
    for right in rights(erases=erases):
        table = quoted(right.table)
        yield f"REVOKE ALL ON {table} FROM {who}"
        yield f"GRANT {', '.join(sorted(right.verbs))} ON {table} TO {who}"
        if right.columns:
            columns = ", ".join(quoted(column) for column in sorted(right.columns))
            yield f"GRANT UPDATE ({columns}) ON {table} TO {who}"


def quoted(name: str) -> str:
    """Return a name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'
