"""Database: which one a URL names, and what everybody takes for it."""

from pathlib import Path

from kernel.database_model import Connection, Database, Forked, Replaced, StorageError
from kernel.database_sqlite import SqliteDatabase
from kernel.waits import Waits

__all__ = ["Connection", "Database", "Forked", "Replaced", "StorageError", "open_database"]
_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


def open_database(url: str, waits: Waits | None = None) -> Database:
    """Return the database of a URL: `sqlite:///PATH` is a file, which is made where it is missing,
    and `postgresql://…` is all that libpq takes there, TLS options included; `waits` is how those
    who read wait for a server."""
    if url.startswith(_SQLITE) and url != _SQLITE:
        return SqliteDatabase(Path(url.removeprefix(_SQLITE)))
    if url.startswith(_POSTGRES):
        # Who works on a file needs no driver of PostgreSQL, which takes its time to import.
        from kernel.database_postgres import PostgresDatabase  # noqa: PLC0415 - slow

        return PostgresDatabase(url, waits=waits)
    raise ValueError("the database URL is sqlite:///PATH or postgresql://…")
