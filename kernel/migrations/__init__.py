"""Migrations: bring the database's schema to head, in one transaction, under the lock."""

import sqlite3
from pathlib import Path

from kernel.clock import Deadline
from kernel.database import Database

HEAD = "0001"
"""The newest revision; a test compares it with the scripts."""


class BadSchema(Exception):
    """The database's schema is not one that this version knows; the message says which."""


def migrate(database: Database, deadline: Deadline) -> None:
    """Bring the schema to head; a kill at any moment leaves the old schema or the new one."""
    with database.sequence(deadline) as writer:
        if revision(writer) != HEAD:
            _upgrade(writer)


def revision(connection: sqlite3.Connection) -> str | None:
    """Return the schema's revision, or None where there is no schema yet."""
    found = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    ).fetchall()
    if not found:
        return None
    rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(rows[0][0]) if rows else None


def _upgrade(writer: sqlite3.Connection) -> None:
    # Alembic takes a fifth of a second to import, and a command beside a server needs none of it.
    from alembic import command  # noqa: PLC0415 - slow
    from alembic.config import Config  # noqa: PLC0415 - slow
    from alembic.util import CommandError  # noqa: PLC0415 - slow
    from sqlalchemy import StaticPool, create_engine, event  # noqa: PLC0415 - slow
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - slow

    engine = create_engine("sqlite://", creator=lambda: writer, poolclass=StaticPool)
    # The driver would commit before each DDL statement; with its isolation level off, we begin.
    event.listen(engine, "begin", lambda opened: opened.exec_driver_sql("BEGIN IMMEDIATE"))
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise BadSchema(f"the database's schema cannot be brought to head: {error}") from error
        except DBAPIError as error:
            raise BadSchema(
                f"the database's schema cannot be brought to head: {error.orig}"
            ) from error
