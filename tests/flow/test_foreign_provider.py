"""Signing in through a provider that is not ours: npm `oidc-provider`, a certified one."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.demo.country import Place, found
from gateway.demo.play import programs
from gateway.demo.processes import Processes
from gateway.demo.state import prepare
from tests.browserless import Answer, Browser, hidden
from tests.ports import free_port

# `tests/setup` installs its packages, exactly those of its lock file.
PROGRAM = Path(__file__).parents[1] / "foreign" / "provider.mjs"
RESIDENTS, OFFICERS = "residents", "officers"


@dataclass
class Stage:
    """The real gateway beside the foreign provider."""

    gateway: str
    provider: str
    numbers: list[str]

    def sign_in(self, browser: Browser, path: str, person: str, level: str) -> Answer:
        """Sign somebody in and return the answer with which the gateway starts the session."""
        page = browser.follow(browser.get(self.gateway + path))
        assert page.status == 200, page.body
        answer = browser.post(page.url, {"person": person, "level": level})
        while answer.status == 303 and answer.location.startswith(self.provider):
            answer = browser.get(answer.location)
        return browser.get(answer.location)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    place = Place(prepare(tmp_path_factory.mktemp("foreign") / "demo"), free_port())
    country = found(place)
    settings = {
        **country.settings,
        "GATEWAY_OIDC_ISSUER": place.signin,
        "GATEWAY_OIDC_CLIENT_ID": RESIDENTS,
        "GATEWAY_OFFICER_OIDC_CLIENT_ID": OFFICERS,
    }
    told = {
        "port": place.port + 1,
        "gateway": place.gateway,
        "residents": RESIDENTS,
        "officers": OFFICERS,
    }
    processes = Processes(place.state / "logs", lambda name: None)
    country = replace(country, settings=settings)
    with (
        (place.state / "logs" / "provider.log").open("wb") as log,
        subprocess.Popen(
            ["node", "--no-warnings", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as provider,
    ):
        try:
            assert provider.stdin is not None
            assert provider.stdout is not None
            provider.stdin.write(json.dumps(told).encode() + b"\n")
            provider.stdin.flush()
            while (line := provider.stdout.readline()) != b"ready\n":
                assert line, (place.state / "logs" / "provider.log").read_text()
            processes.start([one for one in programs(country) if one.name == "gateway"])
            numbers = [one.number for one in country.sources.people]
            yield Stage(place.gateway, place.signin, numbers)
        finally:
            processes.stop()
            provider.terminate()


def is_open(stage: Stage, browser: Browser, path: str) -> bool:
    return browser.get(stage.gateway + path).status == 200


def test_a_foreign_provider_signs_a_resident_in_at_the_page_that_was_wanted(stage: Stage) -> None:
    browser = Browser()
    answer = stage.sign_in(browser, "/login?to=/settings", stage.numbers[3], "low")
    assert answer.location == f"{stage.gateway}/settings", answer.body
    assert "__Host-resident" in browser.jar
    assert is_open(stage, browser, "/home")


def test_a_foreign_provider_raises_the_level_of_the_same_person(stage: Stage) -> None:
    browser = Browser()
    stage.sign_in(browser, "/login?to=/home", stage.numbers[4], "low")
    first = browser.jar["__Host-resident"]
    fresh = Browser({"__Host-resident": first})  # the provider asks again: another browser there
    answer = stage.sign_in(fresh, "/login?to=/home&level=high", stage.numbers[4], "high")
    assert answer.location == f"{stage.gateway}/home", answer.body
    assert fresh.jar["__Host-resident"] != first
    assert not is_open(stage, browser, "/home")


def test_a_foreign_providers_weaker_level_is_not_enough(stage: Stage) -> None:
    browser = Browser()
    answer = stage.sign_in(browser, "/login?to=/home&level=substantial", stage.numbers[5], "low")
    assert answer.status == 400
    assert "__Host-resident" not in browser.jar


def test_a_foreign_provider_signs_an_officer_in_and_no_resident_there(stage: Stage) -> None:
    officer, resident = Browser(), Browser()
    answer = stage.sign_in(officer, "/officer/login?to=/officer", "officer-1", "high")
    assert answer.status == 303
    assert "__Host-officer" in officer.jar
    assert "__Host-resident" not in officer.jar
    refused = stage.sign_in(resident, "/officer/login?to=/officer", stage.numbers[6], "high")
    assert refused.status == 400
    assert "__Host-officer" not in resident.jar


def test_signing_out_at_the_foreign_provider_ends_the_session_here(stage: Stage) -> None:
    browser = Browser()
    stage.sign_in(browser, "/login?to=/home", stage.numbers[8], "low")
    elsewhere = Browser({"__Host-resident": browser.jar["__Host-resident"]})
    assert is_open(stage, elsewhere, "/home")
    page = browser.get(f"{stage.provider}/session/end")
    ended = browser.post(
        f"{stage.provider}/session/end/confirm", {**hidden(page.body), "logout": "yes"}
    )
    assert ended.status in {200, 302, 303}, ended.body
    assert not is_open(stage, elsewhere, "/home")


def test_signing_out_here_leads_to_the_foreign_providers_own_question(stage: Stage) -> None:
    browser = Browser()
    stage.sign_in(browser, "/login?to=/home", stage.numbers[9], "low")
    page = browser.get(f"{stage.gateway}/home")
    answer = browser.follow(
        browser.post(f"{stage.gateway}/logout", {"token": hidden(page.body)["token"]})
    )
    assert answer.url.startswith(f"{stage.provider}/session/end")
    assert answer.status == 200, answer.body
    ended = browser.post(
        f"{stage.provider}/session/end/confirm", {**hidden(answer.body), "logout": "yes"}
    )
    assert ended.location.startswith(f"{stage.gateway}/")
    assert browser.get(f"{stage.gateway}/home").status == 303
