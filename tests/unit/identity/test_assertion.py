import json
from typing import Any, Never

import pytest
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from crypto import base64url
from crypto.jose import take_apart
from crypto.jwk import BadKey
from identity.assertion import NotAuthenticated, select
from identity.model import Client
from kernel.errors import Reason, Refusal
from kernel.names import ClientId
from tests.unit.crypto.forge import forged, jwk
from tests.unit.identity.parts import START, URL, Agency, World


def check(world: World, text: str, client_id: str | None = None) -> Client:
    return world.checks.assertions.check(text, client_id)


def refused(world: World, text: str, client_id: str | None = None) -> None:
    with pytest.raises(NotAuthenticated):
        check(world, text, client_id)


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", ECKey.generate_key("P-256")),
        ("PS256", RSAKey.generate_key(2048)),
        ("EdDSA", OKPKey.generate_key("Ed25519")),
        ("Ed25519", OKPKey.generate_key("Ed25519")),
    ],
)
def test_a_client_proves_itself_by_each_algorithm(world: World, alg: str, key: Key) -> None:
    agency = world.join(Agency(world.clock, id=f"agency-{alg}", key=key, alg=alg))
    assert check(world, agency.assertion()).id == agency.id
    assert check(world, agency.assertion(), agency.id).id == agency.id
    assert check(world, agency.assertion({"kid": None})).id == agency.id


def test_t1_t2_no_signature_or_one_by_a_public_secret(world: World) -> None:
    _, payload, _ = world.agency.assertion().split(".")
    claims = json.loads(base64url.decode(payload))
    for alg in ("none", "None", "NONE"):
        refused(world, forged({"alg": alg}, claims, None))
    for secret in (
        world.agency.key.as_pem(private=False),
        json.dumps(jwk(world.agency.key)).encode(),
    ):
        refused(world, forged({"alg": "HS256"}, claims, OctKey(secret, secret)))


@pytest.mark.parametrize("alg", ["RS256", "PS384", "PS512"])
def test_t3_other_rsa_algorithms(world: World, alg: str) -> None:
    agency = world.join(Agency(world.clock, id="rsa", key=RSAKey.generate_key(2048), alg=alg))
    refused(world, agency.assertion())


def test_t4_t5_keys_that_the_assertion_brings_along_are_not_used(world: World) -> None:
    foreign = Agency(world.clock)
    refused(world, foreign.assertion({"jwk": jwk(foreign.key)}))
    refused(world, foreign.assertion({"jku": "https://evil.example/jwks"}))
    refused(world, foreign.assertion({"x5u": "https://evil.example/c", "x5c": ["AAAA"]}))


@pytest.mark.parametrize("kid", ["other-sig", "", "../../etc/passwd", "' OR 1=1 --", "k" * 1000])
def test_t6_an_unknown_kid(world: World, kid: Any) -> None:
    refused(world, world.agency.assertion({"kid": kid}))


def test_t7_the_kid_and_key_of_another_client(world: World) -> None:
    other = world.join(Agency(world.clock, id="other"))
    refused(world, other.assertion(iss="family-benefits", sub="family-benefits"))
    refused(world, world.agency.assertion({"kid": "other-sig"}))


def test_t8_a_sealing_key_signs_nothing(world: World) -> None:
    agency = Agency(world.clock, id="both", seal=ECKey.generate_key("P-256"))
    world.join(agency)
    text = Agency(world.clock, id="both", key=agency.seal).assertion({"kid": "both-enc"})
    refused(world, text)
    refused(world, Agency(world.clock, id="both", key=agency.seal).assertion({"kid": None}))


def test_t9_without_kid_only_where_one_key_fits(world: World) -> None:
    one, two = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    jwks = {"keys": [jwk(one, use="sig", kid="1"), jwk(two, use="sig", kid="2")]}
    with pytest.raises(ValueError, match="one signing key"):
        select(json.dumps(jwks), take_apart(forged({"alg": "ES256"}, {}, one), 9999))
    found = select(
        json.dumps(jwks), take_apart(forged({"alg": "ES256", "kid": "2"}, {}, two), 9999)
    )
    assert found.kid == "2"
    with pytest.raises(ValueError, match="cannot be read"):
        select("{", take_apart(forged({"alg": "ES256"}, {}, one), 9999))
    assert issubclass(BadKey, ValueError)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "other"},
        {"sub": "other"},
        {"iss": None},
        {"sub": None},
        {"sub": ["family-benefits"], "iss": ["family-benefits"]},
        {"sub": 7, "iss": 7},
        {"sub": "", "iss": ""},
        {"sub": "x" * 4000, "iss": "x" * 4000},
        {"sub": "nobody", "iss": "nobody"},
    ],
)
def test_t10_issuer_and_subject_that_are_not_the_client(world: World, claims: Any) -> None:
    refused(world, world.agency.assertion(**claims))


def test_t10_another_client_id_in_the_form(world: World) -> None:
    for client_id in ("other", "", "Family-Benefits", "family-benefits "):
        refused(world, world.agency.assertion(), client_id)


@pytest.mark.parametrize(
    "aud",
    [
        [URL],
        [URL, "https://other.example"],
        "https://other.example/oauth2/token",
        f"{URL}/oauth2/token",
        f"{URL}/",
        URL.upper(),
        7,
        {},
        True,
        "",
        None,
    ],
)
def test_t11_an_audience_that_is_not_exactly_the_issuer(world: World, aud: Any) -> None:
    refused(world, world.agency.assertion(aud=aud))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": START + 10**9},
        {"exp": START + 301},
        {"exp": START},
        {"exp": START - 1},
        {"exp": None},
        {"exp": float(START + 60)},
        {"exp": str(START + 60)},
        {"exp": True},
        {"exp": 2**60},
        {"iat": START - 400, "exp": START + 1},
    ],
)
def test_t12_an_expiry_that_is_not_soon(world: World, claims: Any) -> None:
    refused(world, world.agency.assertion(**claims))


@pytest.mark.parametrize("shift", [8, 10])
def test_t13_a_clock_a_little_ahead(world: World, shift: Any) -> None:
    check(world, world.agency.assertion(iat=START + shift, nbf=START + shift))


@pytest.mark.parametrize(
    "claims",
    [
        {"iat": START + 61},
        {"iat": START + 11},
        {"nbf": START + 61},
        {"nbf": "soon"},
        {"nbf": True},
        {"iat": None},
        {"iat": True},
        {"iat": float(START)},
        {"iat": START - 301, "exp": START + 10},
    ],
)
def test_t13_a_clock_far_ahead_or_no_time_at_all(world: World, claims: Any) -> None:
    refused(world, world.agency.assertion(**claims))


def test_t14_an_assertion_counts_once(world: World) -> None:
    text = world.agency.assertion()
    check(world, text)
    refused(world, text)
    refused(
        world, world.agency.assertion(jti=json.loads(base64url.decode(text.split(".")[1]))["jti"])
    )


def test_t14_an_assertion_counts_once_until_it_has_expired(world: World) -> None:
    text = world.agency.assertion(exp=START + 300)
    check(world, text)
    world.clock.seconds += 299
    refused(world, text)
    world.clock.seconds += 100
    refused(world, text)


def test_t14_a_failed_assertion_uses_nothing_up(world: World) -> None:
    refused(world, world.agency.assertion(jti="once", aud="x"))
    check(world, world.agency.assertion(jti="once"))


def test_t14_a_store_that_fails_proves_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Never:
        raise Refusal(Reason.STATE_UNAVAILABLE, "away")

    monkeypatch.setattr(world.replay, "claim", fails)
    with pytest.raises(Refusal):
        check(world, world.agency.assertion())


@pytest.mark.parametrize("jti", [None, "", 7, ["a"], "j" * 129, "j" * 7000, "j" * 10**6])
def test_t15_t16_a_bad_jti(world: World, jti: Any) -> None:
    refused(world, world.agency.assertion(jti=jti))


@pytest.mark.parametrize("typ", ["dpop+jwt", "at+jwt", "secevent+jwt", 7, ["JWT"]])
def test_t21_a_token_of_another_type(world: World, typ: Any) -> None:
    refused(world, world.agency.assertion({"typ": typ}))


@pytest.mark.parametrize("typ", ["JWT", "client-authentication+jwt", None])
def test_a_usual_type_is_accepted(world: World, typ: Any) -> None:
    check(world, world.agency.assertion({"typ": typ}))


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 40_000 + b"]" * 40_000,
        b'{"iss":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"iss":"a","iss":"family-benefits"}',
        b'{"iat":1' + b"0" * 4000 + b"}",
        b'{"iss":"\\ud800"}',
        b'\xef\xbb\xbf{"iss":"a"}',
        b'{"iss":"\xff"}',
        b"null",
        b"",
    ],
)
def test_t22_json_made_to_break_a_parser(world: World, payload: Any) -> None:
    header = {"alg": "ES256", "kid": "family-benefits-sig"}
    refused(world, forged(header, payload, world.agency.key))


def test_t22_unknown_header_members_are_ignored_and_crit_is_refused(world: World) -> None:
    check(world, world.agency.assertion({"x": {"y": 1}}, extra=1))
    refused(world, world.agency.assertion({"crit": ["x"], "x": 1}))


def test_t29_a_disabled_client(world: World) -> None:
    world.clients.disable(ClientId("family-benefits"))
    refused(world, world.agency.assertion())


def test_an_assertion_of_anybody_else_leaves_no_trace_in_the_store(world: World) -> None:
    for text in (world.agency.assertion(iss="x", sub="x"), Agency(world.clock).assertion()):
        refused(world, text)
    (rows,) = world.store._connection.execute("SELECT count(*) FROM seen").fetchone()
    assert rows == 0
