"""Backing: a whole copy of the database while the gateway runs, and the checkpoint beside it."""

import os
from pathlib import Path

import click

from gateway.commands.opening import No, opened, plainly
from gateway.rooms import PATIENCE
from gateway.setup.addresses import is_postgres
from gateway.setup.settings import Settings
from kernel.clock import Deadline
from kernel.database import Database
from kernel.durable import replace_durably, sync_directory

_DATABASE, _CHECKPOINT = "causeway.db", "checkpoint"


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@plainly
def backup(directory: Path) -> None:
    """A whole copy of the database, made while the gateway serves.

    It goes into a new directory, with the log's signed checkpoint beside it; SQLite only. The keys
    and the guard are not in it: keys are kept apart, and a guard is never restored.

    \b
    Example: python -m gateway backup /backup/2026-11-22
    """
    if directory.exists() and any(directory.iterdir()):
        raise No(f"{directory} is not empty: name a new directory for each backup.")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_postgres(Settings.from_environ().database):
        raise No("PostgreSQL is backed up with its own tools: docs/runbook.md says how.")
    with opened() as rooms:
        checkpoint = rooms.ledger.checkpoint()  # first: the copy has all of it, and maybe more
        _copy(rooms.database, directory / _DATABASE, Deadline.within(PATIENCE, rooms.clock))
    replace_durably(directory / _CHECKPOINT, checkpoint.encode())
    click.echo(f"{checkpoint.splitlines()[1]} entries and more are in {directory}.")


def _copy(database: Database, path: Path, deadline: Deadline) -> None:
    """Write a compact copy, made under the lock as one transaction, and make it durable."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with database.sequence(deadline) as connection:
            connection.execute("VACUUM INTO ?", (str(path),)).fetchall()
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path.parent)
