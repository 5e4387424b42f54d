"""Sweep: ends the exchanges that a crash left open; nothing was released under them."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway.exchanges import State, closed
from kernel.canonical import Json
from kernel.clock import SECOND, Clock
from kernel.database import Database
from kernel.entry import Concerned, Entry, EntryType, Ledger
from kernel.errors import Reason, Refusal
from kernel.names import ExchangeId, Subject, SubjectRef

TOTAL_DEADLINE = 60
"""Seconds after which nobody waits for an exchange any more."""
MOST = 100
EVERY = 15.0

_OPEN = """
SELECT e.id, e.client, e.person, e.identifier, l.leaf
FROM exchange e JOIN ledger_leaf l ON l."index" = e.decision
WHERE e.state = ? AND e.opened < ? LIMIT ?
"""
_OF_THE_DECISION = frozenset({"v", "type", "time", "_sd", "_sd_alg", "decision"})


class Sweep:
    """Ends old exchanges, each by a refusal of its own; the release effect then refuses them."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        identify: Callable[[bytes, SubjectRef], Subject],
        clock: Clock,
    ) -> None:
        """Take the database to read, the ledger to write, and how identifiers are decrypted."""
        self._database = database
        self._ledger = ledger
        self._identify = identify
        self._clock = clock

    def begin(self) -> Callable[[], None]:
        """Sweep now and then, in a thread of its own; return what ends that."""
        ended = threading.Event()
        thread = threading.Thread(target=self._go_on, args=(ended,), name="sweep", daemon=True)
        thread.start()

        def end() -> None:
            ended.set()
            thread.join()

        return end

    def _go_on(self, ended: threading.Event) -> None:
        while not ended.wait(EVERY):
            try:
                self()
            except Refusal:
                continue  # the ledger does not serve now; the next round tries again

    def __call__(self) -> int:
        """End what is older than the total deadline; return how many were ended."""
        before = self._clock.now() - TOTAL_DEADLINE * SECOND
        rows = self._database.read().execute(_OPEN, (State.OPEN.value, before, MOST)).fetchall()
        return sum(self._end(row) for row in rows)

    def _end(self, row: Mapping[str, Any]) -> bool:
        leaf: dict[str, Json] = orjson.loads(row["leaf"])
        header = {name: value for name, value in leaf.items() if name not in _OF_THE_DECISION}
        person = SubjectRef(row["person"])
        subject = self._identify(row["identifier"], person)
        entry = Entry(
            EntryType.EXCHANGE_REFUSAL,
            header,
            {
                "actor": {"client": row["client"], "user": None},
                "response": {"reason": Reason.INTERNAL.value, "exact": None},
            },
            (Concerned(person, subject),),
        )
        try:
            self._ledger.append(entry, closed(ExchangeId(row["id"]), State.REFUSED))
        except Refusal as refusal:
            if refusal.reason is Reason.LEDGER_UNAVAILABLE:
                raise
            return False  # it ended in between
        return True
