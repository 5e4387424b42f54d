"""A ledger on a directory of its own, and entries to put into it."""

import itertools
import os
import sqlite3
import tempfile
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Self

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Signer
from audit.disclosures import RootKey
from audit.guard_directory import DirectoryGuard
from audit.ledger import Ledger
from audit.model import Limits
from audit.writer import Keys
from kernel.canonical import Json
from kernel.chance import SystemChance
from kernel.clock import Clock, Deadline, Micros, SystemClock
from kernel.database import Database
from kernel.database_postgres import PostgresDatabase
from kernel.database_sqlite import SqliteDatabase
from kernel.entry import Concerned, Entry, EntryType
from kernel.migrations import migrate
from kernel.names import Subject, SubjectRef
from kernel.postgres_sequencer import Sequencer
from kernel.postgres_wire import Wire
from kernel.tables import metadata

PATIENCE = 30.0
"""Seconds for a ledger whose patience is not what a test is about; a slow disk needs them."""
ORIGIN = "gateway.example/audit/1"
REVISION = "a" * 64
POLICY = "b" * 64
START = Micros(1_795_000_000_123_456)


class Counting:
    """Chance that is the same every time, for golden data."""

    def __init__(self) -> None:
        self._count = 0

    def bits(self, size: int) -> bytes:
        text = b""
        while len(text) < size:
            text += sha256(self._count.to_bytes(8, "big")).digest()
            self._count += 1
        return text[:size]

    def identifier(self, prefix: str) -> str:
        return f"{prefix}_{self.bits(16).hex()[:26]}"


class Set(SystemClock):
    """A clock whose wall time is set by the test."""

    def __init__(self, at: int = START) -> None:
        self.at = at

    def now(self) -> Micros:
        return Micros(self.at)


class _Timed(Sequencer):
    def _agreed(self, told: Micros, before: Micros, after: Micros) -> Micros:
        return after


class Timed(PostgresDatabase):
    """A PostgreSQL whose time is what the test sets."""

    def sequencer(self, wire: Wire, deadline: Deadline) -> Sequencer:
        return _Timed(wire, deadline)


@cache
def _at_head() -> bytes:
    """Return a file as the migrations make it: running them takes as long as many a test."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "gateway.db"
        migrate(f"sqlite:///{path}", Deadline.within(60, SystemClock()))
        return path.read_bytes()


@dataclass
class Stage:
    """Where one log lives; it can be opened, closed and opened again."""

    directory: Path
    clock: Clock = field(default_factory=SystemClock)
    limits: Limits = field(default_factory=lambda: Limits(patience=PATIENCE))
    keys: Keys = field(
        default_factory=lambda: Keys(
            Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"k" * 32)),
            RootKey("k1", b"r" * 32),
        )
    )

    @property
    def path(self) -> Path:
        return self.directory / "gateway.db"

    @property
    def guard(self) -> Path:
        return self.directory / "guard"

    @property
    def url(self) -> str:
        """The database: a file, or what `tests/both.py` wrote down for this directory."""
        told = self.directory / "database.url"
        return told.read_text() if told.exists() else f"sqlite:///{self.path}"

    def database(self) -> Database:
        if self.url.startswith("postgresql:"):
            made = PostgresDatabase if type(self.clock) is SystemClock else Timed
            return made(self.url, self.clock, self.limits.waits)
        if not self.path.exists():
            self._begin()
        migrate(self.url, Deadline.within(20, self.clock))
        return SqliteDatabase(self.path)

    def _begin(self) -> None:
        """Put the file there whole, unless another process was quicker."""
        made = self.directory / f"made-{os.getpid()}-{threading.get_ident()}"
        made.touch(0o600)
        made.write_bytes(_at_head())
        with suppress(FileExistsError):
            os.link(made, self.path)
        made.unlink()

    def change(self, statement: str, *values: object) -> int:
        """Change the database behind the ledger's back, and return how many rows that changed."""
        with closing(self._forger()) as forger:
            if isinstance(forger, psycopg.Connection):
                statement = statement.replace("?", "%s")
            return forger.execute(statement, values).rowcount

    def _forger(self) -> "sqlite3.Connection | psycopg.Connection":
        told = self.directory / "superuser.url"
        if told.exists():
            return psycopg.connect(told.read_text(), autocommit=True)
        return sqlite3.connect(self.path, isolation_level=None)

    def stored(self) -> bytes:
        """Return all that the log's files and its database hold."""
        found = [one.read_bytes() for one in self.directory.rglob("*") if one.is_file()]
        for row in itertools.chain.from_iterable(self.rows().values()):
            found += [one if isinstance(one, bytes) else str(one).encode() for one in row]
        return b" ".join(found)

    def rows(self) -> dict[str, list[tuple]]:
        """Return the rows of every table."""
        with closing(self._forger()) as reader:
            return {
                table: [tuple(row) for row in reader.execute(f'SELECT * FROM "{table}"')]
                for table in metadata.tables
            }

    def restore(self, rows: Mapping[str, list[tuple]]) -> None:
        """Bring the database back to what it was, as from a backup."""
        with closing(self._forger()) as forger:
            mark = "%s" if isinstance(forger, psycopg.Connection) else "?"
            for table in metadata.tables:
                forger.execute(f'DELETE FROM "{table}"')
                for row in rows[table]:
                    marks = ", ".join([mark] * len(row))
                    forger.execute(f'INSERT INTO "{table}" VALUES ({marks})', row)

    def ledger(self, database: Database) -> Ledger:
        guard = DirectoryGuard(self.guard, self.keys.signer)
        return Ledger(database, guard, self.keys, self.clock, SystemChance(), self.limits)

    def open(self) -> "Opened":
        database = self.database()
        try:
            return Opened(database, self.ledger(database).open(), self.clock, self)
        except BaseException:
            database.close(Deadline.within(20, self.clock))
            raise


@dataclass
class Opened:
    """An open log; a context manager that closes it in order."""

    database: Database
    ledger: Ledger
    clock: Clock
    site: Stage

    @property
    def keys(self) -> Keys:
        return self.site.keys

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.ledger.close()
        self.database.close(Deadline.within(20, self.clock))


def person(n: int) -> Concerned:
    return Concerned(SubjectRef(f"{n:032x}"), Subject("resident-number", f"RN-{n:07d}"))


def exchange(kind: str, name: str, consent: str | None = "co_1", **more: str) -> Mapping[str, Json]:
    header: dict[str, Json] = {
        "exchange": name,
        "consumer": "family-benefits",
        "provider": "population",
        "service": "population/residents",
        "agreement": "family-allowance",
        "agreement_revision": REVISION,
        "purpose": "family-allowance",
        "basis": "consent",
        "policy": POLICY,
    }
    if kind == "decision":
        header["decision"] = "permit"
    if consent is not None:
        header["consent"] = consent
    return header | more


def decision(name: str, *people: Concerned, **more: object) -> Entry:
    disclosures: dict[str, Json] = {"actor": {"user": "clerk-4471"}, "input": {"asked": [name]}}
    header = exchange("decision", name)
    return Entry(EntryType.EXCHANGE_DECISION, header, disclosures, people, **more)


def release(name: str, *people: Concerned, **more: object) -> Entry:
    disclosures: dict[str, Json] = {"response": {"fields": ["/name/family"]}}
    return Entry(EntryType.EXCHANGE_RELEASE, exchange("release", name), disclosures, people, **more)


def refusal(name: str, *people: Concerned) -> Entry:
    header = {"exchange": name, "consumer": "family-benefits", "decision": "deny"}
    return Entry(EntryType.EXCHANGE_REFUSAL, header, {"response": {"reason": "no"}}, people)


def consent(kind: EntryType, name: str, *people: Concerned, **more: object) -> Entry:
    header = {"consent": name, "agreement": "family-allowance", "agreement_revision": REVISION}
    return Entry(kind, header, {"actor": {"method": "counter"}}, people, **more)


def case(kind: EntryType, name: str, *people: Concerned, **more: object) -> Entry:
    said: dict[str, Json] = (
        {"request": {"text": "It was not me."}}
        if kind is EntryType.CASE_OPENED
        else {"response": {"outcome": "upheld", "text": "You are right."}}
    )
    return Entry(kind, {"case": name}, said, people, **more)


def activated(digit: str = "b") -> Entry:
    return Entry(EntryType.POLICY_ACTIVATED, {"policy": digit * 64}, control=True)


def environment() -> dict[str, str]:
    """Return the environment for a process of ours that runs from the root of the project."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
