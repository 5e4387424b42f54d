"""Nouns of the client: what is asked, what comes back, and what can go wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True, slots=True, repr=False)
class Subject:
    """The person whom the question is about."""

    scheme: str
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class Question:
    """One exchange: some fields of one service about one person, under one agreement."""

    agreement: str
    service: str
    subject: Subject
    fields: tuple[str, ...]
    case: str | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Withheld:
    """A field that did not come, and the reason's code."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """The opened answer, once its seal and its receipt have been checked."""

    exchange: str
    service: str
    as_of: str
    record: Mapping[str, Json]
    withheld: tuple[Withheld, ...]
    receipt: str
    """The compact JWS: keep it, it proves the release to anybody."""
    sealed: str
    """The compact JWE that the receipt speaks of."""


class ClientError(Exception):
    """The exchange did not succeed; the text is one plain sentence without personal data."""


class CalledWrongly(ClientError):
    """A key, an address or an option is not one that can be used."""


class Unreachable(ClientError):
    """The gateway did not answer, or not as a gateway does."""


class NotTrustworthy(ClientError):
    """The gateway answered, but seal, receipt or proof do not hold: do not rely on it."""


class Refused(ClientError):
    """The gateway said no, for a reason with a public code (RFC 9457, RFC 6749 §5.2)."""

    def __init__(self, reason: str, detail: str, status: int, exchange: str | None = None) -> None:
        """Keep the code, its words, the HTTP status, and the exchange if one was opened."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.status = status
        self.exchange = exchange
