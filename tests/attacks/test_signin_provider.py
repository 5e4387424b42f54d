"""The try-out provider is attacked as any provider would be: no code without its proof (P1-P10)."""

import hashlib
import json
import threading
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from joserfc.jwk import ECKey

from gateway.demo.signin.register import environment
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from tests.browserless import Answer, Browser, hidden, pick, sign_in
from tests.country import RunningCountry
from tests.unit.crypto.forge import forged

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
VERIFIER = "v" * 43
CHALLENGE = (
    urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode("ascii")
)
CLIENT = environment("")["GATEWAY_OIDC_CLIENT_ID"]


@dataclass
class Forger:
    """Speaks to the provider as the gateway would, with the gateway's own key where it may."""

    country: RunningCountry
    browser: Browser = field(default_factory=Browser)

    @property
    def issuer(self) -> str:
        return str(self.country.document["signin"])

    def request(self, **changed: str | None) -> dict[str, str]:
        honest = {
            "response_type": "code",
            "client_id": CLIENT,
            "redirect_uri": f"{self.country.gateway}/login/callback",
            "scope": "openid",
            "state": "s" * 43,
            "nonce": "n" * 43,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return {name: v for name, v in {**honest, **changed}.items() if v is not None}

    def ask(self, **changed: str | None) -> Answer:
        return self.browser.get(f"{self.issuer}/authorize?{urlencode(self.request(**changed))}")

    def code(self, person: str) -> str:
        return pick(self.browser, self.ask(), person).query()["code"]

    def assertion(self, key: ECKey | None = None, **changed: Any) -> str:
        now = SystemClock().now() // 1_000_000
        path = self.country.state / "gateway" / "keys" / "signin.json"
        stored = json.loads(path.read_text())
        ours = ECKey.import_key(stored["private"])
        honest = {
            "iss": CLIENT,
            "sub": CLIENT,
            "aud": self.issuer,
            "jti": SystemChance().identifier("a"),
            "iat": now,
            "exp": now + 60,
        }
        claims = {name: v for name, v in {**honest, **changed}.items() if v is not None}
        return forged({"alg": "ES256", "kid": stored["kid"]}, claims, key or ours)

    def redeem(self, code: str | None, **changed: str | None) -> Answer:
        honest = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{self.country.gateway}/login/callback",
            "code_verifier": VERIFIER,
            "client_id": CLIENT,
            "client_assertion_type": ASSERTION,
            "client_assertion": self.assertion(),
        }
        form = {name: v for name, v in {**honest, **changed}.items() if v is not None}
        return Browser().post(f"{self.issuer}/token", form)


@pytest.fixture
def forger(country: RunningCountry) -> Forger:
    return Forger(country)


def test_an_honest_request_is_answered(forger: Forger, country: RunningCountry) -> None:
    answer = forger.redeem(forger.code(country.resident().number))
    assert answer.status == 200, answer.body
    assert json.loads(answer.body).keys() >= {"id_token", "access_token"}
    assert answer.header("Cache-Control") == "no-store"


@pytest.mark.parametrize(
    "changed",
    [
        {"code_challenge": None},
        {"code_challenge": "short"},
        {"code_challenge": VERIFIER + "!"},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"state": None},
        {"nonce": None},
        {"request": "x"},
        {"request_uri": "https://evil.example"},
    ],
    ids=str,
)
def test_a_request_without_its_protections_gets_no_code(
    forger: Forger, changed: dict[str, str | None]
) -> None:
    answer = forger.ask(**changed)
    assert answer.status == 303
    assert answer.query()["error"] == "invalid_request"
    assert "code" not in answer.query()


@pytest.mark.parametrize("kind", ['"', "token", "id_token", "code token", "<script>", None])
def test_another_response_type_is_an_error_and_no_fault(forger: Forger, kind: str | None) -> None:
    answer = forger.ask(response_type=kind)
    assert answer.status == 303
    assert answer.query()["error"] == "unsupported_response_type"


REDIRECTS = [
    "+/",
    "+?a=b",
    "+#a",
    "+%20",
    "+/../evil",
    "+@evil.example",
    "https://evil.example/login/callback",
    "http://localhost{port}/login/callback",
    "http://127.0.0.1/login/callback",
    "http://127.0.0.1:80@evil.example/login/callback",
    "http://127.0.0.1{port}\\@evil.example/login/callback",
    "http://127.0.0.1{port}/LOGIN/callback",
    "http://127.0.0.1{port}/login//callback",
    "http://127.0.0.1{port}/officer/login/callback",
    "HTTP://127.0.0.1{port}/login/callback",
    "http://①②⑦.0.0.1{port}/login/callback",
    "javascript:alert(1)",
    "",
]


@pytest.mark.parametrize("uri", REDIRECTS)
def test_nobody_is_sent_to_an_address_that_is_not_registered(forger: Forger, uri: str) -> None:
    ours = f"{forger.country.gateway}/login/callback"
    port = f":{urlsplit(ours).port}"
    sent = ours + uri[1:] if uri.startswith("+") else uri.replace("{port}", port)
    answer = forger.ask(redirect_uri=sent)
    assert answer.status == 400
    assert answer.header("Location") is None


@pytest.mark.parametrize("client", ["", "nobody", None, f"{CLIENT} "])
def test_an_unknown_client_is_sent_nowhere(forger: Forger, client: str | None) -> None:
    assert forger.ask(client_id=client).status == 400


def test_a_parameter_twice_is_sent_nowhere(forger: Forger) -> None:
    query = urlencode(forger.request()) + "&redirect_uri=https%3A%2F%2Fevil.example"
    assert forger.browser.get(f"{forger.issuer}/authorize?{query}").status == 400


def test_a_form_whose_request_was_changed_is_looked_at_again(
    forger: Forger, country: RunningCountry
) -> None:
    form = hidden(forger.ask().body)
    evil = dict(parse_qsl(form["request"])) | {"redirect_uri": "https://evil.example"}
    posted = {"request": urlencode(evil), "person": country.resident().number, "level": "low"}
    answer = forger.browser.post(f"{forger.issuer}/authorize", posted)
    assert answer.status == 400
    assert answer.header("Location") is None


@pytest.mark.parametrize("person", ["RN-0000000", "", "officer-1", "<script>"])
def test_nobody_but_a_sample_resident_can_be_picked(forger: Forger, person: str) -> None:
    answer = pick(forger.browser, forger.ask(), person)
    assert answer.status == 400
    assert "<script>" not in answer.body


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": None},
        {"code_verifier": ""},
        {"code_verifier": CHALLENGE},
        {"code_verifier": VERIFIER + "v"},
        {"code_verifier": "é"},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example"},
        {"code": "unknown"},
        {"code": None},
    ],
    ids=str,
)
def test_a_code_without_its_proof_is_worth_nothing(
    forger: Forger, country: RunningCountry, changed: dict[str, str | None]
) -> None:
    code = forger.code(country.resident().number)
    answer = forger.redeem(**{"code": code, **changed})
    assert answer.status == 400
    assert json.loads(answer.body) == {"error": "invalid_grant"}


def test_a_code_that_was_shown_with_a_wrong_verifier_is_spent(
    forger: Forger, country: RunningCountry
) -> None:
    code = forger.code(country.resident().number)
    forger.redeem(code, code_verifier="x" * 43)
    assert forger.redeem(code).status == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "somebody-else"},
        {"sub": "somebody-else"},
        {"aud": "https://other.example"},
        {"aud": None},
        {"exp": 1_000_000_000},
        {"exp": 4_000_000_000},
        {"iat": None},
        {"jti": None},
    ],
    ids=str,
)
def test_an_assertion_that_is_not_ours_redeems_nothing(
    forger: Forger, country: RunningCountry, changed: dict[str, Any]
) -> None:
    answer = forger.redeem(
        forger.code(country.resident().number), client_assertion=forger.assertion(**changed)
    )
    assert answer.status == 401
    assert json.loads(answer.body) == {"error": "invalid_client"}


def test_another_key_redeems_nothing(forger: Forger, country: RunningCountry) -> None:
    stranger = forger.assertion(ECKey.generate_key("P-256"))
    code = forger.code(country.resident().number)
    assert forger.redeem(code, client_assertion=stranger).status == 401
    assert forger.redeem(code).status == 200


def test_an_assertion_counts_once(forger: Forger, country: RunningCountry) -> None:
    assertion, number = forger.assertion(), country.resident().number
    assert forger.redeem(forger.code(number), client_assertion=assertion).status == 200
    assert forger.redeem(forger.code(number), client_assertion=assertion).status == 401


@pytest.mark.parametrize("kind", ["password", "client_credentials", "refresh_token", ""])
def test_there_is_one_grant(forger: Forger, country: RunningCountry, kind: str) -> None:
    answer = forger.redeem(forger.code(country.resident().number), grant_type=kind)
    assert json.loads(answer.body) == {"error": "unsupported_grant_type"}


def test_of_many_who_redeem_one_code_at_most_one_gets_tokens(
    forger: Forger, country: RunningCountry
) -> None:
    code = forger.code(country.resident().number)
    gate, told = threading.Barrier(8), []

    def come() -> None:
        gate.wait()
        told.append(forger.redeem(code).status)

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [200] + [400] * 7


def test_a_code_used_twice_takes_back_what_it_gave(forger: Forger, country: RunningCountry) -> None:
    victim, number = Browser(), country.resident().number
    sign_in(victim, country.gateway, number)
    # A thief who saw the victim's session here gets a code of the same session, and uses it twice.
    forger.browser = victim
    code = forger.code(number)
    assert forger.redeem(code).status == 200
    assert victim.get(f"{country.gateway}/home").status == 200
    assert forger.redeem(code).status == 400
    assert victim.get(f"{country.gateway}/home").status == 303


def test_after_signing_out_nobody_is_sent_to_an_unregistered_address(forger: Forger) -> None:
    query = urlencode({"client_id": CLIENT, "post_logout_redirect_uri": "https://evil.example/"})
    answer = forger.browser.get(f"{forger.issuer}/end_session?{query}")
    assert answer.status == 200
    assert answer.header("Location") is None


def test_its_pages_can_neither_be_framed_nor_run_anything(forger: Forger) -> None:
    answer = forger.ask()
    policy = answer.header("Content-Security-Policy") or ""
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "<script" not in answer.body
    assert answer.header("Cache-Control") == "no-store"


def test_what_a_page_repeats_of_the_request_is_escaped(forger: Forger) -> None:
    answer = forger.ask(state='"><script>alert(1)</script>')
    assert "<script>" not in answer.body
    assert parse_qs(hidden(answer.body)["request"])["state"] == ['"><script>alert(1)</script>']


def test_its_errors_never_lead_away_with_a_307(forger: Forger, country: RunningCountry) -> None:
    answers = [forger.ask(prompt="none"), pick(forger.browser, forger.ask(), "nobody")]
    answers.append(pick(forger.browser, forger.ask(), country.resident().number))
    assert {answer.status for answer in answers} == {303, 400}
