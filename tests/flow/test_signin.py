"""Signing in at the try-out provider, through the real gateway: a resident, an officer, and out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.demo.country import ROOT
from tests.browserless import Browser, hidden, pick, sign_in
from tests.country import RunningCountry
from tests.ports import free_port


def signin(country: RunningCountry) -> str:
    return str(country.document["signin"])


def is_open(country: RunningCountry, browser: Browser, path: str = "/home") -> bool:
    return browser.get(country.gateway + path).status == 200


def test_a_visitor_is_led_through_the_sign_in_to_the_page_they_wanted(
    country: RunningCountry,
) -> None:
    browser, resident = Browser(), country.resident()
    page = browser.follow(browser.get(f"{country.gateway}/consents"))
    assert page.url.startswith(f"{signin(country)}/authorize?")
    assert "for trying out" in page.body
    answer = browser.follow(pick(browser, page, resident.number))
    assert answer.url == f"{country.gateway}/consents"
    assert answer.status == 200


def test_everybody_in_the_document_can_sign_in_by_their_name_there(
    country: RunningCountry,
) -> None:
    page = Browser().follow(Browser().get(f"{country.gateway}/login"))
    for one in country.document["residents"]:
        assert f'<option value="{one["signin"]}">' in page.body


def test_a_step_up_leads_to_a_new_session_at_the_page(country: RunningCountry) -> None:
    browser, resident = Browser(), country.resident()
    sign_in(browser, country.gateway, resident.number)
    first = browser.jar["__Host-resident"]
    answer = sign_in(browser, country.gateway, resident.number, "/settings", "substantial")
    assert answer.url == f"{country.gateway}/settings"
    assert browser.jar["__Host-resident"] != first
    assert not is_open(country, Browser({"__Host-resident": first}))


def test_a_step_up_that_is_not_made_is_refused_and_the_session_stays(
    country: RunningCountry,
) -> None:
    browser, resident = Browser(), country.resident()
    sign_in(browser, country.gateway, resident.number)
    page = browser.follow(browser.get(f"{country.gateway}/login?to=/home&level=high"))
    answer = browser.follow(pick(browser, page, resident.number, "substantial"))
    assert answer.status == 400
    assert is_open(country, browser)


def test_whoever_cancels_there_is_told_so_and_not_signed_in(country: RunningCountry) -> None:
    browser = Browser()
    page = browser.follow(browser.get(f"{country.gateway}/login"))
    form = {**hidden(page.body), "person": "", "level": "low", "answer": "no"}
    answer = browser.follow(browser.post(f"{signin(country)}/authorize", form))
    assert answer.status == 400
    assert "__Host-resident" not in browser.jar


def test_two_tabs_can_sign_in_at_the_same_time(country: RunningCountry) -> None:
    browser, resident = Browser(), country.resident()
    pages = [browser.follow(browser.get(f"{country.gateway}/login?to={to}")) for to in TABS]
    answers = [browser.follow(pick(browser, page, resident.number)) for page in pages]
    assert [answer.url for answer in answers] == [country.gateway + to for to in TABS]


TABS = ("/consents", "/activity")


def test_many_ways_to_the_provider_that_nobody_finishes_leave_few_cookies(
    country: RunningCountry,
) -> None:
    browser = Browser()
    for _ in range(12):
        browser.get(f"{country.gateway}/login")
    assert len(browser.jar) <= 5


def test_signing_out_ends_the_session_here_and_there(country: RunningCountry) -> None:
    browser, resident = Browser(), country.resident()
    page = sign_in(browser, country.gateway, resident.number)
    assert page.status == 200, page.body
    assert "__Host-tryout" in browser.jar
    answer = browser.post(f"{country.gateway}/logout", hidden(page.body))
    assert answer.location.startswith(f"{signin(country)}/end_session?")
    assert browser.follow(answer).url == f"{country.gateway}/"
    assert not is_open(country, browser)
    assert {"__Host-resident", "__Host-tryout"} & browser.jar.keys() == set()


def test_signing_out_there_ends_every_session_that_began_there(country: RunningCountry) -> None:
    browser, resident = Browser(), country.resident()
    sign_in(browser, country.gateway, resident.number)
    other = Browser()
    sign_in(other, country.gateway, resident.number)
    assert is_open(country, browser)
    browser.get(f"{signin(country)}/end_session")
    assert not is_open(country, browser)
    assert is_open(country, other)


def test_an_officer_has_a_session_of_their_own(country: RunningCountry) -> None:
    browser = Browser()
    page = browser.follow(browser.get(f"{country.gateway}/officer/login?to=/officer"))
    assert "officer-1" in page.body
    assert "RN-" not in page.body
    answer = browser.get(pick(browser, page, "officer-1", "high").location)
    assert answer.status == 303
    assert set(browser.jar) == {"__Host-officer", "__Host-tryout"}
    assert not is_open(country, browser)


@pytest.mark.parametrize(
    ("mine", "other"),
    [("__Host-resident", "__Host-officer"), ("__Host-officer", "__Host-resident")],
)
def test_a_session_of_one_kind_under_the_cookie_of_the_other_is_nobody(
    country: RunningCountry, mine: str, other: str
) -> None:
    browser = Browser()
    if mine == "__Host-resident":
        sign_in(browser, country.gateway, country.resident().number)
    else:
        sign_in(browser, country.gateway, "officer-1", "/officer")
    crossed = Browser({other: browser.jar[mine]})
    path = "/officer" if mine == "__Host-resident" else "/home"
    assert crossed.get(country.gateway + path).status == 303


def test_the_keys_that_prove_us_are_public_and_only_that(country: RunningCountry) -> None:
    answer = Browser().get(f"{country.gateway}/login/keys")
    assert answer.status == 200
    assert '"d"' not in answer.body
    assert '"use": "sig"' in answer.body


def test_no_log_names_who_signed_in(country: RunningCountry) -> None:
    browser, resident = Browser(), country.resident()
    sign_in(browser, country.gateway, resident.number, level="substantial")
    for log in (country.state / "logs").iterdir():
        text = log.read_text(encoding="utf-8")
        assert resident.number not in text, log.name
        assert browser.jar["__Host-resident"] not in text


def test_what_a_session_stores_names_nobody(country: RunningCountry) -> None:
    browser, resident = Browser(), country.resident()
    sign_in(browser, country.gateway, resident.number)
    stored = b"".join(
        path.read_bytes()
        for part in ("sessions", "sign-ins", "short-lived")
        for path in (country.state / "gateway" / part).iterdir()
    )
    assert len(stored) > 0
    assert resident.number.encode() not in stored
    assert browser.jar["__Host-resident"].encode() not in stored


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"GATEWAY_MODE": "production"}, "demo mode"),
        ({"GATEWAY_PUBLIC_URL": "https://gateway.example"}, "trying out"),
    ],
)
def test_the_try_out_sign_in_serves_no_real_gateway(
    country: RunningCountry, settings: dict[str, str], words: str
) -> None:
    told = _start_provider(country.environ | settings, country.state)
    assert told.returncode == 1
    assert words in told.stderr


@pytest.mark.parametrize(
    "settings",
    [{"GATEWAY_MODE": "production"}, {"GATEWAY_PUBLIC_URL": "https://gateway.example"}],
)
def test_the_try_out_sign_in_starts_for_demo_mode_on_this_machine_alone(
    country: RunningCountry, settings: dict[str, str]
) -> None:
    kept = {name: v for name, v in os.environ.items() if not name.startswith("GATEWAY_")}
    told = _start_provider(kept | settings, country.state)
    assert told.returncode == 1
    assert "demo mode" in told.stderr


def _start_provider(environ: dict[str, str], state: Path) -> subprocess.CompletedProcess[str]:
    data = state / "signin" / "people.json"
    return subprocess.run(
        [
            *(sys.executable, "-m", "gateway.demo.signin"),
            *("--port", str(free_port()), "--data", str(data)),
        ],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
