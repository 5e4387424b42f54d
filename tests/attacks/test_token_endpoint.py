"""Attacks on the token endpoint (T): forged, foreign, stale and malformed client assertions."""

import base64
import gzip
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.agency import ASSERTION, Agency, Answer, base64url
from tests.attacks.forging import (
    claims,
    compact,
    der,
    elliptic,
    garbage,
    nothing,
    pkcs1,
    private_key,
    proof_claims,
    public_jwk,
    secret,
)
from tests.attacks.ledger_watch import nothing_written
from tests.attacks.wire import LAST_CHUNK, chunked, request, send
from tests.contract.loopback import answer as http_answer
from tests.contract.loopback import serving
from tests.country import RunningCountry

PATH = "/oauth2/token"
STRANGER = ec.generate_private_key(ec.SECP256R1())
Make = Callable[[Agency], str]


def signed(agency: Agency, header: dict[str, Any] | None = None, **changed: Any) -> str:
    """Return an assertion by the right key; header and claims can be changed or taken away."""
    head = {"alg": "ES256", "kid": agency.signing["kid"], **(header or {})}
    kept = {name: value for name, value in head.items() if value is not None}
    return compact(kept, claims(agency, **changed), elliptic(private_key(agency.signing)))


def spelled(agency: Agency, payload: bytes, header: bytes | None = None) -> str:
    """Return an assertion by the right key over exactly these bytes."""
    head = header or json.dumps({"alg": "ES256", "kid": agency.signing["kid"]}).encode()
    return compact(head, payload, elliptic(private_key(agency.signing)))


def with_public_key_as_secret(agency: Agency, form: str) -> str:
    public = private_key(agency.signing).public_key()
    members = {name: agency.signing[name] for name in ("kty", "crv", "x", "y")}
    spellings = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(members, separators=(",", ":")).encode(),
        "empty": b"",
    }
    head = {"alg": "HS256", "kid": agency.signing["kid"]}
    return compact(head, claims(agency), secret(spellings[form]))


def rs256(agency: Agency) -> str:
    key = rsa.generate_private_key(65537, 2048)
    head = {"alg": "RS256", "kid": agency.signing["kid"], "jwk": public_jwk(key)}
    return compact(head, claims(agency), pkcs1(key))


def now() -> int:
    return int(time.time())


def raw_claims(agency: Agency, **changed: Any) -> bytes:
    return json.dumps(claims(agency, **changed)).encode()


def doubled(agency: Agency) -> str:
    """Claim a second subject after the first: a reader that takes the last one is fooled."""
    return spelled(agency, raw_claims(agency)[:-1] + b', "sub": "child-maintenance-1"}')


def strange_bit(agency: Agency) -> str:
    """Spell the signature with another last character that decodes to the same bytes."""
    text = signed(agency)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


FORGED: dict[str, Make] = {
    "T1 alg none, no signature": lambda a: compact({"alg": "none"}, claims(a), nothing),
    "T1 alg none, with kid": lambda a: compact(
        {"alg": "none", "kid": a.signing["kid"]}, claims(a), nothing
    ),
    "T1 alg None": lambda a: compact({"alg": "None"}, claims(a), nothing),
    "T1 alg nonE, right signature": lambda a: signed(a, {"alg": "nonE"}),
    "T1 alg missing": lambda a: signed(a, {"alg": None}),
    "T1 alg is a list": lambda a: signed(a, {"alg": ["ES256"]}),
    "T1 alg empty": lambda a: signed(a, {"alg": ""}),
    "T2 HS256 with the public key as PEM": lambda a: with_public_key_as_secret(a, "pem"),
    "T2 HS256 with the public key as DER": lambda a: with_public_key_as_secret(a, "der"),
    "T2 HS256 with the public JWK": lambda a: with_public_key_as_secret(a, "jwk"),
    "T2 HS256 with an empty secret": lambda a: with_public_key_as_secret(a, "empty"),
    "T3 RS256": rs256,
    "T4 embedded jwk of a stranger": lambda a: compact(
        {"alg": "ES256", "kid": a.signing["kid"], "jwk": public_jwk(STRANGER)},
        claims(a),
        elliptic(STRANGER),
    ),
    "T4 embedded jwk and no kid": lambda a: compact(
        {"alg": "ES256", "jwk": public_jwk(STRANGER)}, claims(a), elliptic(STRANGER)
    ),
    "T6 x5c of a stranger": lambda a: compact(
        {"alg": "ES256", "kid": a.signing["kid"], "x5c": ["MIIB"]}, claims(a), elliptic(STRANGER)
    ),
    "T7 kid of nobody": lambda a: signed(a, {"kid": "nobody"}),
    "T7 kid is a path": lambda a: signed(a, {"kid": "../../../../etc/passwd"}),
    "T7 kid is SQL": lambda a: signed(a, {"kid": "' OR '1'='1"}),
    "T7 kid is a number": lambda a: signed(a, {"kid": 1}),
    "T7 kid is null": lambda a: spelled(a, raw_claims(a), b'{"alg":"ES256","kid":null}'),
    "T8 signed by the sealing key": lambda a: compact(
        {"alg": "ES256", "kid": a.sealing["kid"]}, claims(a), elliptic(private_key(a.sealing))
    ),
    "T8 the sealing key's kid on a right signature": lambda a: signed(a, {"kid": a.sealing["kid"]}),
    "T9 signature of garbage": lambda a: compact(
        {"alg": "ES256", "kid": a.signing["kid"]}, claims(a), garbage
    ),
    "T9 signature empty": lambda a: compact(
        {"alg": "ES256", "kid": a.signing["kid"]}, claims(a), nothing
    ),
    "T9 signature in DER": lambda a: compact(
        {"alg": "ES256", "kid": a.signing["kid"]}, claims(a), der(private_key(a.signing))
    ),
    "T9 signature by a stranger": lambda a: compact(
        {"alg": "ES256", "kid": a.signing["kid"]}, claims(a), elliptic(STRANGER)
    ),
    "T9 signature with a strange last bit": strange_bit,
    "T9 signature padded": lambda a: signed(a) + "==",
    "T9 a space inside": lambda a: signed(a).replace(".", ". ", 1),
    "T9 four parts": lambda a: signed(a) + ".e30",
    "T9 five parts, as a JWE": lambda a: signed(a) + ".e30.e30",
    "T9 one part": lambda _: "e30",
    "T9 JSON serialisation": lambda a: json.dumps({"payload": signed(a), "signatures": []}),
    "T10 iss is another client": lambda a: signed(a, iss="child-maintenance-1"),
    "T10 sub is another client": lambda a: signed(a, sub="child-maintenance-1"),
    "T10 both are another client": lambda a: signed(
        a, iss="child-maintenance-1", sub="child-maintenance-1"
    ),
    "T10 both are nobody": lambda a: signed(a, iss="nobody", sub="nobody"),
    "T10 sub missing": lambda a: signed(a, sub=None),
    "T10 sub is a number": lambda a: signed(a, sub=7, iss=7),
    "T10 sub is a list": lambda a: signed(a, sub=[a.client_id], iss=[a.client_id]),
    "T10 sub is an object": lambda a: signed(a, sub={"a": 1}, iss={"a": 1}),
    "T10 sub is 1 MiB": lambda a: signed(a, sub="a" * 2**20, iss="a" * 2**20),
    "T11 aud is a list with the issuer": lambda a: signed(a, aud=[a.gateway]),
    "T11 aud is a list with another": lambda a: signed(a, aud=[a.gateway, "https://evil.example"]),
    "T11 aud is our token endpoint": lambda a: signed(a, aud=a.gateway + PATH),
    "T11 aud is another server": lambda a: signed(a, aud="https://evil.example"),
    "T11 aud with a slash": lambda a: signed(a, aud=a.gateway + "/"),
    "T11 aud in capitals": lambda a: signed(a, aud=a.gateway.upper()),
    "T11 aud missing": lambda a: signed(a, aud=None),
    "T11 aud is a number": lambda a: signed(a, aud=1),
    "T11 aud is an object": lambda a: signed(a, aud={"iss": a.gateway}),
    "T11 aud is empty": lambda a: signed(a, aud=""),
    "T12 expired": lambda a: signed(a, iat=now() - 120, exp=now() - 1),
    "T12 exp at this second": lambda a: signed(a, iat=now() - 60, exp=now()),
    "T12 exp in ten years": lambda a: signed(a, exp=now() + 315_360_000),
    "T12 lives 301 seconds": lambda a: signed(a, iat=now(), exp=now() + 301),
    "T12 exp missing": lambda a: signed(a, exp=None),
    "T12 exp is a text": lambda a: signed(a, exp=str(now() + 60)),
    "T12 exp is a fraction": lambda a: signed(a, exp=now() + 60.5),
    "T12 exp is true": lambda a: signed(a, exp=True),
    "T12 exp before iat": lambda a: signed(a, iat=now() + 5, exp=now() + 4 - 300),
    "T12 exp is 10^400": lambda a: spelled(
        a, raw_claims(a).replace(b'"exp": ', b'"exp": 1' + b"0" * 400 + b', "x": ')
    ),
    "T12 exp is NaN": lambda a: spelled(a, raw_claims(a).replace(b'"exp": ', b'"exp": NaN, "x": ')),
    "T12 exp is Infinity": lambda a: spelled(
        a, raw_claims(a).replace(b'"exp": ', b'"exp": Infinity, "x": ')
    ),
    "T12 exp is 1e9999": lambda a: spelled(
        a, raw_claims(a).replace(b'"exp": ', b'"exp": 1e9999, "x": ')
    ),
    "T13 iat 61 seconds ahead": lambda a: signed(a, iat=now() + 61, exp=now() + 121),
    "T13 iat a day ahead": lambda a: signed(a, iat=now() + 86_400, exp=now() + 86_460),
    "T13 nbf 61 seconds ahead": lambda a: signed(a, nbf=now() + 61),
    "T13 nbf is a text": lambda a: signed(a, nbf="now"),
    "T13 iat missing": lambda a: signed(a, iat=None),
    "T13 iat is true": lambda a: signed(a, iat=True),
    "T13 iat is a fraction": lambda a: signed(a, iat=time.time()),
    "T14 jti missing": lambda a: signed(a, jti=None),
    "T14 jti empty": lambda a: signed(a, jti=""),
    "T14 jti is a number": lambda a: signed(a, jti=7),
    "T16 jti of 129 characters": lambda a: signed(a, jti="j" * 129),
    "T16 jti of 7,000 characters": lambda a: signed(a, jti="j" * 7000),
    "T18 crit": lambda a: signed(a, {"crit": ["exp"], "exp": 1}),
    "T18 crit empty": lambda a: signed(a, {"crit": []}),
    "T18 b64 false": lambda a: signed(a, {"b64": False, "crit": ["b64"]}),
    "T18 b64 false without crit": lambda a: signed(a, {"b64": False}),
    "T18 zip": lambda a: signed(a, {"zip": "DEF"}),
    "T21 typ of an access token": lambda a: signed(a, {"typ": "at+jwt"}),
    "T21 typ of a proof": lambda a: signed(a, {"typ": "dpop+jwt"}),
    "T21 typ is a number": lambda a: signed(a, {"typ": 1}),
    "T21 a proof as an assertion": lambda a: compact(
        {"alg": "ES256", "typ": "dpop+jwt", "jwk": public_jwk(STRANGER)},
        proof_claims(a, PATH, None),
        elliptic(STRANGER),
    ),
    "T22 nested 2,000 levels": lambda a: spelled(a, b"[" * 2000 + b"]" * 2000),
    "T22 nested members": lambda a: spelled(a, b'{"a":' * 900 + b"1" + b"}" * 900),
    "T22 header nested 1,000 levels": lambda a: spelled(
        a, raw_claims(a), b'{"alg":"ES256","a":' + b"[" * 1000 + b"]" * 1000 + b"}"
    ),
    "T22 sub twice": doubled,
    "T22 alg twice in the header": lambda a: spelled(
        a, raw_claims(a), b'{"alg":"none","alg":"ES256"}'
    ),
    "T22 an integer of 1,000 digits": lambda a: spelled(
        a, raw_claims(a)[:-1] + b', "n": ' + b"9" * 1000 + b"}"
    ),
    "T22 a lone surrogate": lambda a: spelled(a, raw_claims(a)[:-1] + b', "s": "\\ud800"}'),
    "T22 bytes that are no UTF-8": lambda a: spelled(a, raw_claims(a)[:-1] + b', "s": "\xff"}'),
    "T22 UTF-16": lambda a: spelled(a, raw_claims(a).decode().encode("utf-16")),
    "T22 a byte order mark": lambda a: spelled(a, b"\xef\xbb\xbf" + raw_claims(a)),
    "T22 bytes after the JSON": lambda a: spelled(a, raw_claims(a) + b"{}"),
    "T22 the payload is a list": lambda a: spelled(a, b"[" + raw_claims(a) + b"]"),
    "T22 the payload is a text": lambda a: spelled(a, b'"sub"'),
    "T22 the payload is null": lambda a: spelled(a, b"null"),
    "T22 the payload is empty": lambda a: spelled(a, b""),
    "T22 the header is a list": lambda a: spelled(a, raw_claims(a), b'["alg"]'),
    "T22 the header is empty": lambda a: spelled(a, raw_claims(a), b"{}"),
    "T22 a NUL inside": lambda a: signed(a, sub=a.client_id + "\0", iss=a.client_id + "\0"),
}


@pytest.mark.parametrize("make", FORGED.values(), ids=FORGED)
def test_an_assertion_that_does_not_prove_its_client_gets_no_token(
    country: RunningCountry, make: Make
) -> None:
    agency = country.agency()
    with nothing_written(country):
        answer = agency.ask_token(client_assertion=make(agency))
    # Past the cap of a whole request its size is the first thing that is wrong with it.
    if answer.status == 413:
        assert answer.json["error"] == "invalid_request"
        return
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")
    assert "access_token" not in answer.json


def test_every_failed_authentication_looks_the_same(country: RunningCountry) -> None:
    agency = country.agency()
    bodies = {
        agency.ask_token(client_assertion=FORGED[name](agency)).body
        for name in ("T9 signature by a stranger", "T10 both are nobody", "T12 expired")
    }
    assert len(bodies) == 1


def test_forty_thousand_levels_are_too_large_and_do_no_harm(country: RunningCountry) -> None:
    agency = country.agency()
    deep = spelled(agency, b"[" * 40_000 + b"]" * 40_000)
    with nothing_written(country):
        answer = agency.ask_token(client_assertion=deep)
    assert (answer.status, answer.json["error"]) == (413, "invalid_request")
    assert agency.ask_token().status == 200


def test_a_jti_of_a_megabyte_is_too_large(country: RunningCountry) -> None:
    agency = country.agency()
    answer = agency.ask_token(client_assertion=signed(agency, jti="j" * 2**20))
    assert (answer.status, answer.json["error"]) == (413, "invalid_request")


@pytest.mark.parametrize("member", ["jku", "x5u"])
@pytest.mark.parametrize("right", [True, False], ids=["right key", "stranger's key"])
def test_no_key_is_fetched_from_where_the_header_points(
    country: RunningCountry, member: str, right: bool
) -> None:
    """T5: unknown members are ignored, so the right key still counts and nobody is called."""
    agency, calls = country.agency(), []

    def handle(connection: Any, head: bytes) -> None:
        calls.append(head)
        keys = {"keys": [{**public_jwk(STRANGER), "kid": "k", "use": "sig"}]}
        connection.sendall(http_answer(json.dumps(keys).encode()))

    with serving(handle) as evil:
        head = {"alg": "ES256", "kid": agency.signing["kid"] if right else "k", member: evil.url}
        key = private_key(agency.signing) if right else STRANGER
        answer = agency.ask_token(client_assertion=compact(head, claims(agency), elliptic(key)))
    assert answer.status == (200 if right else 401)
    assert calls == []


@pytest.mark.parametrize(
    "changed",
    [
        {"iat": 8, "nbf": 8, "exp": 60},
        {"iat": -240, "exp": 60},
        {"iat": 0, "exp": 300},
        {"iat": 0, "nbf": -500, "exp": 60},
    ],
)
def test_clocks_may_differ_a_little(country: RunningCountry, changed: dict[str, int]) -> None:
    """T13: eight seconds ahead, and all of the life that an assertion may have, are fine."""
    at = now()
    times = {name: at + seconds for name, seconds in changed.items()}
    agency = country.agency()
    assert agency.ask_token(client_assertion=signed(agency, **times)).status == 200


def test_the_kid_of_another_client_does_not_open_that_clients_door(
    country: RunningCountry,
) -> None:
    """T7: a client's key speaks for that client alone, whatever `kid` and `sub` say."""
    agency, other = country.agency(), country.agency("child-maintenance")
    head = {"alg": "ES256", "kid": other.signing["kid"]}
    key = elliptic(private_key(agency.signing))
    for about in (agency, other):
        answer = agency.ask_token(client_assertion=compact(head, claims(about), key))
        assert (answer.status, answer.json["error"]) == (401, "invalid_client")


def test_a_token_request_names_its_own_client(country: RunningCountry) -> None:
    agency = country.agency()
    assert agency.ask_token(client_id=agency.client_id).status == 200
    answer = agency.ask_token(client_id="child-maintenance-1")
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


# ------------------------------------------------------------------ the request around it


def form(agency: Agency, **parameters: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": agency.assertion(),
        **parameters,
    }


def ask(
    agency: Agency,
    body: bytes,
    *,
    method: str = "POST",
    target: str = PATH,
    more: tuple[tuple[str, str], ...] = (),
    content_type: str = "application/x-www-form-urlencoded",
) -> Answer:
    lines = [
        ("Host", "gateway"),
        ("Connection", "close"),
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("DPoP", agency.proof("POST", PATH)),
        *more,
    ]
    return send(agency.gateway, request(method, target, lines, body)).last


def basic(raw: bytes) -> str:
    return "Basic " + base64.b64encode(raw).decode()


def refused(answer: Answer, status: int, error: str) -> None:
    assert (answer.status, answer.json["error"]) == (status, error), answer.body
    assert "access_token" not in answer.json
    assert answer.headers["cache-control"] == "no-store"


def test_parameters_in_the_url_are_refused(country: RunningCountry) -> None:
    """T17: a URL is written to logs; what belongs into the body counts only there."""
    agency = country.agency()
    with nothing_written(country):
        for body, query in ((form(agency), {"scope": "directory.read"}), ({}, form(agency))):
            target = f"{PATH}?{urlencode(query)}"
            refused(ask(agency, urlencode(body).encode(), target=target), 400, "invalid_request")


@pytest.mark.parametrize(
    "name", ["grant_type", "scope", "client_id", "client_assertion", "resource"]
)
def test_a_parameter_that_is_there_twice_is_refused(country: RunningCountry, name: str) -> None:
    agency = country.agency()
    once = form(agency, scope="directory.read", client_id=agency.client_id, resource=agency.gateway)
    body = urlencode([*once.items(), (name, once[name])]).encode()
    refused(ask(agency, body), 400, "invalid_request")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded; charset=utf-7",
        "application/x-www-form-urlencoded; boundary=x",
    ],
)
def test_another_type_of_body_is_refused(country: RunningCountry, content_type: str) -> None:
    """T19: the form and nothing but the form."""
    agency = country.agency()
    body = urlencode(form(agency)).encode()
    refused(ask(agency, body, content_type=content_type), 400, "invalid_request")


def test_a_body_in_json_is_refused(country: RunningCountry) -> None:
    agency = country.agency()
    body = json.dumps(form(agency)).encode()
    refused(ask(agency, body, content_type="application/json"), 400, "invalid_request")
    refused(ask(agency, body), 400, "invalid_request")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "\xe9"])
def test_a_coded_body_is_refused(country: RunningCountry, coding: str) -> None:
    agency = country.agency()
    plain = urlencode(form(agency)).encode()
    for body in (plain, gzip.compress(plain)):
        refused(ask(agency, body, more=(("Content-Encoding", coding),)), 400, "invalid_request")


@pytest.mark.parametrize(
    "authorization",
    [
        basic(b"family-benefits-1:secret"),
        basic(b"\xff\xfe:\xff"),
        basic(b"no colon"),
        basic(b"a" * 6000 + b":b"),
        "Basic !!!",
        "Basic",
        "Bearer abc",
        "DPoP abc",
    ],
)
def test_two_ways_of_authentication_are_one_too_many(
    country: RunningCountry, authorization: str
) -> None:
    """T20: also where one of them cannot even be read."""
    agency = country.agency()
    body = urlencode(form(agency)).encode()
    more = (("Authorization", authorization),)
    refused(ask(agency, body, more=more), 400, "invalid_request")
    alone = urlencode({"grant_type": "client_credentials"}).encode()
    refused(ask(agency, alone, more=more), 401, "invalid_client")


def test_shared_secrets_do_not_exist(country: RunningCountry) -> None:
    agency = country.agency()
    posted = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}
    refused(ask(agency, urlencode(posted).encode()), 401, "invalid_client")
    both = urlencode(form(agency, client_secret="x")).encode()
    refused(ask(agency, both), 400, "invalid_request")


@pytest.mark.parametrize(
    "grant",
    [
        "password",
        "authorization_code",
        "refresh_token",
        "implicit",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:device_code",
        "CLIENT_CREDENTIALS",
        'client_credentials"',
        "client_credentials ",
        "<script>alert(1)</script>",
    ],
)
def test_no_other_grant_is_served(country: RunningCountry, grant: str) -> None:
    agency = country.agency()
    refused(agency.ask_token(grant_type=grant), 400, "unsupported_grant_type")


@pytest.mark.parametrize(
    "scope",
    [
        "audit.entries",
        "exchange.request audit.entries",
        "exchange.request  nonsense",
        "exchange.request\tdirectory.read",
        "Exchange.Request",
        'a"b',
        "*",
        "exchange.request\r\nSet-Cookie: a=b",
    ],
)
def test_a_scope_is_never_narrowed_silently(country: RunningCountry, scope: str) -> None:
    agency = country.agency()
    refused(agency.ask_token(scope=scope), 400, "invalid_scope")


def test_a_token_for_somebody_else_is_refused(country: RunningCountry) -> None:
    """T26, T25: tokens are for this gateway, and know no further details."""
    agency = country.agency()
    refused(agency.ask_token(resource="https://other.example"), 400, "invalid_target")
    for details in ('[{"type":"x"}]', "[", "{}", json.dumps([{"type": "x"}] * 300)):
        answer = agency.ask_token(authorization_details=details)
        refused(answer, 400, "invalid_authorization_details")
    assert agency.ask_token(resource=agency.gateway).status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS", "DELETE", "TRACE", "post"])
def test_a_token_is_asked_for_by_post_alone(country: RunningCountry, method: str) -> None:
    """T23: and no header makes a POST of it."""
    agency = country.agency()
    body = urlencode(form(agency)).encode()
    override = (("X-HTTP-Method-Override", "POST"), ("X-HTTP-Method", "POST"))
    answer = ask(agency, body, method=method, more=override)
    assert answer.status == 405
    assert b"access_token" not in answer.body


def test_bodies_of_the_wrong_size_are_refused(country: RunningCountry) -> None:
    agency = country.agency()
    base = form(agency)
    short = 16 * 1024 - len(urlencode({**base, "pad": ""}))
    assert ask(agency, urlencode({**base, "pad": "a" * short}).encode()).status == 200
    over = urlencode({**form(agency), "pad": "a" * (short + 400)}).encode()
    refused(ask(agency, over), 413, "invalid_request")
    lines = [
        ("Host", "gateway"),
        ("Connection", "close"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Transfer-Encoding", "chunked"),
        ("DPoP", agency.proof("POST", PATH)),
    ]
    raw = request("POST", PATH, lines, chunked(over) + LAST_CHUNK)
    refused(send(agency.gateway, raw).last, 413, "invalid_request")


def test_seventeen_parameters_are_too_many(country: RunningCountry) -> None:
    agency = country.agency()
    many = {f"p{place}": "x" for place in range(14)}
    refused(ask(agency, urlencode({**form(agency), **many}).encode()), 400, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"&",
        b"=",
        b"grant_type",
        b"grant_type=client_credentials&scope=%ff",
        b"grant_type=client_credentials&scope=\xff",
        b"grant_type=%",
        b"\x00" * 100,
        b"grant_type=",
    ],
)
def test_what_is_no_form_is_refused(country: RunningCountry, body: bytes) -> None:
    answer = ask(country.agency(), body)
    assert answer.status in {400, 401}
    assert answer.json["error"] in {"invalid_request", "invalid_client"}


def test_nothing_that_was_sent_comes_back(country: RunningCountry) -> None:
    """T32: neither as text nor as a header line."""
    agency, canary = country.agency(), '"<script>c4n4ry</script>\r\nX-Canary: c4n4ry'
    for name in ("grant_type", "scope", "client_id", "resource", "client_assertion", canary):
        answer = agency.ask_token(**{name: canary})
        assert b"c4n4ry" not in answer.body
        assert "c4n4ry" not in str(answer.headers)
        assert "x-canary" not in answer.headers
        assert answer.status in {200, 400, 401}


def test_a_token_is_never_stored_nor_logged(country: RunningCountry) -> None:
    """T31: not by a cache, and not in the gateway's own log."""
    agency = country.agency()
    answer = agency.ask_token()
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    token = answer.json["access_token"]
    log = b"".join(path.read_bytes() for path in (country.state / "logs").iterdir())
    assert token.encode() not in log
    assert base64url(b'{"alg"').encode() not in log


def test_a_disabled_clients_key_is_dead_at_once(country: RunningCountry) -> None:
    """T29: its assertions, and the tokens that it already holds."""
    agency = newcomer(country)
    assert agency.get("/v1/services").status == 200
    disabled = country.run("gateway", "clients", "disable", agency.client_id)
    assert disabled.returncode == 0, disabled.stderr
    refused(agency.ask_token(), 401, "invalid_client")
    answer = agency.get("/v1/services")
    assert (answer.status, answer.reason) == (401, "token.invalid")


def newcomer(country: RunningCountry) -> Agency:
    """Return a client that was registered just now, with keys of its own."""
    from joserfc.jwk import ECKey

    name = f"family-benefits-{time.time_ns()}"
    keys = [ECKey.generate_key("P-256", {"use": use, "kid": use}) for use in ("sig", "enc")]
    path = country.state / f"{name}.jwks.json"
    path.write_text(json.dumps({"keys": [key.as_dict(private=False) for key in keys]}))
    added = country.run("gateway", "clients", "add", "family-benefits", name, "--jwks", str(path))
    assert added.returncode == 0, added.stderr
    return Agency(country.gateway, name, *[key.as_dict(private=True) for key in keys])
