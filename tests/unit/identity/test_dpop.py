import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from crypto import base64url
from identity.dpop import Proofs, access_token_hash, target
from kernel.errors import Reason, Refusal
from tests.unit.crypto.forge import VECTORS, forged, jwk
from tests.unit.identity.parts import PATH, START, URL, Agency, SetClock

TOKEN = "a.b.c"


class Remembers:
    def __init__(self) -> None:
        self.claims = []

    def claim(self, audience: Any, key: Key, jti: Any, made_at: Any, until: Any) -> bool:
        if any(known[:3] == (audience, key, jti) for known in self.claims):
            return False
        self.claims.append((audience, key, jti, made_at, until))
        return True


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def agency(clock: SetClock) -> Agency:
    return Agency(clock)


@pytest.fixture
def proofs(clock: SetClock) -> Proofs:
    return Proofs(URL, Remembers(), clock)


def refused(
    proofs: Proofs, *headers: Any, reason: Reason = Reason.DPOP_INVALID, token: Any = TOKEN
) -> str:
    with pytest.raises(Refusal) as caught:
        proofs.check(headers, "POST", PATH, token)
    assert caught.value.reason is reason
    return caught.value.detail


def test_the_proof_of_rfc_9449_4_1_is_accepted_at_its_time_and_url() -> None:
    vector = VECTORS["rfc9449_4_1"]
    proofs = Proofs(vector["base"], Remembers(), SetClock(vector["iat"]))
    proof = proofs.check((vector["proof"],), vector["method"], vector["path"])
    assert proof.jkt == vector["thumbprint"]
    assert proof.jti == "-BwC3ESc6acc2lTc"


def test_the_access_token_hash_of_rfc_9449_7_1_comes_out() -> None:
    vector = VECTORS["rfc9449_7_1"]
    assert access_token_hash(vector["token"]) == vector["ath"]


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (ECKey.generate_key("P-256"), "ES256"),
        (OKPKey.generate_key("Ed25519"), "EdDSA"),
        (OKPKey.generate_key("Ed25519"), "Ed25519"),
        (RSAKey.generate_key(2048), "PS256"),
        (RSAKey.generate_key(4096), "PS256"),
    ],
)
def test_a_proof_by_each_kind_of_key_is_accepted(
    proofs: Proofs, clock: SetClock, key: Key, alg: str
) -> None:
    agency = Agency(clock, dpop=key, dpop_alg=alg)
    proof = proofs.check((agency.proof(TOKEN),), "POST", PATH, TOKEN)
    assert proof.jkt == key.thumbprint()


def test_d1_no_proof(proofs: Proofs) -> None:
    refused(proofs, reason=Reason.DPOP_MISSING)
    refused(proofs, "", reason=Reason.DPOP_MISSING)


def test_d2_two_headers(proofs: Proofs, agency: Agency) -> None:
    refused(proofs, agency.proof(TOKEN), agency.proof(TOKEN))
    proof = agency.proof(TOKEN)
    refused(proofs, proof, proof)


def test_d3_two_proofs_joined_by_a_comma(proofs: Proofs, agency: Agency) -> None:
    refused(proofs, f"{agency.proof(TOKEN)},{agency.proof(TOKEN)}")
    refused(proofs, f"{agency.proof(TOKEN)}, {agency.proof(TOKEN)}")


@pytest.mark.parametrize("text", ["x", "..", "a.b.c", "é", "{}", "null", "e30.e30.", "A" * 9000])
def test_d4_a_malformed_proof(proofs: Proofs, text: str) -> None:
    refused(proofs, text)


@pytest.mark.parametrize(
    "typ", ["jwt", "JWT", "DPoP+jwt", "application/dpop+jwt", "at+jwt", "", 7, ["dpop+jwt"], None]
)
def test_d5_another_typ(proofs: Proofs, agency: Agency, typ: Any) -> None:
    refused(proofs, agency.proof(TOKEN, {"typ": typ}))


def test_d6_another_algorithm(proofs: Proofs, clock: SetClock, agency: Agency) -> None:
    rsa = RSAKey.generate_key(2048)
    refused(proofs, Agency(clock, dpop=rsa, dpop_alg="RS256").proof(TOKEN))
    k1 = ECKey.generate_key("secp256k1")
    refused(proofs, Agency(clock, dpop=k1, dpop_alg="ES256K").proof(TOKEN))
    p384 = ECKey.generate_key("P-384")
    refused(proofs, Agency(clock, dpop=p384, dpop_alg="ES384").proof(TOKEN))
    head, body, _ = agency.proof(TOKEN).split(".")
    none = {**json.loads(base64url.decode(head)), "alg": "none"}
    refused(proofs, f"{base64url.encode(json.dumps(none).encode())}.{body}.")
    public = json.dumps(jwk(agency.dpop)).encode()
    text = forged({**none, "alg": "HS256"}, base64url.decode(body), OctKey(public, public))
    refused(proofs, text)


def test_d7_a_key_that_may_not_be_there(proofs: Proofs, agency: Agency) -> None:
    point = jwk(agency.dpop)
    with pytest.warns(Warning, match="2048"):
        short = RSAKey.generate_key(1024)
    for bad in (
        None,
        7,
        [],
        "x",
        agency.dpop.as_dict(private=True),
        {"kty": "oct", "k": "AAAA"},
        {**point, "y": base64url.encode(b"\1" * 32)},
        jwk(short),
        jwk(OKPKey.generate_key("Ed448")),
        jwk(OKPKey.generate_key("X25519")),
        {**point, "use": "enc"},
        {**point, "alg": "HS256"},
    ):
        refused(proofs, agency.proof(TOKEN, {"jwk": bad}))


def test_d7_a_key_beside_the_proof_is_not_looked_for(proofs: Proofs, agency: Agency) -> None:
    refused(proofs, agency.proof(TOKEN, {"jwk": None, "jku": "https://x.example", "kid": "a"}))


def test_d8_a_proof_signed_by_another_key_than_it_shows(proofs: Proofs, agency: Agency) -> None:
    refused(proofs, agency.proof(TOKEN, {"jwk": jwk(ECKey.generate_key("P-256"))}))


@pytest.mark.parametrize("htm", ["GET", "post", "Post", "POST ", "", None, ["POST"], 7])
def test_d9_another_method(proofs: Proofs, agency: Agency, htm: Any) -> None:
    refused(proofs, agency.proof(TOKEN, htm=htm))


@pytest.mark.parametrize(
    "htu",
    [
        "https://other.example/v1/exchanges",
        "https://gateway.example.evil.example/v1/exchanges",
        "https://gateway.example/v1/exchange",
        "https://gateway.example/V1/exchanges",
        "https://gateway.example/v1/exchanges/",
        "https://gateway.example//v1/exchanges",
        "https://gateway.example/v1/./exchanges",
        "https://gateway.example/x/../v1/exchanges",
        "https://gateway.example/v1/%65xchanges",
        "https://gateway.example/v1%2Fexchanges",
        "https://gateway.example/v1\\exchanges",
        "https://gateway.example/v1/exchanges;a",
        "http://gateway.example/v1/exchanges",
        "https://gateway.example:8443/v1/exchanges",
        "https://gateway.example:/v1/exchanges",
        "https://gateway.example:0443/v1/exchanges",
        "https://user@gateway.example/v1/exchanges",
        "https://gateway.example@evil.example/v1/exchanges",
        "https://gateway.example./v1/exchanges",
        "https://gatew\N{CYRILLIC SMALL LETTER A}y.example/v1/exchanges",
        " https://gateway.example/v1/exchanges",
        "https://gateway.example/v1/exchanges ",
        "https://gateway.example/v1/exchanges\n",
        "https:gateway.example/v1/exchanges",
        "//gateway.example/v1/exchanges",
        "/v1/exchanges",
        "https://gateway.example",
        "",
        None,
        7,
        ["https://gateway.example/v1/exchanges"],
    ],
)
def test_d10_another_url(proofs: Proofs, agency: Agency, htu: Any) -> None:
    refused(proofs, agency.proof(TOKEN, htu=htu))


@pytest.mark.parametrize(
    "htu",
    [
        "https://gateway.example/v1/exchanges",
        "HTTPS://GateWay.Example/v1/exchanges",
        "https://gateway.example:443/v1/exchanges",
        "https://gateway.example/v1/exchanges?a=b",
        "https://gateway.example/v1/exchanges#a",
        "https://gateway.example/v1/exchanges?#",
    ],
)
def test_d10_the_same_url_in_another_spelling(proofs: Proofs, agency: Agency, htu: Any) -> None:
    proofs.check((agency.proof(TOKEN, htu=htu),), "POST", PATH, TOKEN)


def test_a_target_with_port_and_ipv6_and_without_path_is_compared_as_it_is() -> None:
    assert target("http://[::1]:8080") == "http://[::1]:8080/"
    assert target("http://Localhost:80/") == "http://localhost/"
    assert target("ftp://localhost/") is None


@pytest.mark.parametrize("ath", [None, "", "x", 7, access_token_hash("other"), "é"])
def test_d11_another_access_token(proofs: Proofs, agency: Agency, ath: Any) -> None:
    refused(proofs, agency.proof(TOKEN, ath=ath))


@pytest.mark.parametrize("shift", [-60, -10, 0, 8, 10])
def test_d12_a_time_within_the_window(proofs: Proofs, agency: Agency, shift: Any) -> None:
    proofs.check((agency.proof(TOKEN, iat=START + shift),), "POST", PATH, TOKEN)


@pytest.mark.parametrize("shift", [-3600, -61, 11, 61, 3600, 2**40])
def test_d12_a_time_outside_the_window(proofs: Proofs, agency: Agency, shift: Any) -> None:
    refused(proofs, agency.proof(TOKEN, iat=START + shift))


@pytest.mark.parametrize("iat", [None, float(START), START + 0.5, str(START), True, [START], {}])
def test_d12_a_time_that_is_no_whole_number(proofs: Proofs, agency: Agency, iat: Any) -> None:
    refused(proofs, agency.proof(TOKEN, iat=iat))


@pytest.mark.parametrize("jti", [None, "", "j" * 129, "j" * 5000, 7, ["a"], True])
def test_d13_a_bad_jti(proofs: Proofs, agency: Agency, jti: Any) -> None:
    refused(proofs, agency.proof(TOKEN, jti=jti))


def test_d13_a_proof_counts_once_until_window_and_skew_are_over(
    clock: SetClock, agency: Agency
) -> None:
    memory = Remembers()
    proofs = Proofs(URL, memory, clock)
    proof = proofs.check((agency.proof(TOKEN, iat=START + 10),), "POST", PATH, TOKEN)
    proofs.spend(proof)
    with pytest.raises(Refusal) as caught:
        proofs.spend(proof)
    assert caught.value.reason is Reason.DPOP_REPLAYED
    ((_, _, _, made_at, until),) = memory.claims
    last_accepted = made_at + 60
    assert until >= last_accepted + 10


def test_the_same_jti_by_two_keys_is_two_proofs(proofs: Proofs, clock: SetClock) -> None:
    for agency in (Agency(clock), Agency(clock)):
        proofs.spend(proofs.check((agency.proof(TOKEN, jti="same"),), "POST", PATH, TOKEN))


def test_d19_a_proof_made_ahead_of_time(proofs: Proofs, clock: SetClock, agency: Agency) -> None:
    ahead = agency.proof(TOKEN, iat=START + 300)
    refused(proofs, ahead)
    clock.seconds += 300
    proofs.check((ahead,), "POST", PATH, TOKEN)


def test_d20_unknown_members_are_ignored_and_crit_is_refused(
    proofs: Proofs, agency: Agency
) -> None:
    odd = agency.proof(TOKEN, {"kid": "a", "x": {"y": 1}}, nonce="n", exp=1, foo=[1])
    proofs.check((odd,), "POST", PATH, TOKEN)
    refused(proofs, agency.proof(TOKEN, {"crit": ["x"], "x": 1}))


def test_d21_a_proof_for_the_token_endpoint_at_the_api(proofs: Proofs, agency: Agency) -> None:
    refused(proofs, agency.proof(None, htu=f"{URL}/oauth2/token"))


def test_a_gateway_below_a_path_is_reached_under_its_path(clock: SetClock, agency: Agency) -> None:
    proofs = Proofs(f"{URL}/causeway/", Remembers(), clock)
    proofs.check((agency.proof(htu=f"{URL}/causeway{PATH}"),), "POST", PATH)
    with pytest.raises(Refusal):
        proofs.check((agency.proof(),), "POST", PATH)


@pytest.mark.parametrize("path", ["/v1/services/a b/c", "/v1/services/é/c", "/v1/\n"])
def test_a_path_that_is_no_url_path_has_no_proof(proofs: Proofs, agency: Agency, path: str) -> None:
    for htu in (URL + path, "", "x"):
        with pytest.raises(Refusal):
            proofs.check((agency.proof(htu=htu),), "POST", path)


def test_no_refusal_repeats_what_was_sent(proofs: Proofs, agency: Agency) -> None:
    odd = agency.proof(TOKEN, {"alg": "ES256"}, htm="<script>", jti="secret-jti")
    assert "<script>" not in refused(proofs, odd)
    assert agency.jkt() not in repr(proofs.check((agency.proof(),), "POST", PATH))
