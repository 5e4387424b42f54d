"""Storage: the database and the guard that the settings name, made ready and opened."""

from pathlib import Path

from audit.checkpoint import Signer
from audit.guard import Guard
from audit.guard_directory import DirectoryGuard
from gateway.setup.addresses import SQLITE, guard_directory, is_postgres
from gateway.setup.settings import Mode, Settings
from kernel.clock import Clock, Deadline
from kernel.grants import Roles
from kernel.migrations import check, migrate
from kernel.postgres_address import PostgresAddress


def bring_to_head(settings: Settings, deadline: Deadline) -> None:
    """Bring the schemas of database and guard to head, each as its owner, and let the other roles
    do what they need; raises `BadSchema`, `BadLedger` or `TimeoutError`."""
    if not is_postgres(settings.database):
        file = Path(settings.database.removeprefix(SQLITE))
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrate(settings.migrator or settings.database, deadline, roles(settings))
    if settings.guard is not None and is_postgres(settings.guard):
        from audit.guard_schema import make_guard  # noqa: PLC0415 - brings the driver

        owner = settings.guard_migrator or settings.guard
        make_guard(owner, PostgresAddress.parse(settings.guard).user, deadline)


def make_ready(settings: Settings, deadline: Deadline) -> None:
    """Bring the schema to head where nobody else does it; on PostgreSQL in production it is there
    already, or this raises `BadSchema` that says how to bring it."""
    if settings.mode is Mode.PRODUCTION and is_postgres(settings.database):
        check(settings.database, deadline)
    else:
        bring_to_head(settings, deadline)


def roles(settings: Settings) -> Roles:
    """Return whom the owner of the tables grants something: those who are not the owner."""
    if not is_postgres(settings.database):
        return Roles()
    owner = PostgresAddress.parse(settings.migrator or settings.database).user
    named = [
        PostgresAddress.parse(url).user if url is not None else None
        for url in (settings.database, settings.eraser)
    ]
    writer, eraser = (None if name == owner else name for name in named)
    return Roles(writer, None if eraser == writer else eraser)


def guard_of(settings: Settings, signer: Signer, clock: Clock) -> Guard:
    """Return the guard: on its own server, or in a directory."""
    directory = guard_directory(settings.guard, settings.state_dir)
    if directory is not None:
        return DirectoryGuard(directory, signer)
    from audit.guard_database import DatabaseGuard  # noqa: PLC0415 - brings the driver

    return DatabaseGuard(settings.guard or "", signer, clock)
