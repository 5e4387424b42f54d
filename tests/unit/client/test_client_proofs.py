"""What the client signs, checked as the gateway's own rules check it."""

from collections.abc import Callable

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from client import Identity
from client.keys import proof_key
from client.proofs import Prover
from crypto.jose import take_apart, verify
from crypto.jwk import Use, public_key
from identity.dpop import access_token_hash

SEAL = ECKey.generate_key("P-256", {"kid": "s"}).as_dict(private=True)
KINDS: dict[str, Callable[[], ECKey | OKPKey | RSAKey]] = {
    "ES256": lambda: ECKey.generate_key("P-256", {"kid": "k"}),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519", {"kid": "k"}),
    "PS256": lambda: RSAKey.generate_key(2048, {"kid": "k"}),
}


@pytest.mark.parametrize("algorithm", KINDS)
def test_each_kind_of_key_makes_proofs_that_verify(algorithm: str) -> None:
    jwk = KINDS[algorithm]().as_dict(private=True)
    signing = Identity.of("c", jwk, SEAL).signing
    jws = take_apart(Prover(signing).prove("POST", "https://g/x", 7, "a.b.c"), 8192)
    key = public_key(jws.header["jwk"], Use.SIG)
    verify(jws, key)
    claims = jws.claims()
    assert jws.header["alg"] == algorithm
    assert jws.header["typ"] == "dpop+jwt"
    assert claims["ath"] == access_token_hash("a.b.c")
    assert (claims["htm"], claims["htu"], claims["iat"]) == ("POST", "https://g/x", 7)


def test_no_two_proofs_are_the_same() -> None:
    prover = Prover(proof_key())
    first, second = (take_apart(prover.prove("GET", "https://g/", 7), 8192) for _ in range(2))
    assert first.claims()["jti"] != second.claims()["jti"]
    assert "ath" not in first.claims()


def test_a_proof_never_shows_the_private_key() -> None:
    header = take_apart(Prover(proof_key()).prove("GET", "https://g/", 7), 8192).header
    assert set(header["jwk"]) == {"kty", "crv", "x", "y"}
