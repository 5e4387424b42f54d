"""Consent: ask a person for it, and learn whether they answered; what they said is not told."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from client.exchange import Client
from client.model import CalledWrongly, Json, NotTrustworthy, Subject

SCOPE = "consent.request"
_PATH = "/v1/consent-requests"
_STATES = frozenset({"open", "answered", "expired"})


@dataclass(frozen=True, slots=True, repr=False)
class Wish:
    """What a person is asked for: the fields of one or more services, under one agreement."""

    agreement: str
    subject: Subject
    fields: Mapping[str, Sequence[str]]
    case: str | None = None
    return_url: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the gateway took it; the person's page is at `url`, behind their sign-in."""

    request: str
    url: str
    state: str
    expires: str


def ask(client: Client, wish: Wish) -> Request:
    """Ask a person, and return the request, or raise `Refused`; nothing is retried."""
    named = {"case": wish.case, "return_url": wish.return_url}
    told = client.call(
        "POST",
        _PATH,
        SCOPE,
        {
            "agreement": wish.agreement,
            "subject": {"scheme": wish.subject.scheme, "value": wish.subject.value},
            "fields": {service: list(fields) for service, fields in wish.fields.items()},
            **{name: value for name, value in named.items() if value is not None},
        },
    )
    return Request(*(_text(told, name) for name in ("request", "url", "state", "expires")))


def state_of(client: Client, request: str) -> str:
    """Return `open`, `answered` or `expired`, or raise `Refused` where the request is not yours."""
    if not re.fullmatch(r"rq_[a-z2-7]{26}", request):
        raise CalledWrongly("A request is like rq_ and 26 letters and digits.")
    state = _text(client.call("GET", f"{_PATH}/{request}", SCOPE), "state")
    if state not in _STATES:
        raise NotTrustworthy("The gateway tells a state that there is not.")
    return state


def _text(told: Mapping[str, Json], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value.isascii():
        raise NotTrustworthy(f"The answer has no text '{name}'.")
    return value
