"""Migrations: bring the database's schema to head, one process at a time."""

from contextlib import AbstractContextManager

from kernel.clock import Deadline
from kernel.grants import Roles
from kernel.migrations.naming import BadSchema, Named, refuse_contracted, refuse_unserved
from kernel.migrations.plan import HEAD, Plan, Schema

__all__ = ["HEAD", "BadSchema", "check", "migrate", "revision"]


def migrate(
    url: str, deadline: Deadline, roles: Roles | None = None, plan: Plan | None = None
) -> None:
    """Bring the schema to head and give the roles their rights; a newer one stays as it is.

    Each revision is a transaction: a kill leaves it done or undone. Raises `BadSchema`, or
    `TimeoutError` where somebody else keeps the lock until the deadline.
    """
    plan = plan or Plan()
    with _held(url, deadline) as schema:
        found = schema.revision()
        if found is None or Named.of(found).number < Named.of(plan.head).number:
            schema.upgrade(plan, deadline)
        else:
            refuse_contracted(found, plan.head)
        schema.grant(roles or Roles())


def check(url: str, deadline: Deadline) -> None:
    """Raise `BadSchema` where this version cannot work on the schema; change nothing."""
    refuse_unserved(revision(url, deadline), HEAD)


def revision(url: str, deadline: Deadline) -> str | None:
    """Return the schema's revision, or None where there is no schema yet."""
    if url.startswith("sqlite:"):
        from kernel.migrations import on_sqlite  # noqa: PLC0415 - one of two drivers

        return on_sqlite.seen(url)
    from kernel.migrations import on_postgres  # noqa: PLC0415 - takes a quarter of a second

    return on_postgres.seen(url, deadline)


def _held(url: str, deadline: Deadline) -> AbstractContextManager[Schema]:
    if url.startswith("sqlite:"):
        from kernel.migrations import on_sqlite  # noqa: PLC0415 - one of two drivers

        return on_sqlite.held(url, deadline)
    from kernel.migrations import on_postgres  # noqa: PLC0415 - takes a quarter of a second

    return on_postgres.held(url, deadline)
