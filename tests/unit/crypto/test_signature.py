"""Signatures agree with joserfc's on every text, key and algorithm: it is their oracle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from crypto.signature import is_right, made
from tests.unit.crypto.forge import ED25519, KEYS, OTHER_P256, P256, RSA

MESSAGE = b"head.payload"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SMALL_RSA = RSAKey.generate_key(2048)
ALL = {**KEYS, "RS256": RSA}
X25519 = OKPKey.generate_key("X25519")
OTHER_CURVE = ECKey.generate_key("P-384")
ED448 = OKPKey.generate_key("Ed448")
STRANGERS = [P256, OTHER_P256, ED25519, RSA, SMALL_RSA]


def oracle(algorithm: str, key: Key, signed: bytes, signature: bytes) -> bool:
    try:
        return JWSRegistry.algorithms[algorithm].verify(signed, signature, key)
    except (JoseError, ValueError, TypeError, AttributeError):
        return False


def agreed(algorithm: str, key: Key, signed: bytes, signature: bytes) -> bool:
    """Return what both say."""
    ours = is_right(algorithm, key.public_key, signed, signature)
    assert ours == oracle(algorithm, key, signed, signature)
    return ours


@pytest.mark.parametrize("algorithm", sorted(ALL))
def test_what_joserfc_signs_is_right_and_nothing_else_is(algorithm: str) -> None:
    signature = JWSRegistry.algorithms[algorithm].sign(MESSAGE, ALL[algorithm])
    assert agreed(algorithm, ALL[algorithm], MESSAGE, signature)
    assert not agreed(algorithm, ALL[algorithm], MESSAGE + b".", signature)
    for place in range(len(signature)):
        other = bytearray(signature)
        other[place] ^= 1
        assert not agreed(algorithm, ALL[algorithm], MESSAGE, bytes(other))


@pytest.mark.parametrize("algorithm", sorted(ALL))
@given(change=st.data())
@settings(max_examples=60, deadline=None)
def test_a_signature_of_any_length_is_judged_alike(algorithm: str, change: st.DataObject) -> None:
    signature = JWSRegistry.algorithms[algorithm].sign(MESSAGE, ALL[algorithm])
    start = change.draw(st.integers(0, len(signature)))
    end = change.draw(st.integers(0, len(signature)))
    text = signature[:start] + change.draw(st.binary(max_size=40)) + signature[end:]
    assert agreed(algorithm, ALL[algorithm], MESSAGE, text) == (text == signature)


@pytest.mark.parametrize("r", [0, 1, ORDER - 1, ORDER, ORDER + 1, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, ORDER - 1, ORDER, ORDER + 1, 2**256 - 1])
def test_numbers_outside_the_group_are_no_signature(r: int, s: int) -> None:
    assert not agreed("ES256", P256, MESSAGE, r.to_bytes(32, "big") + s.to_bytes(32, "big"))


@pytest.mark.parametrize("algorithm", sorted(ALL))
@pytest.mark.parametrize("key", STRANGERS)
def test_another_key_or_kind_of_key_never_verifies(algorithm: str, key: Key) -> None:
    signature = JWSRegistry.algorithms[algorithm].sign(MESSAGE, ALL[algorithm])
    if key is not ALL[algorithm]:
        assert not agreed(algorithm, key, MESSAGE, signature)


@pytest.mark.parametrize("key", [*STRANGERS, X25519, OTHER_CURVE, ED448])
@pytest.mark.parametrize(
    "algorithm", ["none", "HS256", "HS512", "ES384", "ES512", "PS512", "", "es256", "ES256 "]
)
def test_an_algorithm_that_is_not_ours_is_never_right(algorithm: str, key: Key) -> None:
    assert not is_right(algorithm, key.public_key, MESSAGE, b"")
    assert not is_right(algorithm, key.public_key, MESSAGE, bytes(64))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_the_paddings_of_rsa_are_not_taken_for_each_other(algorithm: str) -> None:
    other = {"RS256": "PS256", "PS256": "RS256"}[algorithm]
    signature = JWSRegistry.algorithms[algorithm].sign(MESSAGE, RSA)
    assert not agreed(other, RSA, MESSAGE, signature)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "Ed25519"])
def test_what_we_sign_joserfc_finds_right(algorithm: str) -> None:
    for number in range(40):  # numbers with leading zeros too
        text = MESSAGE + bytes([number])
        assert agreed(
            algorithm, KEYS[algorithm], text, made(algorithm, KEYS[algorithm].private_key, text)
        )


@pytest.mark.parametrize(
    ("algorithm", "key"), [("ES256", ED25519), ("EdDSA", P256), ("PS256", RSA), ("none", P256)]
)
def test_a_key_of_another_kind_signs_nothing(algorithm: str, key: Key) -> None:
    with pytest.raises(TypeError):
        made(algorithm, key.private_key, MESSAGE)
