"""Alembic's environment: run all missing revisions in one transaction of the given connection."""

from alembic import context

from kernel.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
