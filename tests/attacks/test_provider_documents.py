"""What a provider says of itself, over real HTTP: only the one that was configured, only safely."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc.jwk import ECKey

from crypto.jose import BadToken, take_apart
from identity.oidc_http import fetch, trusted
from identity.oidc_kept import AFTER_FAILURE, KEEP, NOT_BEFORE
from identity.oidc_provider import MAX_KEYS, Provider
from kernel.errors import Reason, Refusal
from tests.attacks.evil_provider import EC, ED, RSA, STRANGER, Evil, Raw, evil_provider
from tests.unit.crypto.forge import jwk
from tests.unit.identity.parts import SetClock

WELL_KNOWN = "/.well-known/openid-configuration"
ALLOWED = frozenset({"ES256", "PS256", "EdDSA", "Ed25519"})


@pytest.fixture
def evil() -> Iterator[Evil]:
    with evil_provider() as started:
        yield started


def unavailable(provider: Provider) -> None:
    with pytest.raises(Refusal) as refused:
        provider.metadata()
    assert refused.value.reason is Reason.SIGNIN_UNAVAILABLE


def test_an_honest_document_is_read_once_and_believed_for_a_while(evil: Evil) -> None:
    clock = SetClock()
    provider = Provider(evil.issuer, clock)
    for _ in range(3):
        assert provider.metadata().token_endpoint == f"{evil.issuer}/token"
    assert evil.count(WELL_KNOWN) == 1
    clock.seconds += KEEP
    provider.metadata()
    assert evil.count(WELL_KNOWN) == 2


EVIL_DOCUMENTS: dict[str, dict[str, Any]] = {
    "another issuer": {"issuer": "https://login.example"},
    "the issuer with a slash": {"issuer": "+/"},
    "no issuer": {"issuer": None},
    "a token endpoint in the open": {"token_endpoint": "http://login.example/token"},
    "no token endpoint": {"token_endpoint": None},
    "a token endpoint that is a list": {"token_endpoint": ["https://login.example/token"]},
    "an authorization endpoint that is a script": {"authorization_endpoint": "javascript:alert(1)"},
    "an authorization endpoint with a user": {"authorization_endpoint": "https://a@b.example/x"},
    "an authorization endpoint with a fragment": {
        "authorization_endpoint": "https://b.example/x#y"
    },
    "keys in a file": {"jwks_uri": "file:///etc/passwd"},
    "keys at another machine in the open": {"jwks_uri": "http://10.0.0.1/jwks"},
    "an end in the open": {"end_session_endpoint": "http://login.example/end"},
    "an end that is a number": {"end_session_endpoint": 7},
    "no code flow": {"response_types_supported": ["token"]},
    "PKCE without S256": {"code_challenge_methods_supported": ["plain"]},
    "a client secret alone": {"token_endpoint_auth_methods_supported": ["client_secret_basic"]},
    "a line break in an address": {"token_endpoint": "https://login.example/\r\ntoken"},
}


@pytest.mark.parametrize("name", EVIL_DOCUMENTS)
def test_a_document_that_says_something_wrong_is_not_used(evil: Evil, name: str) -> None:
    changed = EVIL_DOCUMENTS[name]
    evil.document = {
        member: evil.issuer + "/" if value == "+/" else value for member, value in changed.items()
    }
    unavailable(Provider(evil.issuer, SetClock()))


@pytest.mark.parametrize(
    "raw",
    [
        Raw(302, b"", {"Location": "/elsewhere"}),
        Raw(307, b"", {"Location": "/elsewhere"}),
        Raw(404),
        Raw(500),
        Raw(200, b"{}"),
        Raw(200, b"[]"),
        Raw(200, b'{"issuer": "a", "issuer": "b"}'),
        Raw(200, b"{" * 400),
        Raw(200, b'{"a": "' + b"x" * 200_000 + b'"}'),
        Raw(200, b"{}", {"Content-Type": "text/html"}),
        Raw(200, b"{}", {"X-Long": "x" * 40_000, "Content-Type": "application/json"}),
    ],
    ids=lambda raw: f"{raw.status} {raw.body[:16]!r} {[*raw.headers][:1]}",
)
def test_an_answer_that_is_no_document_is_not_used(evil: Evil, raw: Raw) -> None:
    evil.raw[WELL_KNOWN] = raw
    evil.raw["/elsewhere"] = Raw(200, b"{}")
    unavailable(Provider(evil.issuer, SetClock()))
    assert evil.count("/elsewhere") == 0


def test_a_document_that_drips_is_given_up_though_it_is_honest(evil: Evil) -> None:
    honest = json.dumps(evil.metadata()).encode()
    evil.raw[WELL_KNOWN] = Raw(200, honest, drip=0.05)
    unavailable(Provider(evil.issuer, SetClock()))


def test_a_provider_that_is_not_there_is_unavailable() -> None:
    with evil_provider() as gone:
        issuer = gone.issuer
    unavailable(Provider(issuer, SetClock()))


@pytest.mark.parametrize(
    "issuer", ["http://login.example", "ftp://127.0.0.1", "https://", "https://a@login.example", ""]
)
def test_an_issuer_in_the_open_is_never_asked(issuer: str) -> None:
    def asked(url: str) -> Any:
        raise AssertionError(url)

    unavailable(Provider(issuer, SetClock(), asked))


def test_while_a_provider_fails_it_is_asked_now_and_then_only(evil: Evil) -> None:
    clock = SetClock()
    provider = Provider(evil.issuer, clock)
    evil.raw[WELL_KNOWN] = Raw(500)
    for _ in range(20):
        unavailable(provider)
    assert evil.count(WELL_KNOWN) == 1
    evil.reset()
    clock.seconds += AFTER_FAILURE
    assert provider.metadata().issuer == evil.issuer


@pytest.mark.parametrize(
    ("url", "beside", "is_trusted"),
    [
        ("https://login.example/a", "", True),
        ("http://127.0.0.1:1/a", "http://127.0.0.1:1", True),
        ("http://[::1]:1/a", "", True),
        ("http://localhost/a", "", True),
        ("http://127.0.0.1/a", "https://login.example", False),
        ("http://127.0.0.1.evil.example/a", "", False),
        ("http://127.1/a", "", False),
        ("http://2130706433/a", "", False),
        ("http://login.example/a", "", False),
        ("https://login.example\\@evil.example/", "", False),
        ("https://login.example:port/", "", False),
        ("https://[::1/", "", False),
        ("https://löwe.example/", "", False),
        ("https://a b.example/", "", False),
        ("//login.example/a", "", False),
        ("https:/" + "a" * 3000, "", False),
    ],
)
def test_only_https_or_this_machine_is_spoken_to(url: str, beside: str, is_trusted: bool) -> None:
    assert trusted(url, beside=beside) is is_trusted


def signed(evil: Evil, key: Any, **header: Any) -> Any:
    evil.key, evil.header = key, header
    return take_apart(evil.id_token(), 16_384)


def refused_by(provider: Provider, jws: Any) -> None:
    with pytest.raises(BadToken):
        provider.verify(jws, ALLOWED)


def test_a_key_without_a_name_serves_only_where_one_fits(evil: Evil) -> None:
    evil.keys = [jwk(EC, use="sig"), jwk(ED, use="sig")]
    Provider(evil.issuer, SetClock()).verify(signed(evil, EC, kid=None), ALLOWED)
    evil.keys = [jwk(EC, use="sig"), jwk(STRANGER, use="sig")]
    refused_by(Provider(evil.issuer, SetClock()), signed(evil, EC, kid=None))


def test_two_keys_of_one_name_are_one_too_many(evil: Evil) -> None:
    evil.keys = [jwk(EC, kid="ec", use="sig"), jwk(STRANGER, kid="ec", use="sig")]
    refused_by(Provider(evil.issuer, SetClock()), signed(evil, EC))


def test_a_key_that_is_for_sealing_signs_nothing(evil: Evil) -> None:
    evil.keys = [jwk(EC, kid="ec", use="enc")]
    refused_by(Provider(evil.issuer, SetClock()), signed(evil, EC))


def test_a_key_that_names_its_algorithm_has_no_other(evil: Evil) -> None:
    evil.keys = [jwk(RSA, kid="rsa", use="sig", alg="RS256")]
    refused_by(Provider(evil.issuer, SetClock()), signed(evil, RSA, alg="PS256", kid="rsa"))


def test_rs256_serves_where_the_configuration_allows_it_and_nowhere_else(evil: Evil) -> None:
    evil.keys = [jwk(RSA, kid="rsa", use="sig", alg="RS256")]
    provider, jws = Provider(evil.issuer, SetClock()), signed(evil, RSA, alg="RS256", kid="rsa")
    refused_by(provider, jws)
    provider.verify(jws, ALLOWED | {"RS256"})


def test_the_other_names_an_algorithm_of_an_ed25519_key(evil: Evil) -> None:
    evil.keys = [jwk(ED, kid="ed", use="sig", alg="EdDSA")]
    Provider(evil.issuer, SetClock()).verify(signed(evil, ED, alg="Ed25519", kid="ed"), ALLOWED)


def test_a_new_key_is_looked_for_once_a_minute(evil: Evil) -> None:
    clock = SetClock()
    provider = Provider(evil.issuer, clock)
    provider.verify(signed(evil, EC), ALLOWED)
    evil.keys = [jwk(STRANGER, kid="new", use="sig")]
    new = signed(evil, STRANGER, kid="new")
    for _ in range(5):
        refused_by(provider, new)
    assert evil.count("/jwks") == 1
    clock.seconds += NOT_BEFORE
    provider.verify(new, ALLOWED)
    assert evil.count("/jwks") == 2


def test_keys_that_cannot_be_looked_at_again_are_the_old_ones(evil: Evil) -> None:
    clock = SetClock()
    provider = Provider(evil.issuer, clock)
    old = signed(evil, EC)
    provider.verify(old, ALLOWED)
    evil.raw["/jwks"] = Raw(500)
    clock.seconds += NOT_BEFORE
    refused_by(provider, signed(evil, STRANGER, kid="new"))
    provider.verify(old, ALLOWED)


def test_keys_that_were_taken_away_do_not_serve_for_ever(evil: Evil) -> None:
    clock = SetClock()
    provider = Provider(evil.issuer, clock)
    old = signed(evil, EC)
    provider.verify(old, ALLOWED)
    evil.keys = [jwk(STRANGER, kid="new", use="sig")]
    clock.seconds += KEEP
    refused_by(provider, old)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"keys": {}},
        {"keys": [{"kty": "EC", "crv": "P-256", "kid": f"k{n}"} for n in range(MAX_KEYS + 1)]},
    ],
    ids=["none", "an object", "too many"],
)
def test_keys_that_cannot_be_read_let_nobody_in(evil: Evil, keys: Any) -> None:
    honest = Provider(evil.issuer, SetClock(), lambda url: keys if "jwks" in url else fetch(url))
    with pytest.raises(Refusal) as refused:
        honest.verify(signed(evil, EC), ALLOWED)
    assert refused.value.reason is Reason.SIGNIN_UNAVAILABLE


def test_keys_that_are_not_keys_stand_beside_those_that_are(evil: Evil) -> None:
    private = dict(EC.as_dict(private=True)) | {"kid": "ec"}
    good = jwk(EC, kid="ec", use="sig")
    odd = [None, 7, "x", {}, {"kty": "EC"}, private, jwk(ECKey.generate_key("P-521"), kid="ec")]
    evil.keys = [*odd, good]  # type: ignore[list-item]
    Provider(evil.issuer, SetClock()).verify(signed(evil, EC), ALLOWED)
