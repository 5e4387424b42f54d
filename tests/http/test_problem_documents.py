"""Problem documents: what every refusal says of itself, and what it never repeats (RFC 9457)."""

import re

import pytest

from gateway.http.problems import EXPLANATIONS
from kernel.errors import Exact, Reason
from tests.agency import Agency, Answer
from tests.attacks.ledger_watch import standing
from tests.country import RESIDENTS, SCHEME, RunningCountry

CANARY = 'c4n4ry"><script>alert(1)</script>{{7*7}}'
MEMBERS = {"type", "title", "status", "detail", "reason", "trace"}


@pytest.fixture(scope="module")
def agency(country: RunningCountry) -> Agency:
    return country.agency()


def refusals(country: RunningCountry, agency: Agency) -> list[Answer]:
    number = standing(country).number
    bare = agency.request("POST", "/v1/exchanges", b"{}")
    replayed = agency.authorization("GET", "/v1/services")
    agency.request("GET", "/v1/services", None, replayed)
    return [
        bare,
        agency.request("GET", "/v1/services", None, replayed),
        agency.request("GET", "/nowhere"),
        agency.request("DELETE", "/v1/exchanges"),
        agency.post(b"{"),
        agency.post(b"{}", **{"Content-Type": "text/plain"}),
        agency.post(b" " * 20_000),
        agency.exchange(number, "no/such", ["/name/family"]),
        agency.exchange(number, RESIDENTS, ["/no/such"]),
        agency.exchange("RN-0000000", RESIDENTS, ["/name/family"]),
        agency.exchange("RN-0000001", RESIDENTS, ["/name/family"]),
        agency.get("/v1/exchanges/ex_unknown"),
        agency.get("/v1/agreements/no-such"),
        agency.get("/audit/log/proof/99999999"),
    ]


def test_every_refusal_has_the_same_members(country: RunningCountry, agency: Agency) -> None:
    seen = set()
    for answer in refusals(country, agency):
        document = answer.json
        reason = Reason(document["reason"])
        seen.add(reason)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["cache-control"] == "no-store"
        assert set(document) - {"exchange"} == MEMBERS
        assert document["status"] == answer.status == EXPLANATIONS[reason].status
        assert document["title"] == EXPLANATIONS[reason].title
        assert document["type"] == f"{agency.gateway}/errors/{reason.value}"
        assert re.fullmatch(r"tr_[a-z2-7]{26}", document["trace"])
        assert re.fullmatch(r"ex_[a-z2-7]{26}", document.get("exchange", "ex_" + "a" * 26))
        assert document["detail"].endswith((".", ";"))
    assert len(seen) >= 10


def test_a_401_says_how_to_come_in(country: RunningCountry, agency: Agency) -> None:
    """RFC 9110 §11.6.1, RFC 9449 §7.1."""
    for answer in refusals(country, agency):
        if answer.status == 401:
            error = "invalid_dpop_proof" if "dpop" in answer.reason else "invalid_token"
            challenge = answer.headers["www-authenticate"]
            assert challenge.startswith(f'DPoP error="{error}"')
            assert 'algs="ES256' in challenge
        else:
            assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_page(agency: Agency, reason: Reason) -> None:
    answer = agency.request("GET", f"/errors/{reason.value}")
    page = answer.body.decode()
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert reason.value in page
    assert "<h1>" in page
    assert f"status {EXPLANATIONS[reason].status}" in page


@pytest.mark.parametrize("name", ["nonsense", "", "request", "INTERNAL", *Exact])
def test_no_other_reason_has_a_page(agency: Agency, name: str) -> None:
    """The exact reasons about a person are nobody's business here."""
    if name in {reason.value for reason in Reason}:
        pytest.fail("an exact reason has become a public one")
    assert agency.request("GET", f"/errors/{name}").status == 404


def test_nothing_that_was_sent_is_repeated(country: RunningCountry, agency: Agency) -> None:
    """Not in a body, and not in a header: a refusal names the place and never the content."""
    right = {
        "agreement": "family-allowance",
        "service": RESIDENTS,
        "subject": {"scheme": SCHEME, "value": standing(country).number},
        "fields": ["/name/family"],
        "case": "FA-1",
        "user": "clerk-1",
    }
    answers = [
        agency.post({**right, name: CANARY})
        for name in ("agreement", "service", "subject", "fields")
    ]
    answers += [
        agency.post({**right, CANARY: 1}),
        agency.post({**right, "fields": [f"/{CANARY}"]}),
        agency.post({**right, "fields": [{CANARY: CANARY}]}),
        agency.post({**right, "subject": {"scheme": SCHEME, "value": CANARY}}),
        agency.post({**right, "subject": {"scheme": CANARY, "value": "RN-0000000"}}),
        agency.post({**right, "subject": {**right["subject"], CANARY: 1}}),
        agency.post({**right, "case": CANARY + "\n"}),
        agency.post({**right, "case": CANARY, "fields": ["/no"]}),
        agency.post(CANARY.encode()),
        agency.post({}, **{"Content-Type": f"c4n4ry/{CANARY}"}),
        agency.post({}, **{"Content-Encoding": CANARY}),
        agency.post(right, **{"Idempotency-Key": CANARY}),
        agency.post(right, Authorization=f"DPoP {CANARY}"),
        agency.post(right, Authorization=f"{CANARY} x"),
        agency.post(right, DPoP=CANARY),
    ]
    sent = CANARY.replace("<", "%3C").replace(" ", "%20").replace('"', "%22").replace(">", "%3E")
    for path in (f"/{sent}", f"/errors/{sent}", f"/v1/services/{sent}/x", f"/oauth2/token?{sent}"):
        answers += [agency.request(method, path) for method in ("GET", "POST", "c4n4ry")]
    for path in (f"/v1/agreements/{sent}", f"/v1/exchanges/{sent}", f"/audit/log/proof/{sent}"):
        answers.append(agency.get(path))
    for answer in answers:
        assert 400 <= answer.status < 500, answer.body
        assert b"c4n4ry" not in answer.body
        assert b"<script" not in answer.body
        assert "c4n4ry" not in str(answer.headers)


def test_nothing_that_was_sent_is_logged(country: RunningCountry, agency: Agency) -> None:
    """A log line speaks of routes and reasons."""
    agency.get("/v1/agreements/l0gged-canary")
    agency.request("GET", "/l0gged-canary?l0gged-canary", None, {"User-Agent": "l0gged-canary"})
    agency.request("l0gged-canary", "/livez")
    agency.post({"l0gged-canary": 1})
    log = b"".join(path.read_bytes() for path in (country.state / "logs").iterdir())
    assert b"l0gged-canary" not in log
    assert b"answered" in log
