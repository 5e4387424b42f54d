"""Addresses: where the database and the guard are, as the operator names them, and as whom."""

from pathlib import Path

from gateway.setup.given import PREFIX, BadSettings
from kernel.postgres_address import SCHEMES, BadPostgresAddress, PostgresAddress

SQLITE = "sqlite:///"
FILE = "file://"


def database_url(value: str) -> str:
    """Return the URL of the one database, or raise `BadSettings`."""
    if value.startswith(SQLITE) and value != SQLITE:
        return value
    return _postgres("DATABASE_URL", value, "sqlite:///PATH or postgresql://…")


def role_url(name: str, value: str) -> str | None:
    """Return the URL of somebody else who comes to a database, None where nobody is named."""
    return _postgres(name, value, "postgresql://…") if value else None


def guard_url(value: str) -> str | None:
    """Return where the guard is, None where it is in the state directory."""
    if not value or (value.startswith(f"{FILE}/") and value != f"{FILE}/"):
        return value or None
    return _postgres("GUARD_URL", value, "postgresql://… or file:///DIRECTORY")


def refuse_guard_beside_ledger(database: str, guard: str | None) -> None:
    """Raise `BadSettings` where the guard is in the database that it is to guard."""
    if guard is None or not (is_postgres(database) and is_postgres(guard)):
        return
    if PostgresAddress.parse(database).same_place(PostgresAddress.parse(guard)):
        raise BadSettings(
            f"{PREFIX}GUARD_URL is the database of {PREFIX}DATABASE_URL: whoever restores"
            " the one would restore the other with it. Give the guard another server."
        )


def is_postgres(url: str) -> bool:
    """Tell whether a URL names a PostgreSQL."""
    return url.startswith(SCHEMES)


def guard_directory(guard: str | None, state_dir: Path) -> Path | None:
    """Return the guard's directory, None where it is a database."""
    if guard is None:
        return state_dir / "guard"
    return Path(guard.removeprefix(FILE)) if guard.startswith(FILE) else None


def _postgres(name: str, value: str, forms: str) -> str:
    if not is_postgres(value):
        raise BadSettings(f"{PREFIX}{name} is {forms}.")
    try:
        PostgresAddress.parse(value)
    except BadPostgresAddress as error:
        raise BadSettings(f"{PREFIX}{name} {error}.") from None
    return value
