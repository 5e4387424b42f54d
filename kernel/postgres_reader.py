"""PostgreSQL reader: one thread's connection, which cannot write and mends itself after a break."""

from collections.abc import Callable, Sequence
from typing import Any

from kernel.clock import Clock, Deadline
from kernel.database_model import Question
from kernel.effect import Value
from kernel.postgres_rows import Answer
from kernel.postgres_wire import Broken, Rejected, Wire

_PREPARED_FOR_ANOTHER_SCHEMA = "0A000"
"""What a statement prepared before a migration gets where `*` now means more columns."""


class Reader:
    """Implements `kernel.database_model.Connection`; each statement is a transaction of its own."""

    def __init__(self, connect: Callable[[Deadline], Wire], clock: Clock, patience: float) -> None:
        """Take how to connect, and for how many seconds an answer is waited for."""
        self._connect = connect
        self._clock = clock
        self._patience = patience
        self._wire: Wire | None = None

    def execute(self, sql: str, values: Sequence[Value] = (), /) -> Answer:
        """Return the rows of a question, by name as well."""
        return self._run([Question(sql, values)])[0].named()

    def ask(self, questions: Sequence[Question], /) -> list[list[Any]]:
        """Return the rows of each question, all asked at once."""
        return [one.rows for one in self._run(questions)]

    def close(self) -> None:
        """Let go of the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _run(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask; once more over a new connection, where an old one turns out to be dead."""
        deadline = Deadline.within(self._patience, self._clock)
        if self._wire is not None:
            try:
                return self._wire.run(questions, deadline)
            except Broken:
                self._wire = None
                if deadline.left() == 0:
                    raise
            except Rejected as error:
                if error.state != _PREPARED_FOR_ANOTHER_SCHEMA:
                    raise
                self.close()
        wire = self._connect(deadline)
        answers = wire.run(questions, deadline)
        self._wire = wire
        return answers
