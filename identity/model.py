"""Nouns of identity: credentials as they came, a registered client, and the proven caller."""

from dataclasses import dataclass
from enum import StrEnum

from crypto.model import Recipient
from kernel.names import AgencyId, ClientId


class Scope(StrEnum):
    """What a client may be registered for."""

    DIRECTORY_READ = "directory.read"
    EXCHANGE_REQUEST = "exchange.request"
    AUDIT_ENTRIES = "audit.entries"


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a request shows: method, path, and every `Authorization` and `DPoP` header line."""

    method: str
    path: str
    authorization: tuple[str, ...]
    dpop: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Client:
    """A registered agency system."""

    id: ClientId
    agency: AgencyId
    scopes: frozenset[Scope]
    jwks: str
    """The registered JWKS (public keys only) as canonical JSON text."""
    active: bool


@dataclass(frozen=True, slots=True)
class Caller:
    """A client that has proven itself in this request, and the epoch under which it did."""

    client_id: ClientId
    agency: AgencyId
    scopes: frozenset[Scope]
    recipient: Recipient
    epoch: int
