"""The schema on SQLite: migrated under the lock of the file, on a connection of its own."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kernel.clock import Deadline
from kernel.database_model import StorageError
from kernel.filelock import FileLock, refuse_network
from kernel.grants import Roles
from kernel.migrations.naming import BadSchema
from kernel.migrations.plan import Plan


@contextmanager
def held(url: str, deadline: Deadline) -> Iterator["SqliteSchema"]:
    """Hold the file's lock, as every writer does; the file is made for its owner alone."""
    path = _path(url)
    refuse_network(path.parent)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with _told(), closing(FileLock(path)) as lock, lock.held(deadline):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # Closing the last connection checkpoints, which is done under the lock alone.
        with closing(connection):
            for pragma in ("journal_mode = WAL", "wal_autocheckpoint = 0", "synchronous = FULL"):
                connection.execute(f"PRAGMA {pragma}").fetchall()
            yield SqliteSchema(connection)


def seen(url: str) -> str | None:
    """Return the schema's revision as a reader sees it, or None where there is none."""
    path = _path(url)
    if not path.exists():
        return None
    with _told(), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return SqliteSchema(connection).revision()


@contextmanager
def _told() -> Iterator[None]:
    """Raise the driver's errors as those of the port."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(str(error)) from error


class SqliteSchema:
    """The schema in a file whose lock is held."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take the connection."""
        self._connection = connection

    def revision(self) -> str | None:
        """Return the revision, or None where there is no schema yet."""
        found = self._connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
        ).fetchall()
        if not found:
            return None
        rows = self._connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return str(rows[0][0]) if rows else None

    def upgrade(self, plan: Plan, deadline: Deadline) -> None:  # noqa: ARG002 - a file has no queue
        """Run every revision that is missing, or raise `BadSchema`."""
        # Alembic takes a fifth of a second to import, and a command beside a server needs none.
        from sqlalchemy import StaticPool, create_engine, event  # noqa: PLC0415 - slow
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - slow

        from kernel.migrations import alembic_run  # noqa: PLC0415 - slow

        connection = self._connection
        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        # The driver would commit before each DDL statement; with its isolation off, we begin.
        event.listen(engine, "begin", lambda opened: opened.exec_driver_sql("BEGIN IMMEDIATE"))
        try:
            alembic_run.run(engine, plan)
        except DBAPIError as error:
            raise BadSchema(
                f"the database's schema cannot be brought to head: {error.orig}"
            ) from error

    def grant(self, roles: Roles) -> None:
        """Do nothing: a file has no roles, and whoever can open it may do anything."""


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///")).absolute()
