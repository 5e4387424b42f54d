"""The sign-in stands apart: a flood of it stops no agency, and it may be at another host."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import short_lived as kept
from kernel.clock import SECOND
from kernel.errors import Reason, Refusal
from tests.attacks.evil_provider import CLIENT, OFFICERS, Evil, evil_provider
from tests.house import House, house

URL = "http://127.0.0.1:8000"
LIFE = 60


@pytest.fixture
def provider() -> Iterator[Evil]:
    with evil_provider() as evil:
        yield evil


def at(provider: Evil) -> dict[str, str]:
    """Return the settings of a gateway that signs people in there."""
    return {
        "GATEWAY_PUBLIC_URL": URL,
        "GATEWAY_OIDC_ISSUER": provider.issuer,
        "GATEWAY_OIDC_CLIENT_ID": CLIENT,
        "GATEWAY_OFFICER_OIDC_CLIENT_ID": OFFICERS,
    }


@pytest.fixture
def home(tmp_path: Path, provider: Evil) -> Iterator[House]:
    with house(tmp_path / "state", **at(provider)) as opened:
        yield opened


def went(home: House, path: str = "/login?to=/home"):
    return home.client.get(path, base_url=URL)


def came_back(home: House, sent) -> int:
    """Come back from the provider with an attempt of one's own; return the status."""
    cookie = sent.headers["Set-Cookie"].partition(";")[0]
    state = sent.headers["Location"].partition("state=")[2].partition("&")[0]
    way = f"/login/callback?code=c&state={state}"
    return home.client.get(way, base_url=URL, headers={"Cookie": cookie}).status_code


def claimed(replay, home: House, jti: str) -> bool:
    now = home.rooms.clock.now() // SECOND
    return replay.claim("agencies", "key", jti, now, now + LIFE)


def test_a_flood_of_sign_ins_keeps_no_agency_from_proving_itself(tmp_path, provider, monkeypatch):
    monkeypatch.setattr(kept, "MOST_ATTEMPTS", 0)
    with house(tmp_path / "state", **at(provider)) as home:
        assert came_back(home, went(home)) == 503
        stores = kept.short_lived(home.rooms)
        with pytest.raises(Refusal) as full:
            claimed(stores.attempts, home, "one")
        assert full.value.reason is Reason.STATE_UNAVAILABLE
        assert claimed(stores.replay, home, "one")


def test_at_the_very_first_start_agencies_and_people_are_let_in_at_once(home: House):
    stores = kept.short_lived(home.rooms)
    assert claimed(stores.replay, home, "first")
    assert claimed(stores.attempts, home, "first")
    assert came_back(home, went(home)) == 400, "it came as far as the provider's answer"


@pytest.mark.parametrize("path", ["/login?to=/home", "/officer/login?to=/officer"])
def test_a_sign_in_at_the_issuers_own_host_is_a_redirect(home: House, provider: Evil, path: str):
    sent = went(home, path)
    assert sent.status_code == 303
    assert sent.headers["Location"].startswith(f"{provider.issuer}/authorize?")


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Go on"), ("fr", "Continuer"), ("ar", "متابعة")],
)
def test_a_sign_in_at_another_host_is_led_to_by_a_page(home, provider, language, words):
    provider.document["authorization_endpoint"] = "http://localhost:1/authorize?x=1"
    sent = home.client.get("/login?to=/home", base_url=URL, headers={"Accept-Language": language})
    assert sent.status_code == 200
    assert sent.headers["Refresh"].startswith("0; url=http://localhost:1/authorize?x=1&")
    assert 'href="http://localhost:1/authorize?x=1&amp;' in sent.text
    assert f'lang="{language}"' in sent.text
    assert f">{words}</a>" in sent.text
    assert "__Host-signin-" in sent.headers["Set-Cookie"]
    assert sent.headers["Cache-Control"] == "no-store"


def test_a_sign_out_at_another_host_is_led_to_by_a_page(home: House, provider: Evil):
    provider.document["end_session_endpoint"] = "http://localhost:1/end"
    cookie = {"Cookie": home.visitor(home.person()).cookie, "Origin": URL}
    [token, *_] = re.findall(
        r'name="token" value="([^"]+)"', home.client.get("/home", base_url=URL, headers=cookie).text
    )
    answer = home.client.post("/logout", base_url=URL, headers=cookie, data={"token": token})
    assert answer.status_code == 200
    assert answer.headers["Refresh"].startswith("0; url=http://localhost:1/end?")
    assert home.client.get("/home", base_url=URL, headers=cookie).status_code == 303
