"""Hosts and recoveries: who serves, what each is to load, and the names that the log had.

Revision ID: 0002_serves_0001
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text

revision = "0002_serves_0001"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    """Add three tables."""
    op.create_table(
        "host",
        Column("name", Text(), primary_key=True),
        Column("worker", Text(), primary_key=True),
        Column("seen", BigInteger(), nullable=False),
        Column("revision", Text(), nullable=False),
        Column("state", Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "policy_place",
        Column("place", Text(), primary_key=True),
        Column("revision", Text(), nullable=False),
        Column("content", LargeBinary(), nullable=False),
        Column("since", BigInteger(), nullable=False),
    )
    position = BigInteger().with_variant(Integer(), "sqlite")
    op.create_table(
        "ledger_recovery",
        Column("index", position, primary_key=True, autoincrement=False),
        Column("previous", Text(), nullable=False),
        Column("origin", Text(), nullable=False),
    )
