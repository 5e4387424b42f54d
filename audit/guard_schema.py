"""Guard schema: the two tables of a guard in PostgreSQL, made by their owner for its one role."""

from contextlib import closing

import psycopg
from psycopg import errors

from audit.model import BadLedger
from kernel.clock import Deadline
from kernel.grants import quoted

TABLES = ("guard_head", "guard_restriction")
_SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS guard_head (
  number BIGINT NOT NULL UNIQUE, origin TEXT NOT NULL, size BIGINT NOT NULL, note TEXT NOT NULL,
  kept TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (origin, size))
""",
    """
CREATE TABLE IF NOT EXISTS guard_restriction (
  number BIGINT PRIMARY KEY, line TEXT NOT NULL,
  kept TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp())
""",
)


def make_guard(url: str, role: str, deadline: Deadline) -> None:
    """Make what is missing, as the owner whom the URL names, and let the role read and insert;
    raise `BadLedger` that says what to do."""
    try:
        with closing(
            psycopg.connect(url, connect_timeout=max(2, int(deadline.left())))
        ) as connection:
            connection.execute("SET lock_timeout = '2s'")
            for statement in _SCHEMA:
                connection.execute(statement.encode())
            for statement in _granting(role, current=connection.info.user):
                connection.execute(statement.encode())
            connection.commit()
    except errors.InsufficientPrivilege as error:
        raise BadLedger(
            f"the guard's tables cannot be made: {error.diag.message_primary}; name the owner of"
            " its database in GATEWAY_GUARD_MIGRATOR_URL"
        ) from error
    except psycopg.Error as error:
        said = error.diag.message_primary or "its server cannot be reached"
        raise BadLedger(f"the guard's tables cannot be made: {said}") from error


def _granting(role: str, current: str) -> list[str]:
    if role == current:
        return []  # the owner would only take from itself; `doctor` says that it should not be
    who = quoted(role)
    return [
        f"GRANT USAGE ON SCHEMA public TO {who}",
        *(f"REVOKE ALL ON {table} FROM {who}" for table in TABLES),
        *(f"GRANT SELECT, INSERT ON {table} TO {who}" for table in TABLES),
    ]
