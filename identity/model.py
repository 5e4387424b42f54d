"""Nouns of identity: credentials as they came, a registered client, and the proven caller."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from crypto.model import Recipient
from kernel.names import AgencyId, ClientId, Subject


class Scope(StrEnum):
    """What a client may be registered for."""

    DIRECTORY_READ = "directory.read"
    EXCHANGE_REQUEST = "exchange.request"
    CONSENT_REQUEST = "consent.request"
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


class Realm(StrEnum):
    """Who signs in: each has a cookie, a client and paths of its own."""

    RESIDENT = "resident"
    OFFICER = "officer"


class Level(IntEnum):
    """How sure the sign-in is of the person (eIDAS, Regulation (EU) 910/2014, Art. 8)."""

    LOW = 1
    SUBSTANTIAL = 2
    HIGH = 3


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """Somebody whom the sign-in provider vouches for."""

    realm: Realm
    issuer: str
    sub: str
    person: Subject | None
    """The resident; None for an officer."""
    level: Level
    auth_time: int
    sid: str | None
    """The provider's own session (OIDC Back-Channel Logout §2.1)."""


@dataclass(frozen=True, slots=True, repr=False)
class Session:
    """A signed-in person's session as a page sees it; `csrf` goes into every form."""

    who: SignedIn
    csrf: str
