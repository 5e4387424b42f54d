"""Causeway's client: one governed exchange for an agency's own system, with its evidence checked.

It needs Python's standard library, `cryptography` and `joserfc`, and nothing of the gateway.
"""

from client.consent import Request, Wish, ask, state_of
from client.exchange import Client
from client.keys import Identity, load_key
from client.log import LogKey
from client.model import (
    Answer,
    CalledWrongly,
    ClientError,
    NotTrustworthy,
    Question,
    Refused,
    Subject,
    Unreachable,
    Withheld,
)

__all__ = [
    "Answer",
    "CalledWrongly",
    "Client",
    "ClientError",
    "Identity",
    "LogKey",
    "NotTrustworthy",
    "Question",
    "Refused",
    "Request",
    "Subject",
    "Unreachable",
    "Wish",
    "Withheld",
    "ask",
    "load_key",
    "state_of",
]
