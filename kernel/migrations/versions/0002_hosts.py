"""Hosts: who serves, and when each last said so.

Revision ID: 0002_serves_0001
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0002_serves_0001"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    """Add the table of heartbeats."""
    op.create_table(
        "host",
        Column("name", Text(), primary_key=True),
        Column("worker", Text(), primary_key=True),
        Column("seen", BigInteger(), nullable=False),
        Column("revision", Text(), nullable=False),
        Column("state", Text(), nullable=False),
    )
