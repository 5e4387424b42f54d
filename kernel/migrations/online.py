"""Online: what a migration does to a table that is being written, without stopping who writes."""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import text

_INVALID = """
SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relname = :name AND NOT i.indisvalid
"""


def create_index(name: str, table: str, columns: Sequence[str]) -> None:
    """Add an index to a table that is there, in a migration that does nothing else.

    PostgreSQL makes it beside the writers and in no transaction, so that a kill leaves whatever
    else the migration did; what a cut-off try left of the index is dropped.
    """
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        op.create_index(name, table, list(columns), if_not_exists=True)
        return
    with op.get_context().autocommit_block():
        if op.get_bind().execute(text(_INVALID), {"name": name}).first():
            op.drop_index(name, table, postgresql_concurrently=True)
        op.create_index(
            name, table, list(columns), postgresql_concurrently=True, if_not_exists=True
        )
