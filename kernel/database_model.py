"""Database model: what everybody takes for the one database, whichever product holds it."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from kernel.clock import Deadline, Micros
from kernel.effect import Value
from kernel.errors import Reason, Refusal


class StorageError(Refusal):
    """The database did not do as it was asked; whoever asked for something is refused it.

    `broken` says that the storage failed, rather than that it cannot hold what it was given.
    """

    def __init__(self, what: str, *, broken: bool = True) -> None:
        """Keep for the operator what was found; it never holds a value or a password."""
        super().__init__(Reason.LEDGER_UNAVAILABLE, "The database cannot be used now.")
        self.what = what
        self.broken = broken

    def __str__(self) -> str:
        """Return what was found."""
        return self.what


class CommitUnknown(StorageError):
    """The connection broke in the commit: nobody knows whether it happened."""


class Forked(RuntimeError):
    """The database was opened before this process was forked off."""


class Replaced(Exception):
    """The database is no longer the one that was opened."""


class Question(NamedTuple):
    """A query, with `?` where its values go."""

    sql: str
    values: Sequence[Value] = ()


class Cursor(Protocol):
    """The answer to one statement. Its rows are read by place; those of `read()` also by name,
    and `dict` takes them."""

    @property
    def rowcount(self) -> int:
        """Return how many rows a write changed."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        ...

    def close(self) -> None:
        """Forget the rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows that are left."""
        ...


class Connection(Protocol):
    """Takes plain SQL, in the dialect that SQLite and PostgreSQL share; raises `StorageError`."""

    def execute(self, sql: str, values: Sequence[Value] = (), /) -> Cursor:
        """Carry out one statement, with `?` where its values go."""
        ...

    def ask(self, questions: Sequence[Question], /) -> list[list[Any]]:
        """Return the rows of each question, all asked at once."""
        ...


class Sequencer(Connection, Protocol):
    """The connection that has the one right to write."""

    @property
    def outlasts(self) -> bool:
        """Say whether the right to write outlasts the commit, and ends with the `sequence`."""
        ...

    @property
    def now(self) -> Micros | None:
        """Return the database's time since it has the right, or None where it keeps none."""
        ...

    def begin(self) -> None:
        """Begin the transaction, where it did not begin with the right to write."""
        ...

    def put(self, sql: str, values: Sequence[Value], /, *, exactly: int | None = None) -> None:
        """Write, by the commit at the latest, which fails where not `exactly` so many rows
        changed."""
        ...

    def commit(self) -> None:
        """Return once everything written is durable; raises `CommitUnknown` when nobody knows,
        and another `StorageError` when nobody may rely on it. The transaction has ended."""
        ...

    def rollback(self) -> None:
        """Give up what was written."""
        ...


class Database(Protocol):
    """The one database: one writer at a time over everybody, and whoever wants reads."""

    def sequence(self, deadline: Deadline) -> AbstractContextManager[Sequencer]:
        """Hold the one right to write.

        Raises `TimeoutError` when the deadline passes first, and `Replaced` once when the
        database turned out to be another one. A transaction that is left open is rolled back.
        """
        ...

    def read(self) -> Connection:
        """Return the connection of the caller at hand, which cannot write; read every result to
        its end, and keep none for another thread."""
        ...

    def same_process(self) -> None:
        """Raise `Forked` in a child process: no connection survives a fork."""
        ...

    def close(self, deadline: Deadline) -> None:
        """Close every connection."""
        ...
