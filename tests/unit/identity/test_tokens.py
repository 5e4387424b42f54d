import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from crypto import base64url, rotation
from crypto.jose import SigningKey
from crypto.keys import KeyRing
from identity.model import Scope
from identity.tokens import Tokens
from kernel.errors import Reason, Refusal
from kernel.names import ClientId
from tests.unit.crypto.forge import forged
from tests.unit.identity.parts import CHANCE, START, URL, World


def refused(world: World, text: str, reason: Reason = Reason.TOKEN_INVALID) -> None:
    with pytest.raises(Refusal) as caught:
        world.tokens.verify(text)
    assert caught.value.reason is reason


def test_a_token_says_what_rfc_9068_asks_and_nothing_about_a_person(world: World) -> None:
    head, payload, _ = world.token().split(".")
    assert json.loads(base64url.decode(head)) == {
        "alg": "ES256",
        "kid": world.ring.token.kid,
        "typ": "at+jwt",
    }
    claims = json.loads(base64url.decode(payload))
    assert claims.pop("jti").startswith("at_")
    assert claims == {
        "iss": URL,
        "sub": "family-benefits",
        "client_id": "family-benefits",
        "aud": URL,
        "iat": START,
        "exp": START + 300,
        "scope": "audit.entries consent.request directory.read exchange.request",
        "agency": "family-benefits",
        "cnf": {"jkt": world.agency.jkt()},
    }


def test_a_verified_token_says_who_may_do_what_with_which_key(world: World) -> None:
    token = world.tokens.verify(world.token(None, Scope.EXCHANGE_REQUEST))
    assert token.client_id == "family-benefits"
    assert token.scopes == {Scope.EXCHANGE_REQUEST}
    assert token.jkt == world.agency.jkt()


@pytest.mark.parametrize("shift", [0, 1, 3600])
def test_r3_an_expired_token(world: World, shift: Any) -> None:
    text = world.token()
    world.clock.seconds += 300 + shift
    refused(world, text, Reason.TOKEN_EXPIRED)


def test_r3_the_last_second_of_a_token(world: World) -> None:
    text = world.token()
    world.clock.seconds += 299
    world.tokens.verify(text)


@pytest.mark.parametrize(
    "claims",
    [
        {"iat": START + 11, "exp": START + 300},
        {"exp": START + 10**6},
        {"iat": None},
        {"exp": None},
        {"exp": float(START + 60)},
        {"exp": str(START + 60)},
        {"exp": True},
        {"iat": [START]},
    ],
)
def test_r3_a_token_with_strange_times(world: World, claims: Any) -> None:
    refused(world, world.own_token(**claims))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example"},
        {"aud": [URL]},
        {"aud": [URL, "https://other.example"]},
        {"aud": None},
        {"aud": 7},
        {"aud": {}},
        {"iss": "https://other.example"},
        {"iss": f"{URL}/"},
        {"iss": [URL]},
        {"iss": None},
    ],
)
def test_r2_a_token_of_another_issuer_or_audience(world: World, claims: Any) -> None:
    refused(world, world.own_token(**claims))


@pytest.mark.parametrize("scope", [7, {}, None, ["exchange.request"], "root", "a  b", " ", True])
def test_r8_a_scope_of_a_wrong_type(world: World, scope: Any) -> None:
    refused(world, world.own_token(scope=scope))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "other"},
        {"sub": None},
        {"sub": ["family-benefits"]},
        {"client_id": None},
        {"client_id": {}},
        {"agency": None},
        {"agency": 7},
        {"cnf": None},
        {"cnf": {}},
        {"cnf": "x"},
        {"cnf": {"jkt": 7}},
        {"cnf": {"jkt": "short"}},
        {"cnf": {"x5t#S256": "A" * 43}},
        {"cnf": {"jkt": "A" * 43, "x5t#S256": "A" * 43}},
    ],
)
def test_a_token_with_a_claim_missing_or_of_a_wrong_type(world: World, claims: Any) -> None:
    refused(world, world.own_token(**claims))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "AT+JWT", "application/at+jwt", None, 7, "dpop+jwt"])
def test_a_token_of_another_typ(world: World, typ: Any) -> None:
    refused(world, world.own_token({"typ": typ}))


@pytest.mark.parametrize("kid", ["other", "", None, "family-benefits-sig"])
def test_a_token_under_another_kid(world: World, kid: Any) -> None:
    refused(world, world.own_token({"kid": kid}))


def test_a_token_by_another_key_or_algorithm(world: World) -> None:
    head, payload, _ = world.token().split(".")
    header, claims = (json.loads(base64url.decode(part)) for part in (head, payload))
    refused(world, forged(header, claims, ECKey.generate_key("P-256")))
    refused(world, forged({**header, "alg": "none"}, claims, None))
    public = json.dumps(world.ring.token.public_jwk()).encode()
    refused(world, forged({**header, "alg": "HS256"}, claims, OctKey(public, public)))
    refused(world, forged({**header, "crit": ["exp"]}, claims, world.ring.token.jose))


def test_a_receipt_or_an_assertion_is_no_token(world: World) -> None:
    refused(world, world.agency.assertion())
    refused(world, world.agency.proof())


@pytest.mark.parametrize("text", ["", "x", "..", "a.b.c", "A" * 5000, "é.é.é", "null"])
def test_a_text_that_is_no_token(world: World, text: str) -> None:
    refused(world, text)


def test_nested_and_duplicate_claims(world: World) -> None:
    header = {"alg": "ES256", "kid": world.ring.token.kid, "typ": "at+jwt"}
    for payload in (b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", b'{"iss":"a","iss":"b"}', b"[]"):
        refused(world, forged(header, payload, world.ring.token.jose))


def test_a_token_of_another_deployment_with_the_same_names_is_refused(
    world: World, tmp_path: Path
) -> None:
    key = ECKey.generate_key("P-256")
    other = Tokens(URL, URL, SigningKey(world.ring.token.kid, "ES256", key), world.clock, CHANCE)
    client = world.find(ClientId("family-benefits"))
    refused(world, other.issue(client, client.scopes, world.agency.jkt()))


def reopened(world: World) -> Tokens:
    """Return the tokens of a worker that starts now."""
    ring = KeyRing.open(world.ring.directory, CHANCE, world.clock)
    return Tokens(URL, URL, ring.token, world.clock, CHANCE, ring.beside["token"])


def issued(world: World, tokens: Tokens) -> str:
    client = world.find(ClientId(world.agency.id))
    assert client is not None
    return tokens.issue(client, client.scopes, world.agency.jkt())


def test_other_workers_may_sign_with_the_next_key_already(world: World) -> None:
    following = rotation.make_next(world.ring, "token", None, CHANCE, world.clock.now())
    before = reopened(world)
    rotation.promote(world.ring, "token", None, CHANCE, world.clock.now())
    after = reopened(world)
    text = issued(world, after)
    assert json.loads(base64url.decode(text.partition(".")[0]))["kid"] == following.kid
    assert before.verify(text).client_id == "family-benefits"


def test_what_a_retired_key_signed_is_believed_for_a_day(world: World) -> None:
    rotation.make_next(world.ring, "token", None, CHANCE, world.clock.now())
    old = reopened(world)
    rotation.promote(world.ring, "token", None, CHANCE, world.clock.now())
    new = reopened(world)
    world.clock.seconds += 24 * 60 * 60
    assert new.verify(issued(world, old)).client_id == "family-benefits"
    world.clock.seconds += 1
    with pytest.raises(Refusal) as caught:
        new.verify(issued(world, old))
    assert caught.value.reason is Reason.TOKEN_INVALID


def test_what_a_stolen_key_signs_is_not_believed(world: World) -> None:
    rotation.make_next(world.ring, "token", None, CHANCE, world.clock.now())
    old = reopened(world)
    rotation.promote(world.ring, "token", None, CHANCE, world.clock.now(), keep=False)
    with pytest.raises(Refusal) as caught:
        reopened(world).verify(issued(world, old))
    assert caught.value.reason is Reason.TOKEN_INVALID
