"""PostgreSQL wire: one connection; statements go out together, and nobody waits past a deadline.

It stands on psycopg's libpq, rather than on its cursors, for three things that they do not give:
a deadline for every wait, all statements of a step in one round trip with each prepared once, and
the difference between a statement that failed and a connection that broke.
"""

import select
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

import psycopg
from psycopg import pq

from kernel.clock import Deadline
from kernel.database_model import Question, StorageError
from kernel.effect import Value
from kernel.postgres_rows import Answer, answer, encoded
from kernel.waits import Waits

_PREPARED = 2048
"""How many statements a connection keeps prepared; what comes later is parsed each time."""
_GIVEN = frozenset({"21", "22", "23", "54"})
"""SQLSTATE classes of a statement that cannot be carried out for what it was given."""
_GOOD = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})


class Broken(StorageError):
    """The connection broke: nobody knows what became of the statements that went out."""


class Rejected(StorageError):
    """A statement failed for the reason `state` (SQLSTATE); the connection lives."""

    def __init__(self, what: str, state: str, *, broken: bool) -> None:
        """Keep what the server said, which holds no value."""
        super().__init__(what, broken=broken)
        self.state = state


class Wire:
    """One connection, always in pipeline mode, for one caller at a time."""

    def __init__(self, connection: pq.abc.PGconn, waits: Waits) -> None:
        """Take a connection that is open, and how callers wait for its answers."""
        self._pg = connection
        self._waits = waits
        self._midway = False
        self._prepared: dict[str, bytes] = {}
        self.trips = 0
        """Round trips so far."""
        self.warned = False
        """Whether the server warned during the last of them."""
        connection.nonblocking = 1
        connection.enter_pipeline_mode()
        connection.notice_handler = self._notice

    @classmethod
    def connect(cls, conninfo: str, deadline: Deadline, waits: Waits) -> "Wire":
        """Return a connection, or raise `StorageError`; the caller's thread waits for it, since
        libpq looks names up."""
        connection = pq.PGconn.connect_start(conninfo.encode())
        poll, wanted = select.poll(), int(pq.PollingStatus.WRITING)
        while wanted != pq.PollingStatus.OK:
            if wanted == pq.PollingStatus.FAILED or connection.status == pq.ConnStatus.BAD:
                raise Broken(f"PostgreSQL takes no connection: {_why(connection)}")
            # libpq tries one address after the other, each with a socket of its own.
            descriptor = connection.socket
            event = select.POLLIN if wanted == pq.PollingStatus.READING else select.POLLOUT
            poll.register(descriptor, event)
            if not poll.poll(deadline.left() * 1000):
                connection.finish()
                raise Broken("PostgreSQL takes no connection in time")
            poll.unregister(descriptor)
            wanted = connection.connect_poll()
        return cls(connection, waits)

    @property
    def alive(self) -> bool:
        """Return whether the connection has not broken, as far as we know."""
        return self._pg.status == pq.ConnStatus.OK

    @property
    def idle(self) -> bool:
        """Return whether no transaction is open."""
        return self._pg.transaction_status == pq.TransactionStatus.IDLE

    def close(self) -> None:
        """Close the connection; a transaction that is open is rolled back by the server."""
        self._pg.finish()

    def run(self, questions: Sequence[Question], deadline: Deadline) -> list[Answer]:
        """Return the answer to each statement, all sent at once; behind one that fails, which
        raises `StorageError`, none is carried out. Raises `Broken` where the connection broke, or
        gave no answer in time. It lives only where all answers were read, and closes also where
        the caller went meanwhile."""
        self.trips += 1
        self.warned = False
        self._midway = True
        try:
            asked = [self._send(number, *question) for number, question in enumerate(questions)]
            self._pg.pipeline_sync()
            self._flush(deadline)
            return self._answers(questions, asked, deadline)
        except psycopg.Error as error:
            raise Broken(f"the connection to PostgreSQL broke: {_why(self._pg)}") from error
        finally:
            if self._midway:
                self.close()

    def _send(self, number: int, sql: str, values: Sequence[Value]) -> bytes | None:
        """Send a statement; return the name under which it is being prepared, where it is."""
        texts, formats = encoded(values)
        if (name := self._prepared.get(sql)) is not None:
            self._pg.send_query_prepared(name, texts, formats, 1)
            return None
        text = numbered(sql)
        if len(self._prepared) + number >= _PREPARED:
            self._pg.send_query_params(text, texts, None, formats, 1)
            return None
        name = b"s%d_%d" % (self.trips, number)
        self._pg.send_prepare(name, text)
        self._pg.send_query_prepared(name, texts, formats, 1)
        return name

    def _answers(
        self, questions: Sequence[Question], asked: Sequence[bytes | None], deadline: Deadline
    ) -> list[Answer]:
        failed: Rejected | None = None
        found: list[Answer] = []
        for question, name in zip(questions, asked, strict=True):
            result = self._result(deadline)
            if name is not None:
                if result.status in _GOOD:
                    self._prepared[question.sql] = name
                else:
                    failed = failed or _error(result)
                result = self._result(deadline)
            if result.status in _GOOD:
                found.append(answer(result))
            else:
                failed = failed or _error(result)
        while self._one(deadline) is None:
            continue  # until the mark of the pipeline's end
        self._midway = False
        if failed is not None:
            raise failed
        return found

    def _result(self, deadline: Deadline) -> pq.abc.PGresult:
        """Return the result of one command; each is followed by nothing, but a pipeline's end."""
        while (result := self._one(deadline)) is None:
            continue
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            raise Broken("PostgreSQL answered out of turn")
        return result

    def _one(self, deadline: Deadline) -> pq.abc.PGresult | None:
        while self._pg.is_busy():
            self._wait(select.POLLIN, deadline)
            self._pg.consume_input()
        result = self._pg.get_result()
        if not self.alive:
            raise Broken(f"the connection to PostgreSQL broke: {_why(self._pg)}")
        return result

    def _flush(self, deadline: Deadline) -> None:
        while self._pg.flush():
            # The server may wait until we have read, before it reads on.
            if self._wait(select.POLLIN | select.POLLOUT, deadline) & select.POLLIN:
                self._pg.consume_input()

    def _wait(self, event: int, deadline: Deadline) -> int:
        ready = self._waits.ready(self._pg.socket, event, deadline.left())
        if not ready:
            raise Broken("PostgreSQL did not answer in time")
        return ready

    def _notice(self, _: pq.abc.PGresult) -> None:
        self.warned = True


@lru_cache(maxsize=4096)
def numbered(sql: str) -> bytes:
    """Return the statement with `$1`, `$2`, … in place of each `?`; no literal of ours has one."""
    first, *rest = sql.split("?")
    return (first + "".join(f"${n}{part}" for n, part in enumerate(rest, 1))).encode()


def _error(result: pq.abc.PGresult) -> Rejected:
    """Return what the server said, without the values that it may repeat."""
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"XX000").decode()
    if state[:2] in _GIVEN:
        return Rejected(f"PostgreSQL cannot take this (SQLSTATE {state})", state, broken=False)
    said = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"no message").decode()
    return Rejected(f"PostgreSQL refused: {said} (SQLSTATE {state})", state, broken=True)


def _why(connection: pq.abc.PGconn) -> str:
    """Return the last that libpq says, in one line and without the address."""
    said = ""
    with suppress(psycopg.Error):
        said = connection.get_error_message() if connection.status is not None else ""
    lines = said.rpartition(" failed: ")[2].strip().splitlines()
    return " ".join(lines[0].split()) if lines else "no reason given"
