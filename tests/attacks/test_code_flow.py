"""The way to the provider and back, attacked from both ends: nobody is signed in who should not be.

The gateway is the real one; its provider is evil and says what each test wants (attacks P*, D1, D3,
D4, D6, D13, D15).
"""

import hashlib
import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from gateway.demo.country import Place, found
from gateway.demo.play import programs
from gateway.demo.processes import Processes
from gateway.demo.state import prepare
from identity.login_views import CSRF_FIELD
from tests.attacks.evil_provider import (
    CLIENT,
    EC,
    ED,
    EVENT,
    HIGH,
    LOW,
    OFFICERS,
    RSA,
    STRANGER,
    SUBSTANTIAL,
    Evil,
    Raw,
    evil_provider,
)
from tests.browserless import Answer, Browser, hidden
from tests.ports import free_port

DAY = 86_400


@dataclass
class Stage:
    """The real gateway beside its evil provider."""

    gateway: str
    evil: Evil
    residents: list[str]

    def start(self, browser: Browser, path: str = "/login?to=/home") -> dict[str, str]:
        """Go to the provider and return what the gateway asked there."""
        sent = browser.get(self.gateway + path)
        assert sent.status == 303, sent.body
        assert sent.location.startswith(f"{self.evil.issuer}/authorize?")
        asked = sent.query()
        self.evil.nonce = asked["nonce"]
        self.evil.client = asked["client_id"]
        return asked

    def back(self, browser: Browser, asked: dict[str, str], **changed: str | None) -> Answer:
        """Come back as the provider would send the browser; None leaves a parameter out."""
        honest = {"code": "c-1", "state": asked["state"], "iss": self.evil.issuer}
        query = {name: v for name, v in {**honest, **changed}.items() if v is not None}
        return browser.get(f"{asked['redirect_uri']}?{urlencode(query)}")

    def sign_in(self, path: str = "/login?to=/home") -> tuple[Browser, Answer]:
        browser = Browser()
        return browser, self.back(browser, self.start(browser, path))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with evil_provider() as evil:
        place = Place(prepare(tmp_path_factory.mktemp("evil") / "demo"), free_port())
        country = found(place)
        settings = {
            **country.settings,
            "GATEWAY_OIDC_ISSUER": evil.issuer,
            "GATEWAY_OIDC_CLIENT_ID": CLIENT,
            "GATEWAY_OFFICER_OIDC_CLIENT_ID": OFFICERS,
        }
        country = replace(country, settings=settings)
        processes = Processes(place.state / "logs", lambda name: None)
        try:
            processes.start([one for one in programs(country) if one.name == "gateway"])
            people = [one.number for one in country.sources.people]
            yield Stage(place.gateway, evil, people)
        finally:
            processes.stop()


@pytest.fixture
def stage(running: Stage) -> Stage:
    running.evil.reset()
    running.evil.person = running.residents[7]
    return running


def let_in(browser: Browser, answer: Answer) -> bool:
    return answer.status == 303 and "__Host-resident" in answer.cookies


def refused(browser: Browser, answer: Answer, status: int = 400) -> None:
    """Nobody is signed in, and the answer is a plain page with nothing of the provider's in it."""
    assert answer.status == status, (answer.status, answer.location, answer.body[:300])
    assert "__Host-resident" not in browser.jar
    assert "__Host-officer" not in browser.jar
    assert "Traceback" not in answer.body


def test_an_honest_answer_signs_in_and_leads_to_the_page(stage: Stage) -> None:
    browser, answer = stage.sign_in("/login?to=/consents")
    assert let_in(browser, answer)
    assert answer.location == f"{stage.gateway}/consents"
    for line in answer.cookies.values():
        for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
            assert attribute in line
        assert "Domain" not in line


def test_what_the_gateway_asks_is_the_code_flow_with_pkce_and_no_less(stage: Stage) -> None:
    asked = stage.start(Browser())
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"{stage.gateway}/login/callback"
    assert len(asked["state"]) == len(asked["nonce"]) == len(asked["code_challenge"]) == 43
    assert "verifier" not in str(asked)


def test_the_code_is_redeemed_with_the_verifier_and_our_own_signature(stage: Stage) -> None:
    browser = Browser()
    asked = stage.start(browser)
    stage.back(browser, asked)
    [form] = [parse_qs(body) for path, body in stage.evil.asked if path == "/token"]
    digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
    assert urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
    assert form["client_assertion_type"] == [
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    ]
    assert "client_secret" not in form
    assert form["redirect_uri"] == [asked["redirect_uri"]]


EVIL_CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://login.example"},
    "the issuer with a slash": {"iss": "+/"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody-else"},
    "us among others": {"aud": [CLIENT, "somebody-else"]},
    "us twice": {"aud": [CLIENT, CLIENT]},
    "no audience": {"aud": None},
    "an audience that is an object": {"aud": {CLIENT: True}},
    "another authorised party": {"azp": "somebody-else"},
    "their audience, us as party": {"aud": "somebody-else", "azp": CLIENT},
    "another nonce": {"nonce": "n" * 43},
    "no nonce": {"nonce": None},
    "a nonce that is no text": {"nonce": 7},
    "expired": {"iat": "-400", "exp": "-60"},
    "no expiry": {"exp": None},
    "an expiry that is text": {"exp": "2100-01-01"},
    "an expiry that is a fraction": {"exp": 4e9 + 0.5},
    "made ahead": {"iat": "+120"},
    "made long ago": {"iat": "-86400"},
    "not valid yet": {"nbf": "+120"},
    "no acr": {"acr": None},
    "an unknown acr": {"acr": "urn:mace:incommon:iap:silver"},
    "an acr of level zero": {"acr": "0"},
    "no person": {"resident_number": None},
    "a person that is a list": {"resident_number": ["RN-0000000"]},
    "a person outside the scheme": {"resident_number": "RN-12"},
    "a person with a wrong check digit": {"resident_number": "RN-1234560"},
    "a very long person": {"resident_number": "R" * 300},
    "no sub": {"sub": None},
    "an empty sub": {"sub": ""},
    "a sub that is a list": {"sub": ["sub-1"]},
    "a sid that is a number": {"sid": 1},
    "another access token's hash": {"at_hash": "A" * 22},
    "a hash that is no text": {"at_hash": 7},
    "a sign-in of the future": {"auth_time": "+3600"},
    "a sign-in time that is true": {"auth_time": True},
}


@pytest.mark.parametrize("name", EVIL_CLAIMS)
def test_an_id_token_with_a_wrong_claim_signs_nobody_in(stage: Stage, name: str) -> None:
    now = int(time.time())
    for claim, value in EVIL_CLAIMS[name].items():
        relative = isinstance(value, str) and value[:1] in "+-" and value[1:].isdecimal()
        stage.evil.claims[claim] = now + int(value) if relative else value
    if name == "the issuer with a slash":
        stage.evil.claims["iss"] = stage.evil.issuer + "/"
    browser, answer = stage.sign_in()
    refused(browser, answer)


def test_an_access_token_hash_that_is_right_is_accepted(stage: Stage) -> None:
    half = hashlib.sha256(b"a").digest()[:16]
    stage.evil.claims["at_hash"] = urlsafe_b64encode(half).rstrip(b"=").decode()
    assert let_in(*stage.sign_in())


def test_a_hash_without_an_access_token_signs_nobody_in(stage: Stage) -> None:
    stage.evil.claims["at_hash"] = "A" * 22
    stage.evil.response["access_token"] = None
    refused(*stage.sign_in())


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ({"alg": "none", "kid": None}, None),
        ({"alg": "None"}, None),
        ({"alg": "ES256"}, STRANGER),
        ({"alg": "ES256", "kid": "ec"}, STRANGER),
        ({"alg": "ES256", "kid": "unknown"}, STRANGER),
        ({"alg": "RS256", "kid": "rsa"}, RSA),
        ({"alg": "ES256", "kid": "ec", "crit": ["b64"]}, STRANGER),
        ({"alg": "ES256", "typ": "at+jwt"}, STRANGER),
    ],
    ids=lambda part: str(part) if isinstance(part, dict) else "",
)
def test_a_token_that_the_provider_did_not_properly_sign_signs_nobody_in(
    stage: Stage, header: dict[str, Any], key: Any
) -> None:
    stage.evil.header, stage.evil.key = header, key
    refused(*stage.sign_in())


def test_a_key_in_the_header_is_not_used(stage: Stage) -> None:
    stage.evil.key = STRANGER
    stage.evil.header = {
        "jwk": STRANGER.as_dict(private=False),
        "jku": f"{stage.evil.issuer}/evil-jwks",
        "x5u": f"{stage.evil.issuer}/evil-x5u",
    }
    refused(*stage.sign_in())
    assert {"/evil-jwks", "/evil-x5u"} & {path for path, _ in stage.evil.asked} == set()


def test_an_hmac_under_the_public_key_signs_nobody_in(stage: Stage) -> None:
    browser = Browser()
    asked = stage.start(browser)
    signed, _, _ = stage.evil.id_token().rpartition(".")
    header = urlsafe_b64encode(b'{"alg":"HS256","kid":"ec"}').rstrip(b"=").decode()
    signed = f"{header}.{signed.partition('.')[2]}"
    mac = hmac.digest(EC.as_pem(private=False), signed.encode(), "sha256")
    mark = urlsafe_b64encode(mac).rstrip(b"=").decode()
    stage.evil.response["id_token"] = f"{signed}.{mark}"
    refused(browser, stage.back(browser, asked))


def test_the_providers_other_keys_sign_with_their_own_algorithm(stage: Stage) -> None:
    stage.evil.header, stage.evil.key = {"alg": "EdDSA", "kid": "ed"}, ED
    assert let_in(*stage.sign_in())
    stage.evil.header, stage.evil.key = {"alg": "PS256", "kid": "rsa"}, RSA
    assert let_in(*stage.sign_in())


def test_a_token_of_one_alg_under_the_kid_of_another_kind_of_key_signs_nobody_in(
    stage: Stage,
) -> None:
    stage.evil.header, stage.evil.key = {"alg": "EdDSA", "kid": "ec"}, ED
    refused(*stage.sign_in())
    stage.evil.header, stage.evil.key = {"alg": "PS256", "kid": "ec"}, RSA
    refused(*stage.sign_in())


def test_a_flood_of_unknown_keys_has_the_gateway_look_for_them_once(stage: Stage) -> None:
    stage.evil.header, stage.evil.key = {"alg": "ES256", "kid": "unknown"}, STRANGER
    for _ in range(12):
        refused(*stage.sign_in())
    assert stage.evil.count("/jwks") <= 1


EVIL_RESPONSES: dict[str, dict[str, Any]] = {
    "no id_token": {"id_token": None},
    "an id_token that is a list": {"id_token": ["x"]},
    "an id_token that is no token": {"id_token": "x"},
    "an empty id_token": {"id_token": ""},
    "a huge id_token": {"id_token": "x" * 20_000},
    "an access token that is an object": {"access_token": {}},
}


@pytest.mark.parametrize("name", EVIL_RESPONSES)
def test_a_token_response_that_is_not_one_signs_nobody_in(stage: Stage, name: str) -> None:
    stage.evil.response = EVIL_RESPONSES[name]
    refused(*stage.sign_in())


EVIL_BYTES = {
    "an error": (Raw(400, b'{"error": "invalid_grant"}'), 400),
    "a redirect to a good answer": (Raw(307, b"{}", {"Location": "/token2"}), 503),
    "more than we read": (Raw(200, b'{"a": "' + b"x" * 200_000 + b'"}'), 503),
    "more than we read, of no stated size": (
        Raw(200, b'{"a": "' + b"x" * 200_000 + b'"}', sized=False),
        503,
    ),
    "a page": (Raw(200, b"<p>", {"Content-Type": "text/html"}), 503),
    "JSON that says twice": (Raw(200, b'{"id_token": "a", "id_token": "b"}'), 503),
    "JSON without end": (Raw(200, b"[" * 5000), 503),
    "a list": (Raw(200, b"[]"), 503),
    "nothing": (Raw(200, b""), 503),
    "no UTF-8": (Raw(200, b'{"\xff": 1}'), 503),
    "a failure": (Raw(500, b"{}"), 400),
}


@pytest.mark.parametrize("name", EVIL_BYTES)
def test_bytes_that_are_no_answer_sign_nobody_in(stage: Stage, name: str) -> None:
    stage.evil.raw["/token"], status = EVIL_BYTES[name]
    browser, answer = stage.sign_in()
    refused(browser, answer, status)
    assert stage.evil.count("/token2") == 0


def test_an_answer_that_drips_is_given_up_though_it_is_honest(stage: Stage) -> None:
    browser = Browser()
    asked = stage.start(browser)
    honest = json.dumps(stage.evil.tokens()).encode()
    stage.evil.raw["/token"] = Raw(200, honest, drip=0.05)
    refused(browser, stage.back(browser, asked), 503)


def test_a_state_works_once(stage: Stage) -> None:
    browser = Browser()
    asked = stage.start(browser)
    cookies = dict(browser.jar)
    assert let_in(browser, stage.back(browser, asked))
    again = Browser(cookies)
    refused(again, stage.back(again, asked))
    assert stage.evil.count("/token") == 1


def test_of_many_who_come_back_with_one_state_one_is_let_in(stage: Stage) -> None:
    browser = Browser()
    asked = stage.start(browser)
    browsers = [Browser(dict(browser.jar)) for _ in range(8)]
    gate, told = threading.Barrier(8), []

    def come(one: Browser) -> None:
        gate.wait()
        told.append(let_in(one, stage.back(one, asked)))

    threads = [threading.Thread(target=come, args=(one,)) for one in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [False] * 7 + [True]
    assert stage.evil.count("/token") == 1


def test_an_attackers_code_does_not_sign_a_victim_in(stage: Stage) -> None:
    attacker, victim = Browser(), Browser()
    asked = stage.start(attacker)
    refused(victim, stage.back(victim, asked))
    own = stage.start(victim)
    mixed = stage.back(victim, {**own, "state": asked["state"]})
    refused(victim, mixed)
    assert stage.evil.count("/token") == 0


def test_a_cookie_under_another_states_name_opens_nothing(stage: Stage) -> None:
    browser = Browser()
    first, second = stage.start(browser), stage.start(browser)
    names = [f"__Host-signin-{one['state'][:16]}" for one in (first, second)]
    browser.jar[names[0]], browser.jar[names[1]] = browser.jar[names[1]], browser.jar[names[0]]
    refused(browser, stage.back(browser, first))
    refused(browser, stage.back(browser, second))


@pytest.mark.parametrize("change", ["", "A", "cut", "flipped"])
def test_a_cookie_that_was_changed_opens_nothing(stage: Stage, change: str) -> None:
    browser = Browser()
    asked = stage.start(browser)
    [name] = browser.jar
    value = browser.jar[name]
    middle = len(value) // 2
    flipped = value[:middle] + ("A" if value[middle] != "A" else "B") + value[middle + 1 :]
    browser.jar[name] = {"cut": value[:-4], "flipped": flipped}.get(change, change)
    refused(browser, stage.back(browser, asked))


@pytest.mark.parametrize("state", [None, "", "x", "A" * 43, "\x00", "é", "A" * 5000])
def test_a_state_that_is_not_ours_signs_nobody_in(stage: Stage, state: str | None) -> None:
    browser = Browser()
    asked = stage.start(browser)
    refused(browser, stage.back(browser, asked, state=state))


@pytest.mark.parametrize("iss", [None, "", "https://login.example", "+/", "+\x00"])
def test_an_answer_of_another_provider_signs_nobody_in(stage: Stage, iss: str | None) -> None:
    browser = Browser()
    asked = stage.start(browser)
    named = stage.evil.issuer + iss[1:] if iss and iss[0] == "+" else iss
    refused(browser, stage.back(browser, asked, iss=named))
    assert stage.evil.count("/token") == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"code": None},
        {"code": ""},
        {"code": "c" * 2000},
        {"error": "access_denied", "code": None},
        {"error": "server_error"},
        {"error": '"><script>alert(1)</script>', "code": None},
        {"error": "login_required", "error_description": "<b>bold</b>", "code": None},
    ],
    ids=str,
)
def test_an_answer_without_a_code_signs_nobody_in(
    stage: Stage, changed: dict[str, str | None]
) -> None:
    browser = Browser()
    answer = stage.back(browser, stage.start(browser), **changed)
    refused(browser, answer)
    assert "<script>" not in answer.body
    assert "<b>bold" not in answer.body
    assert stage.evil.count("/token") == 0


def test_a_parameter_twice_signs_nobody_in(stage: Stage) -> None:
    browser = Browser()
    asked = stage.start(browser)
    query = f"code=a&code=b&state={asked['state']}&iss={quote(stage.evil.issuer)}"
    refused(browser, browser.get(f"{asked['redirect_uri']}?{query}"))


BAD_TARGETS = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/home\r\nSet-Cookie: a=b",
    "/home\t",
    "/\t/evil.example",
    " /home",
    "/./home",
    "/../home",
    "/home/..//evil.example",
    "/home//",
    "/home/",
    "/home#@evil.example",
    "/@evil.example",
    "/ho\x00me",
    "home",
    "",
    "/é",
    "/login",
    "/login?to=/home",
    "/logout",
    "/officer",
    "/officer/cases",
    "/" + "a" * 600,
]


@pytest.mark.parametrize("target", BAD_TARGETS)
def test_nobody_is_led_out_of_the_house(stage: Stage, target: str) -> None:
    browser = Browser()
    answer = browser.get(f"{stage.gateway}/login?{urlencode({'to': target})}")
    assert answer.status == 400, answer.location
    assert browser.jar == {}


@pytest.mark.parametrize("query", ["to=/home&to=/consents", "level=vast", "level=", "to=/a%zz%"])
def test_a_login_that_cannot_be_read_is_refused(stage: Stage, query: str) -> None:
    assert Browser().get(f"{stage.gateway}/login?{query}").status == 400


@pytest.mark.parametrize(
    ("level", "acr"), [("substantial", LOW), ("high", SUBSTANTIAL), ("high", None)]
)
def test_a_weaker_sign_in_than_was_asked_for_signs_nobody_in(
    stage: Stage, level: str, acr: str | None
) -> None:
    stage.evil.claims["acr"] = acr
    refused(*stage.sign_in(f"/login?to=/home&level={level}"))


def test_a_stronger_sign_in_than_was_asked_for_is_welcome(stage: Stage) -> None:
    stage.evil.claims["acr"] = HIGH
    assert let_in(*stage.sign_in("/login?to=/home&level=substantial"))


@pytest.mark.parametrize("at", [None, -3600, -DAY])
def test_the_highest_level_wants_a_fresh_sign_in(stage: Stage, at: int | None) -> None:
    stage.evil.claims["acr"] = HIGH
    stage.evil.claims["auth_time"] = None if at is None else int(time.time()) + at
    refused(*stage.sign_in("/login?to=/home&level=high"))


def test_the_level_in_the_cookie_cannot_be_lowered_on_the_way(stage: Stage) -> None:
    browser = Browser()
    weak = stage.start(browser, "/login?to=/home&level=low")
    strong = stage.start(browser, "/login?to=/home&level=high")
    weak_cookie = browser.jar[f"__Host-signin-{weak['state'][:16]}"]
    browser.jar[f"__Host-signin-{strong['state'][:16]}"] = weak_cookie
    refused(browser, stage.back(browser, strong))


def test_a_resident_does_not_become_an_officer(stage: Stage) -> None:
    browser = Browser()
    asked = stage.start(browser, "/officer/login?to=/officer")
    refused(browser, stage.back(browser, asked))
    for roles in ([], ["resident"], "privacy", {"privacy-officer": True}, [["privacy-officer"]]):
        stage.evil.claims["roles"] = roles
        browser = Browser()
        refused(browser, stage.back(browser, stage.start(browser, "/officer/login?to=/officer")))


def test_an_officer_signs_in_through_the_officers_door_alone(stage: Stage) -> None:
    stage.evil.claims["roles"] = ["privacy-officer"]
    browser = Browser()
    answer = stage.back(browser, stage.start(browser, "/officer/login?to=/officer"))
    assert answer.status == 303
    assert set(answer.cookies) >= {"__Host-officer"}
    assert "__Host-resident" not in browser.jar


def test_an_answer_for_one_door_opens_not_the_other(stage: Stage) -> None:
    stage.evil.claims["roles"] = ["privacy-officer"]
    browser = Browser()
    asked = stage.start(browser)
    officer = {**asked, "redirect_uri": f"{stage.gateway}/officer/login/callback"}
    refused(browser, stage.back(browser, officer))
    assert let_in(browser, stage.back(browser, asked))


def test_signing_in_changes_the_name_of_the_session(stage: Stage) -> None:
    planted = "A" * 43
    browser = Browser({"__Host-resident": planted})
    assert let_in(browser, stage.back(browser, stage.start(browser)))
    first = browser.jar["__Host-resident"]
    assert first != planted
    stage.evil.claims["acr"] = HIGH
    assert let_in(browser, stage.back(browser, stage.start(browser, "/login?to=/home&level=high")))
    assert browser.jar["__Host-resident"] not in {planted, first}
    assert Browser({"__Host-resident": first}).get(f"{stage.gateway}/home").status == 303


def test_whoever_is_signed_in_enough_goes_straight_on(stage: Stage) -> None:
    browser, answer = stage.sign_in()
    assert let_in(browser, answer)
    again = browser.get(f"{stage.gateway}/login?to=/consents")
    assert again.location == f"{stage.gateway}/consents"
    more = browser.get(f"{stage.gateway}/login?to=/consents&level=substantial")
    assert more.location.startswith(stage.evil.issuer)


def home_is_open(stage: Stage, browser: Browser) -> bool:
    return browser.get(f"{stage.gateway}/home").status == 200


def ended(stage: Stage, token: str, path: str = "/backchannel-logout") -> Answer:
    return Browser().post(stage.gateway + path, {"logout_token": token})


def test_the_provider_ends_a_session(stage: Stage) -> None:
    stage.evil.claims["sid"] = "sid-to-end"
    browser, _ = stage.sign_in()
    assert home_is_open(stage, browser)
    answer = ended(stage, stage.evil.logout_token(sid="sid-to-end"))
    assert answer.status == 200
    assert answer.header("Cache-Control") == "no-store"
    assert not home_is_open(stage, browser)


def test_the_provider_ends_every_session_of_a_person(stage: Stage) -> None:
    stage.evil.claims["sub"] = "sub-to-end"
    browsers = [stage.sign_in()[0] for _ in range(2)]
    assert ended(stage, stage.evil.logout_token(sid=None, sub="sub-to-end")).status == 200
    assert [home_is_open(stage, one) for one in browsers] == [False, False]


def test_a_session_that_we_do_not_know_is_ended_too(stage: Stage) -> None:
    assert ended(stage, stage.evil.logout_token(sid="never-seen")).status == 200


EVIL_LOGOUTS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://login.example"},
    "another audience": {"aud": "somebody-else"},
    "an audience beside us": {"aud": [CLIENT, "somebody-else"]},
    "the officers' audience": {"aud": OFFICERS},
    "a nonce": {"nonce": "n"},
    "no events": {"events": None},
    "another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "events as a list": {"events": [EVENT]},
    "an event that is true": {"events": {EVENT: True}},
    "neither sub nor sid": {"sub": None, "sid": None},
    "a sid that is a list": {"sid": ["sid-1"]},
    "no jti": {"jti": None},
    "a jti that is a number": {"jti": 7},
    "no iat": {"iat": None},
    "made long ago": {"iat": 1_000_000_000},
    "made ahead": {"iat": 4_000_000_000, "exp": 4_000_000_100},
    "expired": {"exp": 1_000_000_000},
}


@pytest.mark.parametrize("name", EVIL_LOGOUTS)
def test_a_logout_token_with_a_wrong_claim_ends_nothing(stage: Stage, name: str) -> None:
    browser, _ = stage.sign_in()
    answer = ended(stage, stage.evil.logout_token(**EVIL_LOGOUTS[name]))
    assert answer.status == 400, answer.body
    assert json.loads(answer.body)["error"] == "invalid_request"
    assert home_is_open(stage, browser)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ({"alg": "none"}, None),
        ({}, STRANGER),
        ({"typ": "at+jwt"}, "right"),
        ({"alg": "RS256", "kid": "rsa"}, RSA),
    ],
    ids=lambda part: str(part) if isinstance(part, dict) else "",
)
def test_a_logout_token_that_the_provider_did_not_sign_ends_nothing(
    stage: Stage, header: dict[str, Any], key: Any
) -> None:
    browser, _ = stage.sign_in()
    stage.evil.header = header
    stage.evil.key = stage.evil.key if key == "right" else key
    assert ended(stage, stage.evil.logout_token()).status == 400
    assert home_is_open(stage, browser)


def test_an_id_token_ends_nothing(stage: Stage) -> None:
    browser, _ = stage.sign_in()
    assert ended(stage, stage.evil.id_token()).status == 400
    assert home_is_open(stage, browser)


def test_a_logout_token_counts_once(stage: Stage) -> None:
    token = stage.evil.logout_token(sid=None, sub="sub-1")
    assert ended(stage, token).status == 200
    browser, _ = stage.sign_in()
    assert ended(stage, token).status == 400
    assert home_is_open(stage, browser)


def test_a_logout_token_at_the_other_door_ends_nothing(stage: Stage) -> None:
    browser, _ = stage.sign_in()
    answer = ended(stage, stage.evil.logout_token(), "/officer/backchannel-logout")
    assert answer.status == 400
    assert home_is_open(stage, browser)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("", "application/x-www-form-urlencoded"),
        ("logout_token=a&logout_token=b", "application/x-www-form-urlencoded"),
        ("logout_token=" + "a" * 20_000, "application/x-www-form-urlencoded"),
        ("logout_token=%ff", "application/x-www-form-urlencoded"),
        ('{"logout_token": "a"}', "application/json"),
    ],
)
def test_a_logout_that_cannot_be_read_is_refused(stage: Stage, body: str, kind: str) -> None:
    answer = Browser().send(
        "POST", f"{stage.gateway}/backchannel-logout", body, {"Content-Type": kind}
    )
    assert answer.status in {400, 413}


def test_a_flood_of_bad_logouts_is_answered_without_asking_the_provider(stage: Stage) -> None:
    stage.sign_in()
    stage.evil.asked.clear()
    stage.evil.header, stage.evil.key = {"kid": "unknown"}, STRANGER
    answers = [ended(stage, stage.evil.logout_token()).status for _ in range(60)]
    assert set(answers) == {400}
    assert len(stage.evil.asked) <= 1


def csrf_of(page: Answer) -> str:
    return hidden(page.body)[CSRF_FIELD]


def test_logging_out_ends_the_session_and_goes_to_the_provider(stage: Stage) -> None:
    browser, _ = stage.sign_in()
    token = csrf_of(browser.get(f"{stage.gateway}/home"))
    kept = dict(browser.jar)
    answer = browser.post(f"{stage.gateway}/logout", {"token": token})
    assert answer.status == 303
    to = urlsplit(answer.location)
    assert f"{to.scheme}://{to.netloc}{to.path}" == f"{stage.evil.issuer}/end"
    assert answer.query() == {
        "client_id": CLIENT,
        "post_logout_redirect_uri": f"{stage.gateway}/",
    }
    assert "__Host-resident" not in browser.jar
    assert not home_is_open(stage, Browser(kept))


@pytest.mark.parametrize(
    ("csrf", "headers"),
    [
        ("", {}),
        ("A" * 43, {}),
        ("right", {"Origin": "https://evil.example"}),
        ("right", {"Origin": "null"}),
        ("right", {"Sec-Fetch-Site": "cross-site"}),
        ("right", {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_another_site_cannot_log_anybody_out(
    stage: Stage, csrf: str, headers: dict[str, str]
) -> None:
    browser, _ = stage.sign_in()
    token = csrf_of(browser.get(f"{stage.gateway}/home")) if csrf == "right" else csrf
    answer = browser.post(f"{stage.gateway}/logout", {"token": token}, headers)
    assert answer.status in {400, 403}
    assert home_is_open(stage, browser)


@pytest.mark.parametrize("path", ["/logout", "/backchannel-logout", "/officer/logout"])
def test_a_get_logs_nobody_out(stage: Stage, path: str) -> None:
    browser, _ = stage.sign_in()
    assert browser.get(stage.gateway + path).status == 405
    assert home_is_open(stage, browser)
