"""PostgreSQL reader: a few connections that cannot write, which all callers share."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from kernel.clock import Clock, Deadline
from kernel.database_model import Question, StorageError
from kernel.effect import Value
from kernel.pool import Pool
from kernel.postgres_rows import Answer
from kernel.postgres_wire import Broken, Rejected, Wire
from kernel.waits import Waits

MOST: Final = 24
"""Connections of a process. Requests with threads, and what works in the background, hold fifteen
at most: exchanges find one however long a page reads."""
_PREPARED_FOR_ANOTHER_SCHEMA = "0A000"
"""What a statement prepared before a migration gets where `*` now means more columns."""

Connect = Callable[[Deadline], Wire]


class Reader:
    """Implements `kernel.database_model.Connection`; each statement is a transaction of its own."""

    def __init__(self, connect: Connect, clock: Clock, patience: float, waits: Waits) -> None:
        """Take how to connect, for how many seconds an answer is waited for, and how."""
        self._clock = clock
        self._patience = patience
        self._pool = Pool(lambda: _Line(connect, waits), MOST, waits)

    def execute(self, sql: str, values: Sequence[Value] = (), /) -> Answer:
        """Return the rows of a question, by name as well."""
        return self._run([Question(sql, values)])[0].named()

    def ask(self, questions: Sequence[Question], /) -> list[list[Any]]:
        """Return the rows of each question, all asked at once."""
        return [one.rows for one in self._run(questions)]

    def close(self) -> None:
        """Let go of every connection that nobody uses."""
        for line in self._pool.free():
            line.close()

    def _run(self, questions: Sequence[Question]) -> list[Answer]:
        deadline = Deadline.within(self._patience, self._clock)
        try:
            with self._pool.lent(deadline) as line:
                return line.run(questions, deadline)
        except TimeoutError as error:
            raise StorageError("no connection to PostgreSQL was free in time") from error


class _Line:
    """One connection, which is made when it is needed, and mends itself after a break."""

    def __init__(self, connect: Connect, waits: Waits) -> None:
        self._connect = connect
        self._waits = waits
        self._wire: Wire | None = None

    def run(self, questions: Sequence[Question], deadline: Deadline) -> list[Answer]:
        """Ask; once more over a new connection, where an old one turns out to be dead."""
        if self._wire is not None and self._wire.alive:
            try:
                return self._wire.run(questions, deadline)
            except Broken:
                if deadline.left() == 0:
                    raise
            except Rejected as error:
                if error.state != _PREPARED_FOR_ANOTHER_SCHEMA:
                    raise
                self.close()
        self._wire = self._waits.aside(lambda: self._connect(deadline))
        return self._wire.run(questions, deadline)

    def close(self) -> None:
        """Let go of the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
