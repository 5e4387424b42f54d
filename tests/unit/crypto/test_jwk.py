from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from crypto import base64url
from crypto.jwk import BadKey, Use, key_set, public_key
from tests.unit.crypto.forge import ED25519, P256, RSA, VECTORS, jwk

X25519 = OKPKey.generate_key("X25519")


@pytest.mark.parametrize("name", ["rfc7638_3_1", "rfc8037_a"])
def test_the_thumbprints_of_the_rfcs_come_out(name: str) -> None:
    vector = VECTORS[name]
    public = {k: v for k, v in vector["key"].items() if k != "d"}
    assert public_key(public, Use.SIG).thumbprint == vector["thumbprint"]


@pytest.mark.parametrize("key", [P256, ED25519, RSA])
def test_a_signing_key_is_accepted_for_signatures(key: Key) -> None:
    assert public_key(jwk(key), Use.SIG).use is Use.SIG


@pytest.mark.parametrize("key", [P256, X25519])
def test_a_sealing_key_is_accepted_for_seals(key: Key) -> None:
    assert public_key(jwk(key), Use.ENC).algorithms == {"ECDH-ES+A256KW"}


@pytest.mark.parametrize(("key", "use"), [(ED25519, Use.ENC), (RSA, Use.ENC), (X25519, Use.SIG)])
def test_a_kind_of_key_is_refused_for_the_other_use(key: Key, use: Any) -> None:
    with pytest.raises(BadKey, match="not accepted"):
        public_key(jwk(key), use)


@pytest.mark.parametrize("key", [P256, ED25519, RSA, X25519])
def test_a_private_key_is_refused(key: Key) -> None:
    with pytest.raises(BadKey, match="private"):
        public_key(key.as_dict(private=True), Use.SIG)


@pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_any_private_member_is_refused(name: str) -> None:
    with pytest.raises(BadKey, match="private"):
        public_key(jwk(P256, **{name: "AA"}), Use.SIG)


@pytest.mark.parametrize(
    "key",
    [
        None,
        [],
        "x",
        {},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "oct"},
        {"kty": ["EC"], "crv": "P-256"},
        {"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA"},
        jwk(ECKey.generate_key("P-384")),
        jwk(ECKey.generate_key("P-521")),
        {"kty": "EC", "crv": "secp256k1"},
        jwk(OKPKey.generate_key("Ed448")),
        jwk(OKPKey.generate_key("X448")),
        jwk(P256, x="AA"),
        jwk(P256, x=7),
        jwk(P256, x=base64url.encode(b"\1" * 33)),
        jwk(P256, x="=" + "A" * 42),
        jwk(P256, x=base64url.encode(b"\1" * 32)),  # not on the curve
        jwk(P256, x=base64url.encode(b"\0" * 32), y=base64url.encode(b"\0" * 32)),
        jwk(P256, x=base64url.encode(b"\xff" * 32)),
        {k: v for k, v in jwk(P256).items() if k != "y"},
    ],
)
def test_a_key_that_is_none_is_refused(key: Key) -> None:
    with pytest.raises(BadKey):
        public_key(key, Use.SIG)


def test_a_weak_rsa_key_is_refused() -> None:
    with pytest.warns(Warning, match="2048"):
        short = RSAKey.generate_key(1024)
    number = int.from_bytes(base64url.decode(jwk(RSA)["n"]))
    for bad in (
        jwk(short),
        jwk(RSA, e=base64url.encode(b"\3")),
        jwk(RSA, e=base64url.encode(b"\1\0\0")),
        jwk(RSA, n=base64url.encode((number + 1).to_bytes(256))),
        jwk(RSA, n=base64url.encode(b"\0" * 128 + b"\xff" * 128)),
        jwk(RSA, n=base64url.encode(b"\xff" * 1024)),
    ):
        with pytest.raises(BadKey):
            public_key(bad, Use.SIG)


@pytest.mark.parametrize("x", ["00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "ff"])
def test_an_ed25519_key_of_small_order_is_refused(x: Any) -> None:
    weak = {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(bytes.fromhex(x))}
    with pytest.raises(BadKey, match="small order"):
        public_key(weak, Use.SIG)


@pytest.mark.parametrize("x", ["00" * 32, "01" + "00" * 31])
def test_an_x25519_key_of_low_order_is_refused(x: Any) -> None:
    weak = {"kty": "OKP", "crv": "X25519", "x": base64url.encode(bytes.fromhex(x))}
    with pytest.raises(BadKey):
        public_key(weak, Use.ENC)


@pytest.mark.parametrize(
    "more",
    [
        {"use": "enc"},
        {"use": ["sig"]},
        {"alg": "RS256"},
        {"alg": "none"},
        {"alg": ["ES256"]},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"key_ops": []},
        {"kid": ""},
        {"kid": 7},
        {"kid": "k" * 129},
        {"kid": "a\nb"},
    ],
)
def test_a_key_declared_for_something_else_is_refused(more: Any) -> None:
    with pytest.raises(BadKey):
        public_key(jwk(P256, **more), Use.SIG)


def test_an_alg_and_operations_that_fit_are_accepted() -> None:
    public_key(jwk(P256, alg="ES256", use="sig", key_ops=["verify"], foo={"bar": 1}), Use.SIG)
    for alg in ("EdDSA", "Ed25519"):
        assert public_key(jwk(ED25519, alg=alg), Use.SIG).algorithms == {"EdDSA", "Ed25519"}
    public_key(jwk(X25519, use="enc", key_ops=["deriveBits"]), Use.ENC)


def test_a_key_set_keeps_public_members_alone() -> None:
    keys = key_set(
        {"keys": [jwk(P256, use="sig", kid="s", foo=1), jwk(X25519, use="enc", kid="e")]}
    )
    assert [key.registered() for key in keys] == [
        jwk(P256, use="sig", kid="s"),
        jwk(X25519, use="enc", kid="e"),
    ]


@pytest.mark.parametrize(
    "jwks",
    [
        None,
        [],
        {},
        {"keys": {}},
        {"keys": []},
        {"keys": [jwk(P256, use="sig", kid=f"k{n}") for n in range(9)]},
        {"keys": ["x"]},
        {"keys": [jwk(P256, kid="a")]},
        {"keys": [jwk(P256, kid="a", use=["sig"])]},
        {"keys": [jwk(P256, use="sig")]},
        {"keys": [jwk(P256, use="sig", kid="a"), jwk(ED25519, use="sig", kid="a")]},
    ],
)
def test_a_key_set_that_is_not_clear_is_refused(jwks: Any) -> None:
    with pytest.raises(BadKey):
        key_set(jwks)
