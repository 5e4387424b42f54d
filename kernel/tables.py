"""Tables: the schema of the one database, the same on SQLite and PostgreSQL.

Instants are microseconds since the Unix epoch; digests and secrets are raw bytes.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from kernel import tables_consent
from kernel.tables_metadata import metadata

__all__ = ["metadata", "tables_consent"]

# SQLite makes a column its row number, and saves an index, only when the type says INTEGER.
_Position = BigInteger().with_variant(Integer(), "sqlite")
# Where rows are short, SQLite keeps them in the key's own tree (`sqlite_with_rowid=False`), which
# is one page less to write with every entry.

ledger_state = Table(
    "ledger_state",
    metadata,
    Column("shard", BigInteger, primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("edge", LargeBinary, nullable=False),
    Column("last_time", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("batch", Text, nullable=False),
)

ledger_leaf = Table(
    "ledger_leaf",
    metadata,
    Column("index", _Position, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
)

ledger_tile = Table(
    "ledger_tile",
    metadata,
    Column("level", BigInteger, primary_key=True, autoincrement=False),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
)

ledger_body = Table(
    "ledger_body",
    metadata,
    Column("person", Text, primary_key=True),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=True),
    Column("sealed", LargeBinary, nullable=False),
)

ledger_restriction = Table(
    "ledger_restriction",
    metadata,
    Column("index", _Position, primary_key=True, autoincrement=False),
)

ledger_recovery = Table(
    "ledger_recovery",
    metadata,
    # The entry that says so; from it on the log has this origin, up to it those before.
    Column("index", _Position, primary_key=True, autoincrement=False),
    Column("previous", Text, nullable=False),
    Column("origin", Text, nullable=False),
)

person = Table(
    "person",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=True),
    sqlite_with_rowid=False,
)

control = Table(
    "control",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

policy_bundle = Table(
    "policy_bundle",
    metadata,
    Column("revision", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

policy_place = Table(
    "policy_place",
    metadata,
    # What OPA is to load where two stand beside each host (gateway.policy.preparing).
    Column("place", Text, primary_key=True),
    Column("revision", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("since", BigInteger, nullable=False),
)

stop = Table(
    "stop",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    # `stopped`, or `resumed` once it was lifted; since when, and by which entry.
    Column("state", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("index", BigInteger, nullable=False),
)

client = Table(
    "client",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agency", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("jwks", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
)

host = Table(
    "host",
    metadata,
    # Who serves: a row for each worker of each host, with its last sign of life
    # (gateway.serving.hosts).
    Column("name", Text, primary_key=True),
    Column("worker", Text, primary_key=True),
    Column("seen", BigInteger, nullable=False),
    Column("revision", Text, nullable=False),
    Column("state", Text, nullable=False),
    sqlite_with_rowid=False,
)

exchange = Table(
    "exchange",
    metadata,
    Column("id", Text, primary_key=True),
    Column("client", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("agreement", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("decision", BigInteger, nullable=False),
    Column("closing", BigInteger, nullable=True),
    Column("receipt", Text, nullable=True),
    Column("person", Text, nullable=True),
    Column("identifier", LargeBinary, nullable=True),
)
Index("exchange_state", exchange.c.state, exchange.c.opened)
