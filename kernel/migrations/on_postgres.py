"""The schema on PostgreSQL: migrated by its owner under an advisory lock, beside a live gateway."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from psycopg import errors, sql
from sqlalchemy import Engine, StaticPool, create_engine
from sqlalchemy.exc import DBAPIError

from kernel.clock import Deadline
from kernel.database_model import StorageError
from kernel.grants import VERSION, Roles, statements
from kernel.migrations import alembic_run
from kernel.migrations.naming import BadSchema
from kernel.migrations.plan import Plan

LOCK = 0x6361757365776179
"""Who migrates holds this advisory lock: the name of the product in ASCII."""
_PAUSE = 0.1
LOCK_TIMEOUT = "400ms"
"""How long a statement of ours waits for a table: whoever serves queues behind it meanwhile."""


@contextmanager
def held(url: str, deadline: Deadline) -> Iterator["PostgresSchema"]:
    """Hold the advisory lock of migrations, or raise `TimeoutError` when the deadline passes."""
    with closing(_connect(url, deadline)) as connection:
        while not _one(connection, f"SELECT pg_try_advisory_lock({LOCK})"):
            if not deadline.left():
                raise TimeoutError("another process migrates the database")
            time.sleep(_PAUSE)
        connection.execute(sql.SQL("SET lock_timeout = {}").format(LOCK_TIMEOUT))
        yield PostgresSchema(connection)


def seen(url: str, deadline: Deadline) -> str | None:
    """Return the schema's revision as this role sees it, or None where there is none."""
    with closing(_connect(url, deadline)) as connection:
        return PostgresSchema(connection).revision()


class PostgresSchema:
    """The schema of a database whose advisory lock is held; the lock goes with the connection."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        """Take the connection, which is in autocommit mode."""
        self._connection = connection

    def revision(self) -> str | None:
        """Return the revision, or None where there is no schema yet."""
        if _one(self._connection, f"SELECT to_regclass('public.{VERSION}')") is None:
            return None
        try:
            found = _one(self._connection, f"SELECT max(version_num) FROM public.{VERSION}")  # noqa: S608 - own name
        except errors.InsufficientPrivilege as error:
            raise BadSchema(
                "this role may not read the schema's revision: run `python -m gateway migrate`,"
                " which grants it what it needs"
            ) from error
        return None if found is None else str(found)

    def upgrade(self, plan: Plan, deadline: Deadline) -> None:
        """Run every revision that is missing, again where a table was busy; or `BadSchema`."""
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: self._connection, poolclass=StaticPool
        )
        self._connection.autocommit = False  # SQLAlchemy leaves beginning to the driver
        while self._busy(engine, plan):
            if not deadline.left():
                raise TimeoutError("a table of the database stays busy")
            time.sleep(_PAUSE)
        self._connection.autocommit = True

    @staticmethod
    def _busy(engine: Engine, plan: Plan) -> bool:
        """Run what is missing; return whether a table was busy, with that revision undone."""
        try:
            alembic_run.run(engine, plan)
        except DBAPIError as error:
            if not isinstance(error.orig, errors.LockNotAvailable):
                raise BadSchema(_plainly(error.orig)) from error
            return True
        return False

    def grant(self, roles: Roles) -> None:
        """Give these roles what `kernel.grants` says, and nothing else, in one transaction."""
        wanted = [(roles.writer, False), (roles.eraser, True)]
        try:
            with self._connection.transaction():
                for role, erases in wanted:
                    if role is not None:
                        all_of_them = "; ".join(statements(role, erases=erases))
                        self._connection.execute(all_of_them.encode())
        except errors.UndefinedObject as error:
            raise BadSchema(
                f"{error.diag.message_primary!s}: make it with"
                " `CREATE ROLE … LOGIN PASSWORD …`, as GATEWAY_DATABASE_URL or GATEWAY_ERASER_URL"
                " names it, and migrate again"
            ) from error
        except errors.InsufficientPrivilege as error:
            raise BadSchema(_plainly(error)) from error


def _connect(url: str, deadline: Deadline) -> psycopg.Connection[tuple[object, ...]]:
    timeout = max(2, int(deadline.left()))
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=timeout)
    except psycopg.OperationalError as error:
        raise StorageError(" ".join(str(error).split())) from error


def _one(connection: psycopg.Connection[tuple[object, ...]], query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def _plainly(error: BaseException | None) -> str:
    said = " ".join(str(error).split())
    if isinstance(error, errors.InsufficientPrivilege):
        said += (
            "; migrations run as the role that owns the tables: name it in GATEWAY_MIGRATOR_URL,"
            " and give it the database (ALTER DATABASE … OWNER TO …)"
        )
    return f"the database's schema cannot be brought to head: {said}"
