"""Released: what became of an exchange, and its receipt made again from the ledger."""

from collections.abc import Callable, Mapping
from typing import Protocol

import orjson

from gateway.exchanges import State
from gateway.receipts import Place
from kernel.canonical import Json
from kernel.database import Database
from kernel.names import ClientId, ExchangeId

_FIND = """
SELECT e.state, e.receipt, e.closing, l.hash
FROM exchange e LEFT JOIN ledger_leaf l ON l."index" = e.closing
WHERE e.id = ? AND e.client = ?
"""


class Log(Protocol):
    """What a receipt needs of the ledger."""

    @property
    def origin(self) -> str:
        """Return the log's origin."""
        ...

    def proof(self, index: int) -> str:
        """Return a C2SP tlog-proof in the tree of the latest checkpoint."""
        ...


class ReleasedExchanges:
    """Finds a client's own exchanges."""

    def __init__(
        self, database: Database, log: Log, sign: Callable[[Mapping[str, Json], Place], str]
    ) -> None:
        """Take the database to read, the log to prove from, and how a receipt is signed."""
        self._database = database
        self._log = log
        self._sign = sign

    def find(self, exchange: ExchangeId, client: ClientId) -> Mapping[str, Json] | None:
        """Return state and receipt of a client's own exchange, or None."""
        row = self._database.read().execute(_FIND, (exchange, client)).fetchone()
        if row is None:
            return None
        document: dict[str, Json] = {"exchange": exchange, "state": row["state"]}
        if row["state"] == State.RELEASED:
            index = int(row["closing"])
            place = Place(self._log.origin, index, row["hash"], self._log.proof(index))
            document["receipt"] = self._sign(orjson.loads(row["receipt"]), place)
        return document
