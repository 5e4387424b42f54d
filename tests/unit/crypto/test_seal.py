import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwe
from joserfc._rfc7518.derive_key import derive_key_for_concat_kdf
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey

from crypto import base64url
from crypto.jose import SigningKey, take_apart, verify
from crypto.jwk import BadKey
from crypto.model import Recipient
from crypto.seal import seal
from crypto.sign import sign_receipt
from kernel.names import ClientId, ExchangeId
from tests.unit.crypto.forge import VECTORS, jwk, verifier

ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM"]
EXCHANGE = ExchangeId("ex_1")
ISSUER = "https://gateway.example"


@dataclass(frozen=True)
class Extract:
    exchange: ExchangeId = EXCHANGE
    plaintext: bytes = b'{"record":{"name":"\xc3\x89ve"}}'


def recipient(key: Any, **more: Any) -> Recipient:
    members = {"kid": "seal-1", "use": "enc", **more}
    return Recipient(ClientId("family-benefits"), json.dumps(jwk(key, **members)))


@pytest.mark.parametrize("key", [ECKey.generate_key("P-256"), OKPKey.generate_key("X25519")])
def test_a_sealed_extract_opens_with_the_registered_key_and_no_other(key: Key) -> None:
    sealed = seal(Extract(), recipient(key), ISSUER)
    opened = jwe.decrypt_compact(sealed.jwe, key, ALGORITHMS)
    assert opened.plaintext == Extract().plaintext
    assert sealed.sha256 == hashlib.sha256(sealed.jwe.encode()).digest()
    with pytest.raises(JoseError):
        jwe.decrypt_compact(sealed.jwe, type(key).generate_key(key.curve_name), ALGORITHMS)


def test_the_header_is_the_one_that_was_promised() -> None:
    sealed = seal(Extract(), recipient(ECKey.generate_key("P-256")), ISSUER)
    header = json.loads(base64url.decode(sealed.jwe.split(".")[0]))
    assert header.pop("epk").keys() == {"kty", "crv", "x", "y"}
    assert header == {
        "alg": "ECDH-ES+A256KW",
        "enc": "A256GCM",
        "typ": "causeway-extract+jwe",
        "cty": "application/json",
        "kid": "seal-1",
        "apu": base64url.encode(ISSUER.encode()),
        "apv": base64url.encode(b"family-benefits|ex_1"),
    }


def test_another_exchange_or_party_in_the_header_does_not_open() -> None:
    key = ECKey.generate_key("P-256")
    head, *rest = seal(Extract(), recipient(key), ISSUER).jwe.split(".")
    for member, value in (("apv", b"family-benefits|ex_2"), ("apu", b"https://other.example")):
        header = {**json.loads(base64url.decode(head)), member: base64url.encode(value)}
        text = ".".join([base64url.encode(json.dumps(header).encode()), *rest])
        with pytest.raises(JoseError):
            jwe.decrypt_compact(text, key, ALGORITHMS)


def test_two_seals_share_no_ephemeral_key_no_iv_and_no_content_key() -> None:
    to = recipient(ECKey.generate_key("P-256"))
    one, other = (seal(Extract(), to, ISSUER).jwe.split(".") for _ in range(2))
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_a_large_extract_is_sealed_whole() -> None:
    key = ECKey.generate_key("P-256")
    sealed = seal(Extract(plaintext=b"x" * 2**20), recipient(key), ISSUER)

    class Large(jwe.JWERegistry):
        max_ciphertext_length = 2**22

    opened = jwe.decrypt_compact(sealed.jwe, key, registry=Large(algorithms=ALGORITHMS))
    assert opened.plaintext == b"x" * 2**20


@pytest.mark.parametrize(
    "to",
    [
        recipient(OKPKey.generate_key("Ed25519")),
        recipient(ECKey.generate_key("P-384")),
        recipient(ECKey.generate_key("P-256"), use="sig"),
        recipient(ECKey.generate_key("P-256"), kid=None),
        recipient(ECKey.generate_key("P-256"), d="AA"),
    ],
)
def test_nothing_is_sealed_to_a_key_that_is_not_for_it(to: Any) -> None:
    with pytest.raises(BadKey):
        seal(Extract(), to, ISSUER)


def test_only_seal_constructs_a_sealed_answer() -> None:
    root = Path(__file__).parents[3]
    rooms = ("adapters", "audit", "client", "consent", "crypto", "gateway", "identity", "kernel")
    makers = {
        path.relative_to(root).as_posix()
        for room in rooms
        for path in (root / room).rglob("*.py")
        if re.search(r"\bSealed\(", path.read_text(encoding="utf-8"))
    }
    assert makers == {"crypto/seal.py"}


def test_the_key_agreement_of_rfc_7518_appendix_c_comes_out() -> None:
    vector = VECTORS["rfc7518_c"]
    alice, bob = ECKey.import_key(vector["alice"]), ECKey.import_key(vector["bob"])
    shared = alice.exchange_derive_key(bob)
    derived = derive_key_for_concat_kdf(shared, vector["header"], 128, None)
    assert base64url.encode(derived) == vector["derived"]


def test_a_receipt_is_an_eddsa_jws_under_its_kid() -> None:
    key = OKPKey.generate_key("Ed25519")
    jws = take_apart(sign_receipt({"iss": ISSUER}, SigningKey("r1", "EdDSA", key)), 4096)
    verify(jws, verifier(key))
    assert dict(jws.header) == {"alg": "EdDSA", "kid": "r1", "typ": "causeway-receipt+jwt"}
