"""The client takes an answer only when seal, receipt and proof hold, each for this exchange."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Signer
from client import Client, LogKey, NotTrustworthy, Refused, Unreachable, Withheld
from client.jose import take_apart
from tests.unit.client.standin import NOW, QUESTION, RECORD, Standin, standing_in

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def gateway() -> Iterator[Standin]:
    with standing_in() as standin:
        yield standin


def client_of(gateway: Standin, **more: Any) -> Client:
    return Client(gateway.url, gateway.identity(), **{"now": lambda: NOW, **more})


def put(**members: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a change that sets members, or drops those that are None."""
    return lambda old: {
        name: value for name, value in {**old, **members}.items() if value is not None
    }


def text(**members: Any) -> Callable[[bytes], bytes]:
    return lambda old: json.dumps(put(**members)(json.loads(old))).encode()


def test_an_answer_is_opened_and_its_evidence_checked(gateway: Standin) -> None:
    answer = client_of(gateway).exchange(QUESTION)
    assert answer.record == RECORD
    assert answer.as_of == "2026-09-01T00:00:00Z"
    assert answer.withheld == (Withheld("/phone", "field.not_consented"),)
    assert take_apart(answer.receipt).claims["exchange"] == answer.exchange == "ex_abc"
    assert "Şen" not in repr(answer) + repr(QUESTION)


def test_a_request_carries_the_question_and_a_proof_of_the_tokens_key(gateway: Standin) -> None:
    client_of(gateway).exchange(QUESTION)
    [(_, headers, body)] = [seen for seen in gateway.seen if seen[0] == "/v1/exchanges"]
    assert json.loads(body) == {
        "agreement": "family-allowance",
        "service": "population/residents",
        "subject": {"scheme": "resident-number", "value": "RN-1234566"},
        "fields": ["/name/family", "/children/*/birth_date", "/phone"],
        "case": "FA-2026-00042",
    }
    assert headers["Authorization"] == "DPoP a.b.c"
    proof = take_apart(headers["DPoP"]).claims
    assert proof["htm"] == "POST"
    assert proof["htu"] == f"{gateway.url}/v1/exchanges"
    assert proof["iat"] == NOW


def test_a_token_is_kept_until_it_is_about_to_expire(gateway: Standin) -> None:
    now = NOW
    client = client_of(gateway, now=lambda: now)
    for later in (0, 100, 269, 271, 300):
        now = NOW + later
        client.exchange(QUESTION)
    paths = [path for path, _, _ in gateway.seen]
    assert paths.count("/oauth2/token") == 2
    assert paths.count("/v1/exchanges") == 5
    assert paths.count("/v1/receipts/keys") == 1


def test_a_token_that_the_gateway_does_not_take_is_not_used_again(gateway: Standin) -> None:
    problem = {"reason": "token.expired", "detail": "The token has expired."}
    gateway.changes["reply"] = lambda _: (401, problem)
    client = client_of(gateway)
    with pytest.raises(Refused, match=r"token\.expired"):
        client.exchange(QUESTION)
    gateway.changes.clear()
    client.exchange(QUESTION)
    paths = [path for path, _, _ in gateway.seen]
    assert paths.count("/oauth2/token") == 2
    assert paths.count("/v1/exchanges") == 2


def test_a_refusal_keeps_its_reason_and_is_never_retried(gateway: Standin) -> None:
    problem = {"reason": "subject.not_released", "detail": "No.", "exchange": "ex_1"}
    gateway.changes["reply"] = lambda _: (403, problem)
    with pytest.raises(Refused) as refused:
        client_of(gateway).exchange(QUESTION)
    assert refused.value.reason == "subject.not_released"
    assert refused.value.detail == "No."
    assert refused.value.status == 403
    assert refused.value.exchange == "ex_1"
    assert [path for path, _, _ in gateway.seen].count("/v1/exchanges") == 1


@pytest.mark.parametrize("reply", [(503, "busy"), (302, {}), (500, []), (200, "no JSON")])
def test_an_answer_that_is_no_gateways_is_none(gateway: Standin, reply: tuple[int, Any]) -> None:
    gateway.changes["reply"] = lambda _: reply
    with pytest.raises((Unreachable, NotTrustworthy)):
        client_of(gateway).exchange(QUESTION)


def test_an_unusable_token_endpoint_is_unreachable(gateway: Standin) -> None:
    gateway.changes["token"] = lambda _: (500, "oops")
    with pytest.raises(Unreachable, match="500"):
        client_of(gateway).exchange(QUESTION)


def test_an_answer_without_end_is_cut_off(
    gateway: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.transport.MAX_ANSWER", 2000)
    with pytest.raises(Unreachable, match="more than 2000 bytes"):
        client_of(gateway).exchange(QUESTION)


def test_a_refused_token_says_why(gateway: Standin) -> None:
    gateway.changes["token"] = lambda _: (401, {"error": "invalid_client"})
    with pytest.raises(Refused, match="invalid_client"):
        client_of(gateway).exchange(QUESTION)


def another_log(gateway: Standin) -> Signer:
    return Signer(gateway.log.name, Ed25519PrivateKey.generate())


DISCOVERY = {
    "another issuer": ("server", put(issuer="https://other.example")),
    "a token endpoint elsewhere": ("server", put(token_endpoint="https://other.example/t")),
    "no token endpoint": ("server", put(token_endpoint=None)),
    "another resource": ("resource", put(resource="https://other.example")),
    "a bearer token": ("token", lambda old: (200, {**old[1], "token_type": "Bearer"})),
    "no token": ("token", lambda _: (200, {"token_type": "DPoP", "expires_in": 1})),
}
SEAL = {
    "another kid": ("seal", put(kid="seal-2")),
    "another issuer": ("seal", put(apu="eA")),
    "another party or exchange": ("seal", put(apv="eA")),
    "no apv": ("seal", put(apv=None)),
    "another type": ("seal", put(typ="JWT")),
    "another content": ("seal", put(cty="text/plain")),
    "compression": ("seal", put(zip="DEF")),
    "direct agreement": ("seal", put(alg="ECDH-ES")),
    "a weaker cipher": ("seal", put(enc="A128GCM")),
    "another exchange inside": ("plaintext", text(exchange="ex_other")),
    "another service inside": ("plaintext", text(service="tax/income")),
    "no record inside": ("plaintext", text(record=None)),
    "a list inside": ("plaintext", lambda _: b"[]"),
    "no JSON inside": ("plaintext", lambda _: b"{"),
    "a member twice inside": ("plaintext", lambda old: old[:-1] + b', "record": {}}'),
}
RECEIPT = {
    "another type": ("receipt", put(typ="JWT")),
    "an unknown key": ("receipt", put(kid="receipt-2")),
    "no key": ("receipt", put(kid=None)),
    "a critical member": ("receipt", put(crit=["b64"], b64=True)),
    "another issuer": ("claims", put(iss="https://other.example")),
    "another client": ("claims", put(aud="somebody-else")),
    "another exchange": ("claims", put(exchange="ex_other")),
    "another agreement": ("claims", put(agreement="other")),
    "another service": ("claims", put(service="tax/income")),
    "another sealed text": ("claims", put(sealed_sha256="A" * 43)),
    "a field too many": (
        "claims",
        put(fields=["/children/*/birth_date", "/name/family", "/phone"]),
    ),
    "a field too few": ("claims", put(fields=["/name/family"])),
    "no fields": ("claims", put(fields=None)),
    "no log": ("claims", put(log=None)),
    "keys without Ed25519": ("keys", lambda _: {"keys": [{"kty": "EC", "kid": "receipt-1"}]}),
    "no keys": ("keys", lambda _: {}),
}
LOG = {
    "another origin": ("log", put(origin="other.example/log")),
    "another index": ("log", put(index=12)),
    "another leaf": ("log", put(leaf="A" * 43)),
    "no proof": ("log", put(proof=None)),
    "a changed size": ("proof", lambda old: old.replace("\n21\n", "\n22\n")),
    "a changed index": ("proof", lambda old: old.replace("index 11", "index 10")),
    "an index past the end": ("proof", lambda old: old.replace("index 11", "index 21")),
    "a shorter path": ("proof", lambda old: "\n".join(old.split("\n")[:2] + old.split("\n")[3:])),
    "a longer path": (
        "proof",
        lambda old: "\n".join([*old.split("\n")[:2], "A" * 43 + "=", *old.split("\n")[2:]]),
    ),
    "no signature": ("note", lambda old: old.partition("— ")[0]),
    "a broken signature": ("note", lambda old: old[:-8] + "AAAAAA=\n"),
    "another format": ("proof", lambda old: old.replace("@v1", "@v2")),
}
WHOLE = {
    "no seal": ("answer", put(sealed=None)),
    "a cut seal": ("answer", lambda old: {**old, "sealed": old["sealed"][:-4]}),
    "no receipt": ("answer", put(receipt=None)),
    "a cut receipt": ("answer", lambda old: {**old, "receipt": old["receipt"][:-4]}),
    "an unsigned receipt": (
        "answer",
        lambda old: {**old, "receipt": old["receipt"].rpartition(".")[0] + "."},
    ),
    "no withheld": ("answer", put(withheld=None)),
    "a foreign field withheld": ("answer", put(withheld=[{"field": "/x", "reason": "y"}])),
    "a released field withheld": (
        "answer",
        put(withheld=[{"field": "/name/family", "reason": "field.not_consented"}]),
    ),
    "another exchange": ("answer", put(exchange="ex_other")),
    "another log's key": (
        "vkey",
        lambda old: Signer(old.partition("+")[0], Ed25519PrivateKey.generate()).vkey,
    ),
}
ALL = {
    f"{kind}: {name}": change
    for kind, cases in (
        ("discovery", DISCOVERY),
        ("seal", SEAL),
        ("receipt", RECEIPT),
        ("log", LOG),
        ("answer", WHOLE),
    )
    for name, change in cases.items()
}


@pytest.mark.parametrize("case", ALL)
def test_an_answer_with_one_thing_changed_is_not_trusted(gateway: Standin, case: str) -> None:
    name, change = ALL[case]
    gateway.changes[name] = change
    with pytest.raises(NotTrustworthy) as told:
        client_of(gateway).exchange(QUESTION)
    assert "Şen" not in str(told.value)


def test_a_pinned_log_counts_more_than_what_the_gateway_says(gateway: Standin) -> None:
    key = LogKey.parse(gateway.log.vkey)
    gateway.changes["vkey"] = lambda _: "nonsense"
    assert client_of(gateway, log_key=key).exchange(QUESTION).record == RECORD
    gateway.log = another_log(gateway)
    gateway.changes.clear()
    assert client_of(gateway).exchange(QUESTION).record == RECORD
    with pytest.raises(NotTrustworthy, match="not signed by this log"):
        client_of(gateway, log_key=key).exchange(QUESTION)


def test_a_gateway_that_does_not_listen_is_unreachable(gateway: Standin) -> None:
    with standing_in() as gone:
        url = gone.url
    with pytest.raises(Unreachable, match="cannot be reached"):
        Client(url, gateway.identity()).exchange(QUESTION)
