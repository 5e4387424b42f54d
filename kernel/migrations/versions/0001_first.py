"""The first schema.

Revision ID: 0001
"""

from alembic import op

from kernel.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table of `kernel.tables`; the first release freezes them here."""
    metadata.create_all(op.get_bind(), checkfirst=False)
