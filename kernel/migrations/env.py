"""Alembic's environment: run the missing revisions on the given connection, each in a
transaction of its own."""

from alembic import context

from kernel.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
