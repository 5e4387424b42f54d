"""A tax office of the tests' own: a real HTTP service that tells, and sees, what a test wants."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from adapters.record import pick
from tests.contract.loopback import answer, serving

YEAR = "/income/year"
TOTAL = "/income/total"


@dataclass(frozen=True)
class Question:
    """What the gateway asked: about whom, and for which fields."""

    number: str
    fields: frozenset[str]
    head: bytes = field(default=b"", repr=False, compare=False)
    """The request's lines as they came."""


Telling = Callable[[Question], bytes]


@dataclass
class Office:
    """Where the office is, everything that it was asked, and what it tells about whom."""

    url: str = ""
    asked: list[Question] = field(default_factory=list)
    telling: dict[str, Telling] = field(default_factory=dict)

    def tells(self, number: str, telling: Telling) -> None:
        """Answer questions about one person in a way of a test's own."""
        self.telling[number] = telling

    def asked_about(self, number: str) -> list[frozenset[str]]:
        """Return the fields of every question about a person."""
        return [one.fields for one in self.asked if one.number == number]


def record_of(number: str) -> dict[str, Any]:
    """Return all that the office holds about a person; the figures are like no others."""
    digits = int(number.removeprefix("RN-"))
    return {
        "taxpayer": number,
        "income": {
            "year": 2025,
            "total": 710_000_000_000_000 + digits,
            "employment": 520_000_000_000_000 + digits,
            "capital": 190_000_000_000_000 + digits,
        },
        "tax": {"due": 330_000_000_000_000 + digits, "arrears": 440_000_000_000_000 + digits},
        "employer": {"name": f"Specimen & Daughters of {digits}"},
        "bank": {"account": f"SAMPLE-ACCOUNT-{digits}"},
    }


def told(record: Any) -> bytes:
    """Return an HTTP answer that tells this record."""
    return answer(json.dumps(record).encode())


def honest(question: Question) -> bytes:
    """Return what was asked for, and nothing else."""
    return told(pick(record_of(question.number), question.fields))


def talkative(question: Question) -> bytes:
    """Return everything, whatever was asked."""
    return told(record_of(question.number))


@contextmanager
def open_office() -> Iterator[Office]:
    """Serve on a free port of loopback, honestly unless a test says otherwise."""
    office = Office()

    def handle(connection: Any, head: bytes) -> None:
        target = urlsplit(head.split(b" ", 2)[1].decode())
        number = unquote(target.path.rpartition("/")[2])
        question = Question(number, frozenset(parse_qs(target.query).get("fields", [])), head)
        office.asked.append(question)
        connection.sendall(office.telling.get(number, honest)(question))

    with serving(handle) as server:
        office.url = server.url
        yield office
