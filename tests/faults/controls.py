"""Controls: each removes one defence in a worker, and the inspection must notice."""

import sqlite3
from collections.abc import Callable

import audit.writer
from audit.batch import Batch
from audit.writer import Writer
from gateway.journal import Journal
from gateway.model import Docket, Permit, Stage, Warrant
from kernel.database import StorageError
from kernel.errors import Refusal
from tests.faults.worker import Say

Execute = Callable[[sqlite3.Connection, str, tuple], sqlite3.Cursor]


class _Altered:
    """A connection whose statements go through somebody else's hands."""

    def __init__(self, connection: sqlite3.Connection, execute: Execute) -> None:
        self._connection = connection
        self._execute = execute

    def execute(self, text: str, values: tuple = ()) -> sqlite3.Cursor:
        return self._execute(self._connection, text, values)

    def put(self, text: str, values: tuple, *, exactly: int | None = None) -> None:
        self._execute(self._connection, text, values)

    def commit(self) -> None:
        self._execute(self._connection, "COMMIT", ())

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def _alter(execute: Execute) -> None:
    write = Writer._write
    Writer._write = lambda self, connection, batch: write(
        self, _Altered(connection, execute), batch
    )


def two_transactions(_: Say) -> None:
    """Effects commit before their entries do."""

    def execute(connection: sqlite3.Connection, text: str, values: tuple) -> sqlite3.Cursor:
        if text.startswith('INSERT INTO "ledger_leaf"'):
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
        return connection.execute(text, values)

    _alter(execute)


def early_answers(say: Say) -> None:
    """An append is acknowledged before its commit."""
    write = Writer._write

    def answered(self: Writer, connection: sqlite3.Connection, batch: Batch) -> object:
        for index, value, _ in batch.leaves:
            say(ok=index, leaf=value.hex(), type="early", restricts=False, n=-1)
        return write(self, connection, batch)

    Writer._write = answered


def deaf_commits(_: Say) -> None:
    """A commit that failed is taken for one that did not."""

    def execute(connection: sqlite3.Connection, text: str, values: tuple) -> sqlite3.Cursor:
        try:
            return connection.execute(text, values)
        except StorageError:
            if text != "COMMIT":
                raise
            return connection.cursor()

    _alter(execute)


def deaf_guard(_: Say) -> None:
    """A restriction is acknowledged though the guard's journal could not take it."""
    audit.writer.unavailable = lambda _: None


def asking_anyway(_: Say) -> None:
    """The source is asked though the decision is not in the ledger."""
    decision = Journal.decision

    def decided(self: Journal, docket: Docket, permit: Permit) -> Warrant:
        try:
            return decision(self, docket, permit)
        except Refusal:
            docket.stage = Stage.DECIDED
            parts = (docket.person, docket.agreement, docket.service, permit)
            return Warrant(docket.exchange, docket.ask, *parts, docket.caller.epoch)

    Journal.decision = decided


def half_a_use(_: Say) -> None:
    """A release counts no use."""

    def execute(connection: sqlite3.Connection, text: str, values: tuple) -> sqlite3.Cursor:
        if "consent_count" in text:
            return connection.cursor()
        return connection.execute(text, values)

    _alter(execute)


CONTROLS: dict[str, Callable[[Say], None]] = {
    made.__name__: made
    for made in (
        two_transactions,
        early_answers,
        deaf_commits,
        deaf_guard,
        asking_anyway,
        half_a_use,
    )
}
