"""Clients: the registry of agency systems, changed by ledger entries and read once per request."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from crypto.jwk import PublicKey, Use, key_set
from crypto.model import Recipient
from identity.model import Client, Scope
from kernel.canonical import Json, canonical, parse
from kernel.database_model import Connection
from kernel.effect import Apply, Effect, Key, Moment, Row, Rows, Write
from kernel.entry import Entry, EntryType, Ledger, Logged
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId, ClientId

MAX_JWKS = 16 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_ACTIVE, _DISABLED = "active", "disabled"
_FIND = """
SELECT s.epoch, c.id, c.agency, c.scopes, c.jwks, c.state
FROM ledger_state AS s LEFT JOIN client AS c ON c.id = ? WHERE s.shard = 1
"""
_ALL = "SELECT id, agency, scopes, jwks, state FROM client ORDER BY id"


class Reads(Protocol):
    """What the registry needs of the database."""

    def read(self) -> Connection:
        """Return this thread's read-only connection."""
        ...


@dataclass(frozen=True, slots=True)
class Clients:
    """The registered clients."""

    database: Reads
    ledger: Ledger

    def find(self, client_id: ClientId) -> tuple[Client | None, int]:
        """Return the client and the control epoch under which it stands, in one read; raise
        `ledger.unavailable` when the database does not answer."""
        row = self.database.read().execute(_FIND, (client_id,)).fetchone()
        if row is None:
            raise _unavailable()
        epoch, *columns = row
        return (None if columns[0] is None else _client(*columns)), epoch

    def registered(self) -> tuple[Client, ...]:
        """Return every client, disabled ones too, by id."""
        rows = self.database.read().execute(_ALL).fetchall()
        return tuple(_client(*row) for row in rows)

    def add(
        self, agency: AgencyId, client_id: ClientId, jwks: bytes, scopes: Collection[Scope]
    ) -> Logged:
        """Register a client with its public keys and return where the ledger says so; raise
        `request.malformed` for bad keys or names, and for an id that was ever used."""
        if not _NAME.fullmatch(client_id) or not _NAME.fullmatch(agency):
            raise _malformed("A client's id and agency are letters, digits and . _ : - alone.")
        keys = _keys(jwks)
        names: Json = [scope.value for scope in sorted(scopes)]
        entry = Entry(
            type=EntryType.CLIENT_ADDED,
            header={"agency": agency, "client": client_id},
            disclosures={
                "request": {
                    "scopes": names,
                    "keys": [{"use": key.use.value, "jkt": key.thumbprint} for key in keys],
                }
            },
            control=True,
        )
        kept = canonical({"keys": [key.registered() for key in keys]}).decode()
        place = Key("client", (client_id,))
        row: Row = {
            "id": client_id,
            "agency": agency,
            "scopes": " ".join(sorted(scopes)),
            "jwks": kept,
            "state": _ACTIVE,
        }
        return self.ledger.append(entry, Effect((place,), _adding(place, row)))

    def disable(self, client_id: ClientId) -> Logged:
        """Disable a client for ever, in force on the next request; raise `request.malformed` for
        one that is not there or is disabled already."""
        entry = Entry(
            type=EntryType.CLIENT_DISABLED,
            header={"client": client_id},
            control=True,
            restricts=True,
        )
        return self.ledger.append(entry, disabling(client_id))


def disabling(client_id: ClientId) -> Effect:
    """Return what disables a client for ever; it raises `request.malformed` for one that is not
    there or is disabled already."""
    place = Key("client", (client_id,))
    return Effect((place,), _disabling(place))


def recipient(client: Client) -> Recipient:
    """Return to whom answers for this client are sealed: its registered `use: enc` key."""
    return Recipient(client.id, _sealing_key(client.jwks))


@lru_cache(maxsize=256)
def _sealing_key(jwks: str) -> str:
    """Return the key for seals in registered keys, which are the same at every request."""
    match parse(jwks.encode(), max_bytes=MAX_JWKS):
        case {"keys": [*keys]}:
            for key in keys:
                if isinstance(key, dict) and key.get("use") == Use.ENC.value:
                    return canonical(key).decode()
    raise _malformed("The client has no registered sealing key.")


def _keys(jwks: bytes) -> Sequence[PublicKey]:
    try:
        keys = key_set(parse(jwks, max_bytes=MAX_JWKS))
    except ValueError as bad:  # BadJson and BadKey, whose texts quote nothing
        raise _malformed(f"The JWKS is not accepted: {bad}.") from None
    uses = [key.use for key in keys]
    if Use.SIG not in uses or uses.count(Use.ENC) != 1:
        raise _malformed("A JWKS holds at least one key with use 'sig' and one with use 'enc'.")
    if len({tuple(key.members.items()) for key in keys}) != len(keys):
        raise _malformed("The JWKS holds the same key twice: signing and sealing need their own.")
    return keys


def _adding(place: Key, row: Row) -> Apply:
    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        if rows[place] is not None:
            raise _malformed("A client of this id is registered already; ids are not used again.")
        return [Write(place, {**row, "since": moment.time})]

    return apply


def _disabling(place: Key) -> Apply:
    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        row = rows[place]
        if row is None or row["state"] != _ACTIVE:
            raise _malformed("There is no active client of this id.")
        return [Write(place, {**row, "state": _DISABLED, "since": moment.time})]

    return apply


@lru_cache(maxsize=256)
def _client(client_id: str, agency: str, scopes: str, jwks: str, state: str) -> Client:
    """Return the client of a row; a row is read at every request, and the same means the same."""
    return Client(
        id=ClientId(client_id),
        agency=AgencyId(agency),
        scopes=frozenset(Scope(name) for name in scopes.split()),
        jwks=jwks,
        active=state == _ACTIVE,
    )


def _malformed(detail: str) -> Refusal:
    return Refusal(Reason.REQUEST_MALFORMED, detail)


def _unavailable() -> Refusal:
    return Refusal(Reason.LEDGER_UNAVAILABLE, "The register of clients cannot be read now.")
