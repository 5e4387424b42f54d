"""Page ports: who is reading, and what the pages need of the other rooms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from consent.model import Person
from consent.offer import Level
from kernel.canonical import Json
from kernel.names import SubjectRef

RESIDENT = "resident"
OFFICER = "officer"


@dataclass(frozen=True, slots=True, repr=False)
class Reader:
    """Somebody who is signed in, as a page sees them."""

    realm: str
    """`resident` or `officer`."""
    person: Person | None
    """The resident; None for an officer."""
    officer: str
    """The officer as the ledger names them; empty for a resident."""
    level: Level
    csrf: str
    """The session's own token, which stands in every form."""


class FindReader(Protocol):
    """Finds who is signed in."""

    def __call__(self, realm: str, cookie: str) -> Reader | None:
        """Return the reader to whom a session's cookie belongs, or None where there is none."""
        ...


class OpenText(Protocol):
    """Opens what an agency wrote about a person and the tables hold sealed."""

    def __call__(self, sealed: bytes, ref: SubjectRef) -> str:
        """Return the text that was sealed for this person."""
        ...


class SignReceipt(Protocol):
    """Signs consent receipts."""

    def __call__(self, claims: Mapping[str, Json]) -> str:
        """Return a compact JWS (EdDSA, `typ causeway-consent-receipt+jwt`)."""
        ...
