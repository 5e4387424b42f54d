"""Tables of consent: what people decided, were asked, objected to, and what blocks everything."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from kernel.tables_metadata import metadata

consent = Table(
    "consent",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject_ref", Text, nullable=False),
    Column("agreement", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("granted", Text, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_until", BigInteger, nullable=False),
    Column("use_limit", BigInteger, nullable=True),
    Column("term", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("identifier", LargeBinary, nullable=False),
    Column("notice", Text, nullable=True),
    Column("language", Text, nullable=True),
)
Index("consent_person", consent.c.subject_ref, consent.c.since)

consent_slot = Table(
    "consent_slot",
    metadata,
    Column("subject_ref", Text, primary_key=True),
    Column("agreement", Text, primary_key=True),
    Column("consent", Text, nullable=False),
)

consent_event = Table(
    "consent_event",
    metadata,
    Column("consent", Text, primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("event_time", BigInteger, nullable=False),
    Column("event_state", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("level", Text, nullable=True),
    Column("index", BigInteger, nullable=False),
    # What the record said after the event, so that its receipt can be made again at any time.
    Column("revision", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("granted", Text, nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_until", BigInteger, nullable=False),
    Column("use_limit", BigInteger, nullable=True),
    Column("notice", Text, nullable=True),
    Column("language", Text, nullable=True),
    Column("receipt", Text, nullable=False),
)

consent_receipt = Table(
    "consent_receipt",
    metadata,
    Column("id", Text, primary_key=True),
    Column("consent", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

notice = Table(
    "notice",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("language", Text, nullable=False),
    Column("content", Text, nullable=False),
)

consent_request = Table(
    "consent_request",
    metadata,
    Column("id", Text, primary_key=True),
    Column("consent", Text, nullable=False),
    Column("subject_ref", Text, nullable=False),
    Column("agreement", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("case", LargeBinary, nullable=True),
    Column("return_url", Text, nullable=True),
    Column("state", Text, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("index", BigInteger, nullable=False),
)
Index("consent_request_person", consent_request.c.subject_ref, consent_request.c.opened)

consent_asked = Table(
    "consent_asked",
    metadata,
    Column("subject_ref", Text, primary_key=True),
    Column("agreement", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

consent_asking = Table(
    "consent_asking",
    metadata,
    Column("agreement", Text, primary_key=True),
    # The latest day (UTC, since the epoch) on which somebody was asked, and how many that day.
    Column("day", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

resident_case = Table(
    "resident_case",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject_ref", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("opening", BigInteger, nullable=False),
    Column("closed", BigInteger, nullable=True),
    Column("closing", BigInteger, nullable=True),
    Column("identifier", LargeBinary, nullable=False),
)
Index("resident_case_person", resident_case.c.subject_ref, resident_case.c.opened)
Index("resident_case_state", resident_case.c.state, resident_case.c.opened)

resident_cases = Table(
    "resident_cases",
    metadata,
    Column("subject_ref", Text, primary_key=True),
    # How many of the person's cases are open.
    Column("open", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

consent_count = Table(
    "consent_count",
    metadata,
    Column("consent", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("term", BigInteger, nullable=False),
    Column("uses", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

consent_use = Table(
    "consent_use",
    metadata,
    Column("exchange", Text, primary_key=True),
    Column("consent", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("index", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("consent_use_consent", consent_use.c.consent, consent_use.c.index)

block = Table(
    "block",
    metadata,
    Column("subject_ref", Text, primary_key=True),
    # The kinds in force, sorted, with a space between; empty once the last is lifted.
    Column("kinds", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
)
