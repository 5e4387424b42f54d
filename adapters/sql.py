"""The SQL adapter: one person's row and lists from a read-only view of an agency's database."""

from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import BoundedSemaphore
from typing import Any, NamedTuple, Protocol

from sqlalchemy import (
    Column,
    Dialect,
    MetaData,
    Select,
    Table,
    bindparam,
    make_url,
    quoted_name,
    select,
)
from sqlalchemy.exc import ArgumentError

from adapters.base import Faults, identifier, sooner, unknown
from adapters.model import SourceAddress, SqlList, SqlRead
from adapters.record import MAX_RECORD, Cell, as_json, cells, nest, path, put
from adapters.sqlite import SqliteDatabase
from kernel.canonical import Json
from kernel.clock import Deadline
from kernel.errors import Refusal
from kernel.names import Pointer, Subject

CONNECTIONS = 8
"""Connections to one source at most; a request that finds none free waits for its deadline."""
Statement = Select[tuple[object, ...]]


class Connection(Protocol):
    """A driver's connection (PEP 249), which cannot write."""

    def begin(self, deadline: Deadline) -> None:
        """Begin a snapshot in which no statement waits or runs past the deadline."""
        ...

    def cursor(self) -> Any:
        """Return a new cursor."""
        ...

    def rollback(self) -> None:
        """Leave the snapshot."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Database(Protocol):
    """What differs between database systems."""

    @property
    def dialect(self) -> Dialect:
        """Return how its statements are written."""
        ...

    @property
    def error(self) -> type[Exception]:
        """Return the class of the driver's errors (PEP 249)."""
        ...

    def connect(self) -> Connection:
        """Return a new connection; raises the driver's error."""
        ...

    def refusal(self, error: Exception, faults: Faults) -> Refusal:
        """Return what a driver's error means."""
        ...


class Question(NamedTuple):
    """One statement: which cells its columns are, and how many rows may come."""

    cells: tuple[Cell, ...]
    sql: str
    """The statement as the driver takes it."""
    bound: tuple[Json, ...]
    """Its parameters; None stands where the person belongs."""
    limit: int


class Plan(NamedTuple):
    """The statements that answer one set of fields: the person's row, then the lists."""

    record: Question
    lists: tuple[tuple[tuple[str, ...], Question], ...]


class SqlSource:
    """Answers from a database, asking for the columns of the wanted fields and no others."""

    def __init__(self, address: SourceAddress, read: SqlRead, subject_at: Pointer) -> None:
        """Prepare the source; nothing is opened yet. Raises `ValueError` for a bad address."""
        self._database = _database(address)
        self._faults = Faults(address.name)
        self._timeout = address.timeout
        self._read = read
        self._subject_at = subject_at
        self._free = BoundedSemaphore(CONNECTIONS)
        self._idle: deque[Connection] = deque()
        self._plan = lru_cache(maxsize=256)(self._make_plan)

    def fetch(self, subject: Subject, fields: frozenset[Pointer], deadline: Deadline) -> Json:
        """Return the record, read in one snapshot."""
        value = identifier(subject)
        plan = self._plan(fields)
        within = sooner(deadline, self._timeout)
        if not within.left() or not self._free.acquire(timeout=within.left()):
            raise self._faults.timeout()
        try:
            # SQLAlchemy makes the statements alone: its execution costs ten times a statement,
            # and its pool twice.
            connection = self._take()
            try:
                connection.begin(within)
                return self._answer(connection, plan, value)
            finally:
                connection.rollback()
                self._idle.append(connection)
        except self._database.error as error:
            # A driver's error may quote a value, so it is not shown as the cause.
            raise self._database.refusal(error, self._faults) from None
        except ValueError as error:
            raise self._faults.bad_answer(str(error)) from error
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> Connection:
        """Return an idle connection, the last one used first, or a new one."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._database.connect()

    def _answer(self, connection: Connection, plan: Plan, value: str) -> Json:
        found = _rows(connection, plan.record, value)
        if not found:
            raise unknown()
        record = dict(found[0])
        for where, question in plan.lists:
            put(record, where, _rows(connection, question, value))
        return record

    def _make_plan(self, fields: frozenset[Pointer]) -> Plan:
        read = self._read
        wanted = fields | {self._subject_at}
        for pointer in sorted(wanted):
            if not read.covers(pointer):
                raise self._faults.bad_answer(f"has no column for {pointer} in the catalogue")
        main = cells(read.columns, wanted)
        lists = tuple(
            (path(pointer), self._list(read.lists[pointer], inner))
            for pointer in read.lists
            if (inner := cells(read.lists[pointer].columns, wanted, f"{pointer}/*"))
        )
        record = self._question(main, _select(read.table, read.key, main, None), 1)
        return Plan(record, lists)

    def _list(self, read: SqlList, inner: tuple[Cell, ...]) -> Question:
        return self._question(inner, _select(read.table, read.key, inner, read.order), read.limit)

    def _question(self, told: tuple[Cell, ...], statement: Statement, limit: int) -> Question:
        """Return a statement in the database's own dialect, compiled once for a plan."""
        compiled = statement.limit(limit + 1).compile(
            dialect=self._database.dialect, compile_kwargs={"render_postcompile": True}
        )
        names = compiled.positiontup or ()
        bound = tuple(None if name == "subject" else compiled.params[name] for name in names)
        return Question(told, str(compiled), bound, limit)


def _select(name: str, key: str, wanted: Sequence[Cell], order: str | None) -> Statement:
    """Return the SELECT with every name quoted and the person as a bound parameter."""
    schema, _, short = name.rpartition(".")
    columns = dict.fromkeys((key, *(cell.column for cell in wanted), *([order] if order else [])))
    table = Table(
        quoted_name(short, quote=True),
        MetaData(),
        *(Column(quoted_name(column, quote=True)) for column in columns),
        schema=quoted_name(schema, quote=True) if schema else None,
    )
    # Each column gets a label of its own: two fields may read the same column.
    told = [table.c[cell.column].label(f"c{i}") for i, cell in enumerate(wanted)]
    statement: Statement = select(*told).where(table.c[key] == bindparam("subject"))
    return statement.order_by(table.c[order]) if order else statement


def _rows(connection: Connection, question: Question, value: str) -> list[Mapping[str, Json]]:
    """Return the rows as records; raises `ValueError` when they are too many or too large."""
    found: list[Mapping[str, Json]] = []
    size = 0
    cursor = connection.cursor()
    cursor.execute(question.sql, [value if one is None else one for one in question.bound])
    for row in cursor.fetchmany(question.limit + 1):
        if len(found) == question.limit:
            raise ValueError("has more rows for one person than the catalogue allows")
        values = [as_json(cell) for cell in row]
        size += sum(len(cell) for cell in values if isinstance(cell, str))
        if size > MAX_RECORD:
            raise ValueError(f"gave a record of more than {MAX_RECORD} bytes")
        found.append(nest(question.cells, values))
    return found


def _database(address: SourceAddress) -> Database:
    try:
        url = make_url(address.url)
    except ArgumentError as error:
        raise ValueError("the address of an SQL source must be a database URL") from error
    if url.get_backend_name() == "sqlite":
        return SqliteDatabase(url)
    raise ValueError(f"the SQL adapter does not know the database {url.get_backend_name()}")
