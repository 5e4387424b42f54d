"""Parts for the tests of identity: a clock to set, a small ledger, an agency that can misbehave."""

import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey, Key, OKPKey

from crypto import base64url
from crypto.keys import KeyRing
from identity.assertion import Assertions
from identity.authenticate import Authenticator
from identity.clients import Clients
from identity.dpop import Proofs, access_token_hash
from identity.model import Client, Credentials, Scope
from identity.replay import EmbeddedReplay
from identity.server import Checks
from identity.tokens import Tokens
from kernel.chance import SystemChance
from kernel.clock import SECOND, Micros
from kernel.effect import Effect, Moment, Row
from kernel.effect import Key as RowKey
from kernel.entry import Change, Entry
from kernel.errors import Refusal
from kernel.keyvalue import KeyValue
from kernel.names import AgencyId, ClientId
from tests.unit.crypto.forge import forged, jwk

URL = "https://gateway.example"
PATH = "/v1/exchanges"
START = 1_900_000_000
CHANCE = SystemChance()


@dataclass
class SetClock:
    """A clock that stands where it is put, in seconds; monotonic time moves along."""

    seconds: float = START
    leapt: float = 0

    def now(self) -> Micros:
        return Micros(int((self.seconds + self.leapt) * SECOND))

    def monotonic(self) -> float:
        return float(self.seconds)


class SmallDatabase:
    """The tables that identity reads, in one file; a connection per thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self.writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.writer.executescript(
            "CREATE TABLE ledger_state (shard INTEGER PRIMARY KEY, epoch INTEGER NOT NULL);"
            "INSERT INTO ledger_state VALUES (1, 1);"
            "CREATE TABLE client (id TEXT PRIMARY KEY, agency TEXT NOT NULL, scopes TEXT NOT NULL,"
            " jwks TEXT NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL);"
        )

    def read(self) -> sqlite3.Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
        connection: sqlite3.Connection = self._local.connection
        return connection


@dataclass
class Written:
    """Where a fake entry stands."""

    index: int
    time: Micros
    origin: str = "test"
    leaf_hash: bytes = bytes(32)

    def proof(self) -> str:
        return ""


@dataclass
class SmallLedger:
    """The ledger's port over one table: it applies effects and keeps the entries."""

    database: SmallDatabase
    clock: SetClock
    entries: list[Entry] = field(default_factory=list)

    def append(
        self,
        entry: Entry,
        effect: Effect | None = None,
        refused: Callable[[Refusal], Change] | None = None,
    ) -> Written:
        assert effect is not None
        written = Written(len(self.entries), self.clock.now())
        rows = {key: self._row(key) for key in effect.reads}
        for write in effect.apply(rows, Moment(written.time, written.index)):
            names = ", ".join(write.row)
            marks = ", ".join("?" for _ in write.row)
            self.database.writer.execute(
                f"INSERT OR REPLACE INTO client ({names}) VALUES ({marks})",
                tuple(write.row.values()),
            )
        if entry.control:
            self.database.writer.execute("UPDATE ledger_state SET epoch = epoch + 1")
        self.entries.append(entry)
        return written

    def _row(self, key: RowKey) -> Row | None:
        cursor = self.database.writer.execute("SELECT * FROM client WHERE id = ?", key.values)
        found = cursor.fetchone()
        if found is None:
            return None
        return dict(zip([column[0] for column in cursor.description], found, strict=True))


@dataclass
class Agency:
    """An agency system with its keys; every member of what it makes can be overridden."""

    clock: SetClock
    id: str = "family-benefits"
    key: Key = field(default_factory=lambda: ECKey.generate_key("P-256"))
    alg: str = "ES256"
    dpop: Key = field(default_factory=lambda: ECKey.generate_key("P-256"))
    dpop_alg: str = "ES256"
    seal: Key = field(default_factory=lambda: OKPKey.generate_key("X25519"))

    def jwks(self) -> dict[str, Any]:
        return {
            "keys": [
                jwk(self.key, use="sig", kid=f"{self.id}-sig"),
                jwk(self.seal, use="enc", kid=f"{self.id}-enc"),
            ]
        }

    def assertion(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(self.clock.now() // SECOND)
        payload = {
            "iss": self.id,
            "sub": self.id,
            "aud": URL,
            "jti": CHANCE.identifier("a"),
            "iat": now,
            "exp": now + 60,
            **claims,
        }
        head = {"alg": self.alg, "kid": f"{self.id}-sig", **(header or {})}
        return forged(_present(head), _present(payload), self.key)

    def proof(
        self, token: str | None = None, header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        payload = {
            "jti": CHANCE.identifier("p"),
            "htm": "POST",
            "htu": URL + PATH,
            "iat": int(self.clock.now() // SECOND),
            "ath": access_token_hash(token) if token else None,
            **claims,
        }
        head = {
            "typ": "dpop+jwt",
            "alg": self.dpop_alg,
            "jwk": jwk(self.dpop),
            **(header or {}),
        }
        return forged(_present(head), _present(payload), self.dpop)

    def jkt(self) -> str:
        return self.dpop.thumbprint()


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


class World:
    """Everything wired, as the composition root does it, over the small ledger."""

    def __init__(self, directory: Path) -> None:
        self.clock = SetClock()
        self.ring = KeyRing.open(directory / "keys", CHANCE, self.clock)
        self.database = SmallDatabase(directory / "main.db")
        self.ledger = SmallLedger(self.database, self.clock)
        self.clients = Clients(self.database, self.ledger)
        self.store = KeyValue.open(
            directory / "short-lived", self.clock, "boot-1", self.ring.first_use
        )
        self.replay = EmbeddedReplay(self.store)
        self.proofs = Proofs(URL, self.replay, self.clock)
        self.tokens = Tokens(URL, URL, self.ring.token, self.clock, CHANCE)
        self.authenticate = Authenticator(self.clients, self.tokens, self.proofs)
        self.agency = self.join(Agency(self.clock))
        self.reports: list[str] = []
        self.checks = Checks(
            Assertions(URL, self.find, self.replay, self.clock),
            self.proofs,
            self.tokens,
            self.reports.append,
        )

    def join(self, agency: Agency, scopes: frozenset[Scope] = frozenset(Scope)) -> Agency:
        jwks = json.dumps(agency.jwks()).encode()
        self.clients.add(AgencyId(agency.id), ClientId(agency.id), jwks, scopes)
        return agency

    def find(self, client_id: ClientId) -> Client | None:
        return self.clients.find(client_id)[0]

    def token(self, agency: Agency | None = None, *scopes: Scope) -> str:
        agency = agency or self.agency
        client = self.find(ClientId(agency.id))
        assert client is not None
        return self.tokens.issue(client, scopes or client.scopes, agency.jkt())

    def credentials(self, agency: Agency | None = None, **claims: Any) -> Credentials:
        agency = agency or self.agency
        token = self.token(agency)
        return Credentials("POST", PATH, (f"DPoP {token}",), (agency.proof(token, **claims),))

    def own_token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a token signed by the gateway's real key, with any claim changed."""
        _, payload, _ = self.token().split(".")
        members = {**json.loads(base64url.decode(payload)), **claims}
        head = {"alg": "ES256", "kid": self.ring.token.kid, "typ": "at+jwt", **(header or {})}
        return forged(_present(head), _present(members), self.ring.token.jose)
