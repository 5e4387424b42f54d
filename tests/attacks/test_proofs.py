"""Attacks on the proof of possession (D): at the API and at the token endpoint (RFC 9449)."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from tests.agency import Agency, Answer
from tests.attacks.forging import (
    compact,
    edwards,
    elliptic,
    garbage,
    hashed,
    integer,
    nothing,
    pkcs1,
    private_key,
    proof_claims,
    pss,
    public_jwk,
    secret,
)
from tests.attacks.ledger_watch import nothing_written, standing, written
from tests.attacks.wire import request, send
from tests.country import RESIDENTS, RunningCountry

API = "/v1/exchanges"
TOKEN = "/oauth2/token"
Prove = Callable[[Agency, str, str | None], str]
"""Makes a proof for an agency, a path and a token (None at the token endpoint)."""


def key_of(agency: Agency) -> ec.EllipticCurvePrivateKey:
    return private_key(agency.proof_key.as_dict(private=True))


def proof(agency: Agency, path: str, token: str | None, header: Any = None, **changed: Any) -> str:
    """Return a proof by the right key; header and claims can be changed or taken away."""
    jwk = public_jwk(key_of(agency))
    head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk, **(header or {})}
    kept = {name: value for name, value in head.items() if value is not None}
    return compact(kept, proof_claims(agency, path, token, **changed), elliptic(key_of(agency)))


def by(jwk: dict[str, Any], alg: str, sign: Callable[[bytes], bytes]) -> Prove:
    """Return how a proof is made with this key in its header."""
    head = {"alg": alg, "typ": "dpop+jwt", "jwk": jwk}
    return lambda agency, path, token: compact(head, proof_claims(agency, path, token), sign)


def headed(**header: Any) -> Prove:
    return lambda agency, path, token: proof(agency, path, token, header)


def claiming(**changed: Any) -> Prove:
    return lambda agency, path, token: proof(agency, path, token, None, **changed)


def timed(seconds: float) -> Prove:
    return lambda agency, path, token: proof(agency, path, token, iat=int(time.time() + seconds))


def urled(make: Callable[[str, str], Any]) -> Prove:
    """Return how a proof names another URL, made of the gateway's address and the path."""
    return lambda agency, path, token: proof(agency, path, token, htu=make(agency.gateway, path))


def private_jwk_inside(agency: Agency, path: str, token: str | None) -> str:
    return proof(agency, path, token, {"jwk": agency.proof_key.as_dict(private=True)})


def off_the_curve(agency: Agency, path: str, token: str | None) -> str:
    return proof(agency, path, token, {"jwk": {**public_jwk(key_of(agency)), "y": integer(1, 32)}})


def doubled(agency: Agency, path: str, token: str | None) -> str:
    claims = json.dumps(proof_claims(agency, path, token)).encode()[:-1] + b', "htm": "POST"}'
    head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": public_jwk(key_of(agency))}
    return compact(head, claims, elliptic(key_of(agency)))


RSA = rsa.generate_private_key(65537, 2048)
SHORT_RSA = rsa.generate_private_key(65537, 1024)
K256 = ec.generate_private_key(ec.SECP256K1())
ED448 = ed448.Ed448PrivateKey.generate()
SMALL_ORDER = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}

BAD: dict[str, Prove] = {
    "D-4 no JWS": lambda *_: "proof",
    "D-4 two parts": lambda *given: proof(*given).rpartition(".")[0],
    "D-4 four parts": lambda *given: proof(*given) + ".e30",
    "D-4 8 KiB": lambda *given: proof(*given, None, pad="p" * 8192),
    "D-5 typ missing": headed(typ=None),
    "D-5 typ JWT": headed(typ="JWT"),
    "D-5 typ in capitals": headed(typ="DPOP+JWT"),
    "D-5 typ with application": headed(typ="application/dpop+jwt"),
    "D-6 alg none": by({"kty": "EC"}, "none", nothing),
    "D-6 alg none with the right key": headed(alg="none"),
    "D-6 HS256 with an oct key": by({"kty": "oct", "k": "c2VjcmV0"}, "HS256", secret(b"secret")),
    "D-6 RS256": by(public_jwk(RSA), "RS256", pkcs1(RSA)),
    "D-6 ES256K": by(public_jwk(K256), "ES256K", elliptic(K256)),
    "D-6 ES384 over P-256": headed(alg="ES384"),
    "D-6 alg missing": headed(alg=None),
    "D-7 jwk missing": headed(jwk=None),
    "D-7 jwk is a text": headed(jwk="key"),
    "D-7 jwk is a list": headed(jwk=[]),
    "D-7 jwk is private": private_jwk_inside,
    "D-7 jwk off the curve": off_the_curve,
    "D-7 RSA of 1024 bits": by(public_jwk(SHORT_RSA), "PS256", pss(SHORT_RSA)),
    "D-7 Ed448": by(public_jwk(ED448), "EdDSA", edwards(ED448)),
    "D-7 a point of small order": by(SMALL_ORDER, "EdDSA", nothing),
    "D-7 kid alone": headed(jwk=None, kid="client"),
    "D-8 signature empty": lambda *given: proof(*given).rpartition(".")[0] + ".",
    "D-8 signature of garbage": by(public_jwk(K256), "ES256", garbage),
    "D-8 crit": headed(crit=["b64"], b64=True),
    "D-9 htm GET": claiming(htm="GET"),
    "D-9 htm in small letters": claiming(htm="post"),
    "D-9 htm missing": claiming(htm=None),
    "D-9 htm is a list": claiming(htm=["POST"]),
    "D-9 htm twice": doubled,
    "D-10 htu missing": claiming(htu=None),
    "D-10 htu is a list": urled(lambda base, path: [base + path]),
    "D-10 another host": urled(lambda _, path: "http://evil.example" + path),
    "D-10 the gateway's host as a prefix": urled(lambda base, path: base + ".evil.example" + path),
    "D-10 another scheme": urled(lambda base, path: base.replace("http", "https") + path),
    "D-10 another port": urled(lambda base, path: base[:-1] + path),
    "D-10 userinfo": urled(lambda base, path: base.replace("//", "//a:b@") + path),
    "D-10 another path": urled(lambda base, path: base + path + "x"),
    "D-10 a trailing slash": urled(lambda base, path: base + path + "/"),
    "D-10 no path": urled(lambda base, _: base),
    "D-10 dot segments": urled(lambda base, path: base + "/x/.." + path),
    "D-10 two slashes": urled(lambda base, path: base + "/" + path),
    "D-10 percent-encoding": urled(lambda base, path: base + path.replace("e", "%65")),
    "D-10 capitals in the path": urled(lambda base, path: base + path.upper()),
    "D-10 the path alone": urled(lambda _, path: path),
    "D-10 a space at the end": urled(lambda base, path: base + path + " "),
    "D-10 a line break": urled(lambda base, path: base + path + "\n"),
    "D-10 empty": claiming(htu=""),
    "D-12 an hour ago": timed(-3600),
    "D-12 ahead by an hour": timed(3600),
    "D-12 61 seconds ago": timed(-62),
    "D-19 made for later": timed(30),
    "D-12 iat missing": claiming(iat=None),
    "D-12 iat is a fraction": claiming(iat=time.time()),
    "D-12 iat is true": claiming(iat=True),
    "D-12 iat is a text": lambda *given: proof(*given, None, iat=str(int(time.time()))),
    "D-13 jti missing": claiming(jti=None),
    "D-13 jti empty": claiming(jti=""),
    "D-13 jti is a number": claiming(jti=7),
    "D-13 jti of 129 characters": claiming(jti="j" * 129),
}
AT_THE_API = {
    "D-14 ath missing": claiming(ath=None),
    "D-14 ath of another token": claiming(ath=hashed("another token")),
    "D-14 ath is the token": lambda agency, path, token: proof(agency, path, token, ath=token),
    "D-14 ath is a number": claiming(ath=7),
    "D-21 a proof for the token endpoint": lambda agency, _, token: proof(agency, TOKEN, token),
}


def asked(agency: Agency, dpop: str, *, body: bytes = b"{}") -> Answer:
    """Ask for an exchange with this proof."""
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"DPoP {agency.token}",
        "DPoP": dpop,
    }
    return agency.request("POST", API, body, headers)


def at_the_token_endpoint(agency: Agency, dpop: str | None) -> Answer:
    from urllib.parse import urlencode

    from tests.agency import ASSERTION

    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": agency.assertion(),
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if dpop is not None:
        headers["DPoP"] = dpop
    return agency.request("POST", TOKEN, urlencode(form).encode(), headers)


@pytest.fixture(scope="module")
def agency(country: RunningCountry) -> Agency:
    return country.agency()


@pytest.mark.parametrize("prove", (BAD | AT_THE_API).values(), ids=BAD | AT_THE_API)
def test_a_wrong_proof_opens_no_exchange(
    country: RunningCountry, agency: Agency, prove: Prove
) -> None:
    with nothing_written(country):
        answer = asked(agency, prove(agency, API, agency.token))
    assert (answer.status, answer.reason) == (401, "dpop.invalid")
    assert answer.headers["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')


@pytest.mark.parametrize("prove", BAD.values(), ids=BAD)
def test_a_wrong_proof_binds_no_token(
    country: RunningCountry, agency: Agency, prove: Prove
) -> None:
    with nothing_written(country):
        answer = at_the_token_endpoint(agency, prove(agency, TOKEN, None))
    assert (answer.status, answer.json["error"]) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize("none", [None, ""], ids=["no header", "an empty header"])
def test_without_a_proof_there_is_nothing(
    country: RunningCountry, agency: Agency, none: str | None
) -> None:
    """D-1."""
    headers = {"Content-Type": "application/json", "Authorization": f"DPoP {agency.token}"}
    if none is not None:
        headers["DPoP"] = none
    with nothing_written(country):
        answer = agency.request("POST", API, b"{}", headers)
        bare = at_the_token_endpoint(agency, none)
    assert (answer.status, answer.reason) == (401, "dpop.missing")
    assert (bare.status, bare.json["error"]) == (400, "invalid_dpop_proof")


SPELLINGS: dict[str, Prove] = {
    "D-10 scheme and host in capitals": urled(lambda b, p: b.replace("http", "HTTP") + p),
    "D-10 a query is not part of it": urled(lambda b, p: b + p + "?a=b"),
    "D-10 a fragment is not part of it": urled(lambda b, p: b + p + "#a"),
    "D-12 ten seconds ago": timed(-10),
    "D-12 40 seconds ago": timed(-40),
    "D-12 eight seconds ahead": timed(8),
    "D-17 unknown header members": headed(nonsense={"a": [1]}, kid="k", jku="http://evil.example"),
    "D-17 unknown claims": claiming(nonsense=1, nonce="forged"),
}


@pytest.mark.parametrize("prove", SPELLINGS.values(), ids=SPELLINGS)
def test_what_the_rfc_allows_is_accepted(agency: Agency, prove: Prove) -> None:
    answer = asked(agency, prove(agency, API, agency.token))
    assert (answer.status, answer.reason) == (400, "request.malformed")  # past the proof


@pytest.mark.parametrize(
    ("jwk", "alg", "sign"),
    [
        (public_jwk(RSA), "PS256", pss(RSA)),
        *(
            (public_jwk(key), alg, edwards(key))
            for key in [ed25519.Ed25519PrivateKey.generate()]
            for alg in ("EdDSA", "Ed25519")
        ),
    ],
    ids=["PS256", "EdDSA", "Ed25519"],
)
def test_a_right_proof_by_another_key_than_the_tokens_is_refused(
    country: RunningCountry, agency: Agency, jwk: dict, alg: str, sign: Callable[[bytes], bytes]
) -> None:
    """D-15: the proof is fine, a token could be bound to its key; this one is not."""
    prove = by(jwk, alg, sign)
    assert at_the_token_endpoint(agency, prove(agency, TOKEN, None)).status == 200
    with nothing_written(country):
        answer = asked(agency, prove(agency, API, agency.token))
    assert (answer.status, answer.reason) == (401, "dpop.invalid")


def test_a_stolen_token_is_worth_nothing(country: RunningCountry) -> None:
    """D-15: another registered client, with its own right key, cannot use it either."""
    agency, thief = country.agency(), country.agency("child-maintenance")
    thief.held = agency.token
    resident = standing(country)
    with nothing_written(country):
        answer = thief.exchange(resident.number, RESIDENTS, ["/name/family"])
    assert (answer.status, answer.reason) == (401, "dpop.invalid")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Basic", "MAC", ""])
def test_a_bound_token_is_no_bearer_token(
    country: RunningCountry, agency: Agency, scheme: str
) -> None:
    """D-16: with and without a proof beside it."""
    for beside in ({}, {"DPoP": agency.proof("POST", API, agency.token)}):
        headers = {"Content-Type": "application/json", **beside}
        headers["Authorization"] = f"{scheme} {agency.token}".strip()
        with nothing_written(country):
            answer = agency.request("POST", API, b"{}", headers)
        assert (answer.status, answer.reason) == (401, "token.invalid")


@pytest.mark.parametrize("scheme", ["dpop", "DPOP", "dPoP", "DPoP "])
def test_the_scheme_may_be_spelled_in_any_letters(agency: Agency, scheme: str) -> None:
    """D-22, RFC 9110 §11.1; and one space more does no harm."""
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"{scheme} {agency.token}",
        "DPoP": agency.proof("POST", API, agency.token),
    }
    answer = agency.request("POST", API, b"{}", headers)
    assert (answer.status, answer.reason) == (400, "request.malformed")


def lines(agency: Agency, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        ("Host", "gateway"),
        ("Connection", "close"),
        ("Content-Type", "application/json"),
        ("Content-Length", "2"),
        *more,
    ]


def raw(agency: Agency, *more: tuple[str, str]) -> Answer:
    return send(agency.gateway, request("POST", API, lines(agency, *more), b"{}")).last


@pytest.mark.parametrize("second", ["another", "the same", "empty", "garbage"])
@pytest.mark.parametrize("first", [True, False], ids=["right first", "right last"])
@pytest.mark.parametrize("name", ["DPoP", "dpop", "DPOP"])
def test_two_proofs_are_one_too_many(
    country: RunningCountry, agency: Agency, second: str, first: bool, name: str
) -> None:
    """D-3, R9: as two header lines, whichever of them is right."""
    right = agency.proof("POST", API, agency.token)
    other = {
        "another": agency.proof("POST", API, agency.token),
        "the same": right,
        "empty": "",
        "garbage": "x",
    }[second]
    pair = [("DPoP", right), (name, other)]
    with nothing_written(country):
        answer = raw(
            agency, ("Authorization", f"DPoP {agency.token}"), *(pair if first else pair[::-1])
        )
    assert (answer.status, answer.reason) == (401, "dpop.invalid")


@pytest.mark.parametrize("joint", [",", ", ", " ", ";"])
def test_joined_proofs_are_refused(agency: Agency, joint: str) -> None:
    """D-3."""
    proofs = joint.join(agency.proof("POST", API, agency.token) for _ in range(2))
    answer = raw(agency, ("Authorization", f"DPoP {agency.token}"), ("DPoP", proofs))
    assert (answer.status, answer.reason) == (401, "dpop.invalid")


@pytest.mark.parametrize(
    "others", [["Bearer x"], ["DPoP x"], [""], ["Basic YTpi", "Bearer x"]], ids=str
)
@pytest.mark.parametrize("first", [True, False], ids=["right first", "right last"])
def test_two_authorizations_are_one_too_many(
    country: RunningCountry, agency: Agency, others: list[str], first: bool
) -> None:
    """R9."""
    values = [f"DPoP {agency.token}", *others]
    pairs = [("Authorization", value) for value in (values if first else values[::-1])]
    with nothing_written(country):
        answer = raw(agency, *pairs, ("DPoP", agency.proof("POST", API, agency.token)))
    assert (answer.status, answer.reason) == (401, "token.invalid")


def test_headers_count_in_any_letters(country: RunningCountry, agency: Agency) -> None:
    answer = raw(
        agency,
        ("aUTHORIZATION", f"DPoP {agency.token}"),
        ("dPOP", agency.proof("POST", API, agency.token)),
    )
    assert (answer.status, answer.reason) == (400, "request.malformed")


def test_the_host_header_decides_nothing(country: RunningCountry, agency: Agency) -> None:
    """D-10: a proof for the host that the sender names is worth nothing."""
    made = agency.proof("POST", API, agency.token, htu=f"http://evil.example{API}")
    for name in ("Host", "X-Forwarded-Host", "Forwarded", "X-Original-URL"):
        value = "host=evil.example" if name == "Forwarded" else "evil.example"
        heads = [one for one in lines(agency) if one[0] != name]
        heads += [(name, value), ("Authorization", f"DPoP {agency.token}"), ("DPoP", made)]
        answer = send(agency.gateway, request("POST", API, heads, b"{}")).last
        assert (answer.status, answer.reason) == (401, "dpop.invalid")


def test_a_proof_that_failed_for_another_reason_is_still_worth_one_use(
    country: RunningCountry, agency: Agency
) -> None:
    """D-13: a stranger who saw a proof cannot use it up without the token that it is for."""
    made = agency.proof("POST", API, agency.token)
    headers = {"Content-Type": "application/json", "Authorization": "DPoP x.y.z", "DPoP": made}
    assert agency.request("POST", API, b"{}", headers).reason == "token.invalid"
    resident = country.resident()
    body = {
        "agreement": "family-allowance",
        "service": RESIDENTS,
        "subject": {"scheme": "resident-number", "value": resident.number},
        "fields": ["/name/family"],
    }
    with written(country, "exchange.refusal"):
        answer = asked(agency, made, body=json.dumps(body).encode())
    assert answer.reason == "subject.not_released"
