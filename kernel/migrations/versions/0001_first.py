"""The first schema.

Revision ID: 0001
"""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Text

revision = "0001"
down_revision = None
phase = "expand"

# SQLite makes a column its row number, and saves an index, only when the type says INTEGER.
_POSITION = BigInteger().with_variant(Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables of the first release."""
    _ledger()
    _control()
    _records()
    _requests()


def _text(*names: str) -> list[Column[str]]:
    return [Column(name, Text(), nullable=False) for name in names]


def _text_or_null(*names: str) -> list[Column[str]]:
    return [Column(name, Text(), nullable=True) for name in names]


def _bytes(*names: str) -> list[Column[bytes]]:
    return [Column(name, LargeBinary(), nullable=False) for name in names]


def _bytes_or_null(*names: str) -> list[Column[bytes]]:
    return [Column(name, LargeBinary(), nullable=True) for name in names]


def _big(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger(), nullable=False, autoincrement=False) for name in names]


def _big_or_null(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger(), nullable=True) for name in names]


def _position(name: str) -> Column[int]:
    return Column(name, _POSITION, nullable=False, autoincrement=False)


def _ledger() -> None:
    op.create_table(
        "ledger_state",
        *_big("shard"),
        *_text("origin"),
        *_big("size"),
        *_bytes("root", "edge"),
        *_big("last_time", "epoch"),
        *_text("batch"),
        PrimaryKeyConstraint("shard"),
    )
    op.create_table(
        "ledger_leaf",
        _position("index"),
        *_bytes("hash", "leaf"),
        PrimaryKeyConstraint("index"),
    )
    op.create_table(
        "ledger_tile",
        *_big("level", "n"),
        *_bytes("root"),
        PrimaryKeyConstraint("level", "n"),
    )
    op.create_table(
        "ledger_body",
        *_text("person"),
        *_big("index"),
        *_big_or_null("number"),
        *_bytes("sealed"),
        PrimaryKeyConstraint("person", "index"),
    )
    op.create_table(
        "ledger_restriction",
        _position("index"),
        PrimaryKeyConstraint("index"),
    )
    op.create_table(
        "person",
        *_text("ref"),
        *_bytes("secret"),
        *_big("number"),
        *_big_or_null("last"),
        PrimaryKeyConstraint("ref"),
        sqlite_with_rowid=False,
    )


def _control() -> None:
    op.create_table(
        "control",
        *_text("name", "value"),
        PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "policy_bundle",
        *_text("revision"),
        *_bytes("content"),
        PrimaryKeyConstraint("revision"),
    )
    op.create_table(
        "stop",
        *_text("kind", "name", "state"),
        *_big("since"),
        *_text("reason"),
        *_big("index"),
        PrimaryKeyConstraint("kind", "name"),
    )
    op.create_table(
        "client",
        *_text("id", "agency", "scopes", "jwks", "state"),
        *_big("since"),
        PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "exchange",
        *_text("id", "client", "agency", "agreement", "service", "state"),
        *_big("opened", "decision"),
        *_big_or_null("closing"),
        *_text_or_null("receipt", "person"),
        *_bytes_or_null("identifier"),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("exchange_state", "exchange", ["state", "opened"])


def _records() -> None:
    op.create_table(
        "consent",
        *_text(
            "id", "subject_ref", "agreement", "revision", "agency", "purpose", "state", "granted"
        ),
        *_big("valid_from", "valid_until"),
        *_big_or_null("use_limit"),
        *_big("term", "epoch", "since"),
        *_bytes("identifier"),
        *_text_or_null("notice", "language"),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("consent_person", "consent", ["subject_ref", "since"])
    op.create_table(
        "consent_slot",
        *_text("subject_ref", "agreement", "consent"),
        PrimaryKeyConstraint("subject_ref", "agreement"),
    )
    op.create_table(
        "consent_event",
        *_text("consent"),
        *_big("epoch", "event_time"),
        *_text("event_state", "event_type", "method"),
        *_text_or_null("level"),
        *_big("index"),
        *_text("revision", "agency", "purpose", "granted"),
        *_big("valid_from", "valid_until"),
        *_big_or_null("use_limit"),
        *_text_or_null("notice", "language"),
        *_text("receipt"),
        PrimaryKeyConstraint("consent", "epoch"),
    )
    op.create_table(
        "consent_receipt",
        *_text("id", "consent"),
        *_big("epoch"),
        PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "notice",
        *_text("digest", "language", "content"),
        PrimaryKeyConstraint("digest"),
    )


def _requests() -> None:
    op.create_table(
        "consent_request",
        *_text(
            "id", "consent", "subject_ref", "agreement", "revision", "agency", "client", "fields"
        ),
        *_bytes_or_null("case"),
        *_text_or_null("return_url"),
        *_text("state"),
        *_big("opened", "expires", "index"),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("consent_request_person", "consent_request", ["subject_ref", "opened"])
    op.create_table(
        "consent_asked",
        *_text("subject_ref", "agreement", "request"),
        *_big("at"),
        PrimaryKeyConstraint("subject_ref", "agreement"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "consent_asking",
        *_text("agreement"),
        *_big("day", "count"),
        PrimaryKeyConstraint("agreement"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "resident_case",
        *_text("id", "subject_ref", "kind", "about", "agency", "state"),
        *_big("opened", "opening"),
        *_big_or_null("closed", "closing"),
        *_bytes("identifier"),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("resident_case_state", "resident_case", ["state", "opened"])
    op.create_index("resident_case_person", "resident_case", ["subject_ref", "opened"])
    op.create_table(
        "resident_cases",
        *_text("subject_ref"),
        *_big("open"),
        PrimaryKeyConstraint("subject_ref"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "consent_count",
        *_text("consent", "service"),
        *_big("term", "uses"),
        PrimaryKeyConstraint("consent", "service"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "consent_use",
        *_text("exchange", "consent", "service", "agency"),
        *_big("at", "index"),
        PrimaryKeyConstraint("exchange"),
        sqlite_with_rowid=False,
    )
    op.create_index("consent_use_consent", "consent_use", ["consent", "index"])
    op.create_table(
        "block",
        *_text("subject_ref", "kinds"),
        *_big("since"),
        PrimaryKeyConstraint("subject_ref"),
    )
