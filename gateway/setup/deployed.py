"""Deployed: what the servers that the settings name really are, and what is in them already."""

from collections.abc import Iterator
from contextlib import closing

import psycopg

from gateway.setup.addresses import is_postgres
from gateway.setup.settings import Settings
from kernel.clock import Deadline
from kernel.finding import Finding
from kernel.granted import granted
from kernel.grants import Right, rights
from kernel.migrations import BadSchema, check

_IDENTITY = "SELECT system_identifier FROM pg_control_system()"
_ACTIVE = "SELECT 1 FROM control WHERE name = 'policy'"
_GUARDED = tuple(
    Right(table, frozenset({"SELECT", "INSERT"}), frozenset())
    for table in ("guard_head", "guard_restriction")
)


def deployed(settings: Settings, deadline: Deadline) -> Iterator[Finding]:
    """Yield what database and guard lack, as each of our roles finds them."""
    if not is_postgres(settings.database):
        return
    yield from _asked("GATEWAY_DATABASE_URL", _ledger(settings, deadline))
    if settings.eraser is not None:
        erasing = granted(settings.eraser, tuple(rights(erases=True)), deadline)
        yield from _asked("GATEWAY_ERASER_URL", erasing)
    if settings.guard is not None and is_postgres(settings.guard):
        yield from _asked("GATEWAY_GUARD_URL", granted(settings.guard, _GUARDED, deadline))
        yield from _asked("GATEWAY_GUARD_URL", _apart(settings.database, settings.guard, deadline))


def _asked(name: str, found: Iterator[Finding]) -> Iterator[Finding]:
    """Yield what is found; a server that cannot be asked is a finding itself."""
    try:
        yield from found
    except psycopg.Error as error:
        said = " ".join(str(error).split()) or type(error).__name__
        yield Finding(f"{name} cannot be used: {said}", f"see that the server is up, and {name}")


def _ledger(settings: Settings, deadline: Deadline) -> Iterator[Finding]:
    yield from granted(settings.database, tuple(rights(erases=False)), deadline)
    try:
        check(settings.database, deadline)
    except BadSchema as error:
        yield Finding(str(error), "python -m gateway migrate")
        return
    # Policies in force came by an activation that checked them; what fills an empty ledger is
    # signed, so that whoever may write to a directory does not decide who sees what.
    if not _rows(settings.database, _ACTIVE, deadline) and not settings.policies.is_file():
        yield Finding(
            "the policies that would fill the ledger are not signed",
            "set GATEWAY_POLICIES to a signed bundle (`python -m gateway policy bundle`)",
        )


def _apart(database: str, guard: str, deadline: Deadline) -> Iterator[Finding]:
    if _rows(database, _IDENTITY, deadline) == _rows(guard, _IDENTITY, deadline):
        yield Finding(
            "the guard is on the database's own server, and would be restored with it",
            "set GATEWAY_GUARD_URL to a PostgreSQL of its own, on another machine",
        )


def _rows(url: str, query: str, deadline: Deadline) -> list[tuple[object, ...]]:
    timeout = max(2, int(deadline.left()))
    with closing(psycopg.connect(url, autocommit=True, connect_timeout=timeout)) as connection:
        return connection.execute(query.encode()).fetchall()
