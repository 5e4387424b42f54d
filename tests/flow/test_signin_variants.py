"""Providers and configurations differ: what each of them changes, in process, over real HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from crypto.keys import KeyRing
from identity.login import Login
from identity.login_views import CSRF_FIELD, Door, LoginViews, paths
from identity.model import Level, Realm, SignedIn
from identity.oidc_attempt import Attempts
from identity.oidc_logout import BackChannel
from identity.oidc_model import Relying
from identity.oidc_provider import Provider
from identity.oidc_token import IdTokens
from identity.replay import EmbeddedReplay
from identity.sessions_embedded import EmbeddedSessions, SessionFile
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.keyvalue import KeyValue
from kernel.names import Subject
from tests.attacks.evil_provider import CLIENT, HIGH, RSA, Evil, Raw, evil_provider

URL = "http://127.0.0.1:8080"
STATUS = {
    Reason.SIGNIN_FAILED: 400,
    Reason.SIGNIN_UNAVAILABLE: 503,
    Reason.STATE_UNAVAILABLE: 503,
    Reason.SUBJECT_MALFORMED: 400,
    Reason.REQUEST_MALFORMED: 400,
}


class House:
    """The sign-in of residents over real stores, as the composition root puts it together."""

    def __init__(self, directory: Path, evil: Evil, **changed: Any) -> None:
        self.evil = evil
        clock, chance = SystemClock(), SystemChance()
        keys = KeyRing.open(directory / "keys", chance, clock)
        self.store = KeyValue.open(directory / "replay", clock, "boot-1", lambda: True)
        self.file = SessionFile.open(directory / "sessions", clock, "boot-1")
        replay = EmbeddedReplay(self.store)
        root = keys.pseudonym.value
        self.sessions = EmbeddedSessions(self.file, root, clock, chance)
        given = {
            "realm": Realm.RESIDENT,
            "issuer": evil.issuer,
            "client_id": CLIENT,
            "public_url": URL,
            "algorithms": frozenset({"ES256"}),
            "person_claim": "resident_number",
            "role": "privacy-officer",
            "subject": lambda value: Subject("resident-number", value),
        }
        relying = Relying(**{**given, **changed})
        provider = Provider(relying.issuer, clock)
        tokens = IdTokens(relying, provider, clock)
        attempts = Attempts(relying.realm, root, replay, clock, chance)
        login = Login(relying, provider, attempts, tokens, keys.signin, clock, chance)
        door = Door(login, BackChannel(relying, tokens, replay, self.sessions, clock))
        views = LoginViews(
            {relying.realm: door}, self.sessions, URL, keys.signin_jwks(), clock
        ).by_name()
        app = Flask("house", static_folder=None)
        for name, (method, path) in paths().items():
            app.add_url_rule(path, name, views[name], methods=[method])
        app.register_error_handler(Refusal, self.refused)
        self.browser: FlaskClient = app.test_client()
        self.back: str | None = None

    def refused(self, refusal: Refusal) -> Response:
        self.back = refusal.back
        return Response(refusal.detail, STATUS[refusal.reason])

    def start(self, path: str = "/login?to=/home") -> str:
        """Go to the provider and return the state."""
        sent = self.browser.get(path, base_url=URL)
        assert sent.status_code == 303, sent.text
        query = urlsplit(sent.headers["Location"]).query
        self.asked = {name: values[0] for name, values in parse_qs(query).items()}
        self.evil.nonce = self.asked["nonce"]
        return self.asked["state"]

    def come_back(self, state: str, iss: bool = True) -> TestResponse:
        query = {"code": "c", "state": state, **({"iss": self.evil.issuer} if iss else {})}
        return self.browser.get("/login/callback", query_string=query, base_url=URL)

    def sign_in(self, path: str = "/login?to=/home") -> TestResponse:
        return self.come_back(self.start(path))

    def cookie(self) -> str:
        kept = self.browser.get_cookie("__Host-resident", domain="127.0.0.1")
        return "" if kept is None else kept.value

    def session(self) -> Any:
        return self.sessions.find(Realm.RESIDENT, self.cookie())


@pytest.fixture
def evil() -> Iterator[Evil]:
    with evil_provider() as started:
        started.person = "RN-1000001"
        yield started


def test_the_person_may_stand_in_any_claim(tmp_path: Path, evil: Evil) -> None:
    evil.claims = {"sub": "RN-7", "resident_number": None}
    house = House(tmp_path, evil, person_claim="sub")
    house.sign_in()
    assert house.session().who.person.value == "RN-7"
    assert "resident_number" not in house.asked["claims"]


def test_a_session_knows_who_how_strongly_and_since_when(tmp_path: Path, evil: Evil) -> None:
    evil.claims = {"acr": HIGH, "auth_time": 1_700_000_000, "sub": "s", "sid": None}
    house = House(tmp_path, evil)
    house.sign_in()
    who = house.session().who
    assert (who.level, who.auth_time, who.sub, who.sid) == (Level.HIGH, 1_700_000_000, "s", None)
    assert who.issuer == evil.issuer
    assert who.person.value == "RN-1000001"


def test_a_sign_in_of_no_stated_time_is_never_fresh(tmp_path: Path, evil: Evil) -> None:
    evil.claims = {"acr": HIGH, "auth_time": None}
    house = House(tmp_path, evil)
    house.sign_in()
    assert house.session().who.auth_time == 0
    again = house.browser.get("/login?to=/home&level=high", base_url=URL)
    assert again.headers["Location"].startswith(evil.issuer)


def test_the_highest_level_is_enough_while_it_is_fresh(tmp_path: Path, evil: Evil) -> None:
    evil.claims = {"acr": HIGH}
    house = House(tmp_path, evil)
    house.sign_in("/login?to=/home&level=high")
    assert house.asked["max_age"] == "240"
    again = house.browser.get("/login?to=/consents&level=high", base_url=URL)
    assert again.headers["Location"] == "/consents"


def test_rs256_serves_where_both_sides_say_so(tmp_path: Path, evil: Evil) -> None:
    evil.header, evil.key = {"alg": "RS256", "kid": "rsa"}, RSA
    house = House(tmp_path, evil, algorithms=frozenset({"RS256"}))
    assert house.sign_in().status_code == 303
    evil.document = {"id_token_signing_alg_values_supported": ["ES256"]}
    other = House(tmp_path, evil, algorithms=frozenset({"RS256"}))
    assert other.sign_in().status_code == 400


def test_a_provider_that_does_not_name_itself_need_not(tmp_path: Path, evil: Evil) -> None:
    evil.document = {"authorization_response_iss_parameter_supported": None}
    house = House(tmp_path, evil)
    assert house.come_back(house.start(), iss=False).status_code == 303


def test_a_provider_that_does_not_name_itself_may_not_name_another(
    tmp_path: Path, evil: Evil
) -> None:
    evil.document = {"authorization_response_iss_parameter_supported": None}
    house = House(tmp_path, evil)
    state, evil.issuer = house.start(), "https://other.example"
    assert house.come_back(state).status_code == 400


def test_a_provider_without_an_end_leaves_us_at_our_front_page(tmp_path: Path, evil: Evil) -> None:
    evil.document = {"end_session_endpoint": None}
    house = House(tmp_path, evil)
    house.sign_in()
    form = {CSRF_FIELD: house.session().csrf}
    answer = house.browser.post("/logout", data=form, base_url=URL)
    assert answer.headers["Location"] == f"{URL}/"
    assert house.cookie() == ""


def test_whoever_is_not_signed_in_is_signed_out_already(tmp_path: Path, evil: Evil) -> None:
    answer = House(tmp_path, evil).browser.post("/logout", base_url=URL)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_a_provider_that_is_away_does_not_keep_anybody_signed_in(
    tmp_path: Path, evil: Evil
) -> None:
    house = House(tmp_path, evil)
    kept = house.sessions.begin(_who(evil))
    house.browser.set_cookie("__Host-resident", kept, domain="127.0.0.1", secure=True)
    evil.raw["/.well-known/openid-configuration"] = Raw(500)
    form = {CSRF_FIELD: house.session().csrf}
    assert house.browser.post("/logout", data=form, base_url=URL).headers["Location"] == "/"
    assert house.sessions.find(Realm.RESIDENT, kept) is None


def test_a_provider_that_is_away_signs_nobody_in(tmp_path: Path, evil: Evil) -> None:
    evil.raw["/.well-known/openid-configuration"] = Raw(500)
    answer = House(tmp_path, evil).browser.get("/login", base_url=URL)
    assert answer.status_code == 503
    assert "Set-Cookie" not in answer.headers


def test_where_signing_in_is_not_set_up_nobody_signs_in(tmp_path: Path, evil: Evil) -> None:
    browser = House(tmp_path, evil).browser
    assert browser.get("/officer/login", base_url=URL).status_code == 503
    assert browser.get("/officer/login/callback?state=a", base_url=URL).status_code == 503
    told = browser.post("/officer/backchannel-logout", data={"logout_token": "a"}, base_url=URL)
    assert told.status_code == 503


def test_without_a_memory_of_used_states_nobody_is_let_in(tmp_path: Path, evil: Evil) -> None:
    house = House(tmp_path, evil)
    state = house.start()
    house.store._connection.close()
    assert house.come_back(state).status_code == 503
    assert house.cookie() == ""


def test_without_a_store_of_sessions_nobody_is_let_in(tmp_path: Path, evil: Evil) -> None:
    house = House(tmp_path, evil)
    state = house.start()
    house.file._connection.close()
    answer = house.come_back(state)
    assert answer.status_code == 503
    assert house.cookie() == ""


def test_a_logout_that_cannot_be_carried_out_is_not_called_done(tmp_path: Path, evil: Evil) -> None:
    house = House(tmp_path, evil)
    house.sign_in()
    house.file._connection.close()
    form = {"logout_token": evil.logout_token()}
    answer = house.browser.post("/backchannel-logout", data=form, base_url=URL)
    assert answer.status_code == 503
    assert json.loads(answer.text) == {"error": "temporarily_unavailable"}


def test_a_person_outside_the_scheme_is_nobody_here(tmp_path: Path, evil: Evil) -> None:
    def refuse(value: str) -> Subject:
        raise Refusal(Reason.SUBJECT_MALFORMED, "The number is not one.")

    house = House(tmp_path, evil, subject=refuse)
    answer = house.sign_in()
    assert answer.status_code == 400
    assert "RN-1000001" not in answer.text
    assert house.cookie() == ""


def test_a_sign_in_that_failed_knows_the_page_that_was_wanted(tmp_path: Path, evil: Evil) -> None:
    evil.claims = {"nonce": "another"}
    house = House(tmp_path, evil)
    assert house.sign_in("/login?to=/requests/rq_1").status_code == 400
    assert house.back == "/requests/rq_1"


def test_many_tabs_leave_few_cookies(tmp_path: Path, evil: Evil) -> None:
    house = House(tmp_path, evil)
    for _ in range(9):
        state = house.start()
    assert house.come_back(state).status_code == 303


def _who(evil: Evil) -> Any:
    subject = Subject("resident-number", "RN-1")
    return SignedIn(Realm.RESIDENT, evil.issuer, "s", subject, Level.LOW, 0, None)
