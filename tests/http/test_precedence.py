"""Precedence: of everything that is wrong with a request, the first in the public order is told."""

import json
from typing import Any

import pytest

from tests.agency import Agency, Answer
from tests.attacks.ledger_watch import REFUSAL, standing, written
from tests.country import SCHEME, RunningCountry

API = "/v1/exchanges"
ORDER = [
    ("size", 413, "request.too_large"),
    ("token", 401, "token.invalid"),
    ("proof", 401, "dpop.invalid"),
    ("scope", 403, "scope.insufficient"),
    ("body", 400, "request.malformed"),
    ("agreement", 403, "agreement.unknown"),
    ("service", 403, "service.not_agreed"),
    ("field unknown", 400, "field.unknown"),
    ("field not agreed", 403, "field.not_agreed"),
    ("subject", 400, "subject.malformed"),
    ("person", 403, "subject.not_released"),
]
"""Size, token, proof, scope, body, agreement, service, field, person, policy."""
OPENED = [name for name, _, _ in ORDER].index("agreement")
MEMBERS = {
    "agreement": ("agreement", "no-such-agreement"),
    "service": ("service", "no/such"),
    "field unknown": ("fields", ["/no/such"]),
    "field not agreed": ("fields", ["/phone"]),
    "subject": ("subject", {"scheme": SCHEME, "value": "RN-1"}),
    "person": ("subject", {"scheme": SCHEME, "value": "RN-0000000"}),
    "body": ("extra", 1),
}


def wrong_from(country: RunningCountry, agency: Agency, first: int) -> Answer:
    """Send a request that is wrong in this respect and in every later one."""
    wrong = {name for name, _, _ in ORDER[first:]}
    body: dict[str, Any] = {
        "agreement": "family-allowance",
        "service": "population/residents",
        "subject": {"scheme": SCHEME, "value": standing(country).number},
        "fields": ["/name/family"],
    }
    for name in reversed([name for name, _, _ in ORDER]):
        if name in wrong and name in MEMBERS:
            member, value = MEMBERS[name]
            body[member] = value
    raw = json.dumps(body).encode().ljust(20_000 if "size" in wrong else 0)
    token = agency.ask_token(scope="directory.read" if "scope" in wrong else "").json
    text = token["access_token"]
    htu = {"htu": "http://evil.example/"} if "proof" in wrong else {}
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"DPoP {'x.y.z' if 'token' in wrong else text}",
        "DPoP": agency.proof("POST", API, text, **htu),
    }
    return agency.request("POST", API, raw, headers)


@pytest.mark.parametrize("first", range(len(ORDER)), ids=[name for name, _, _ in ORDER])
def test_the_first_thing_wrong_is_what_is_told(country: RunningCountry, first: int) -> None:
    _, status, reason = ORDER[first]
    with written(country, *[REFUSAL] * (first >= OPENED)):
        answer = wrong_from(country, country.agency(), first)
    assert (answer.status, answer.reason) == (status, reason)
    assert ("exchange" in answer.json) == (first >= OPENED)


def test_with_nothing_wrong_there_is_an_answer(country: RunningCountry) -> None:
    """Without this, every refusal above might have another cause."""
    assert wrong_from(country, country.agency(), len(ORDER)).status == 200
