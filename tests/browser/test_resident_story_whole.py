"""The whole story of a resident in a real browser, without JavaScript: asked, chosen, shared,
stopped, refused, seen and proven."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from gateway.demo.country import ROOT
from gateway.demo.sources import Resident
from tests.agency import Agency
from tests.browser.visitor import NARROW, WIDE, Visitor, visiting
from tests.country import ENROLMENT, INCOME, RunningCountry

SCHOOL = "/enrolments/*/school"
ASKED = {INCOME: ["/income/year", "/income/total"], ENROLMENT: [SCHOOL]}
RETURN = "https://family-benefits.example/applications"
DIRECTIONS = {"en": "ltr", "ar": "rtl"}
LATIN = re.compile(r"[A-Za-zÀ-ÿ]{3,}")
LEFT_AS_IT_IS = {
    *("Causeway", "English", "Français", "UTC", "JSON", "JWT", "CSV", "ZIP", "README", "python"),
    *("gateway", "audit", "verify", "evidence"),
}
"""Words in Latin letters that also stand on an Arabic page: names, formats and commands."""


def shown(visitor: Visitor, name: str) -> None:
    """Keep pictures, narrow and wide, and look at what no page may lack."""
    for width in (NARROW, WIDE):
        visitor.page.set_viewport_size({"width": width, "height": 800})
        visitor.width = width
        visitor.shoot(name)
    root = visitor.page.locator("html")
    assert root.get_attribute("lang") == visitor.language
    assert root.get_attribute("dir") == DIRECTIONS[visitor.language]
    if visitor.language == "ar":
        assert untranslated(visitor) == set()


def untranslated(visitor: Visitor) -> set[str]:
    """Return words in Latin letters that are none of ours, nor an identifier's."""
    page = visitor.page
    own = " ".join(page.locator("bdi, code, a[href^=http]").all_inner_texts())
    words = set(LATIN.findall(page.locator("body").inner_text()))
    return words - set(LATIN.findall(own)) - LEFT_AS_IT_IS


def sign_in(visitor: Visitor, number: str) -> None:
    """Sign in at the try-out provider, as a person does."""
    page = visitor.page
    page.select_option("#person", number)
    page.check("input[name=level][value=substantial]")
    visitor.shoot("01-sign-in")
    page.click("button[value=yes]")


@pytest.mark.parametrize("language", DIRECTIONS)
def test_a_resident_is_asked_chooses_stops_and_can_prove_it(
    chromium: Browser, country: RunningCountry, tmp_path: Path, language: str
):
    resident, agency = a_parent(country), country.agency()
    options = {"language": language, "java_script_enabled": False, "accept_downloads": True}
    request = asks(agency, resident.number)
    signin = country.document["signin"]
    with visiting(chromium, country.gateway, signin, **options) as visitor:
        page = visitor.page
        page.goto(request["url"])
        assert page.url.startswith(signin)
        sign_in(visitor, resident.number)
        assert page.url == request["url"]
        shown(visitor, "02-request")
        chooses_two_of_three(visitor)
        exactly_two_arrive(agency, resident.number)
        stops(visitor)
        refused = agency.exchange(resident.number, INCOME, ASKED[INCOME])
        assert (refused.status, refused.reason) == (403, "subject.not_released")
        sees_everything(visitor, country, resident)
        proves(visitor, tmp_path)
        page.click("form[action='/logout'] button")
        visitor.go("/home")
        assert page.url.startswith(signin)
    assert state(agency, request["request"]) == "answered"


def a_parent(country: RunningCountry) -> Resident:
    """Return somebody whom no other test knows, with a child in school."""
    return next(one for one in iter(country.resident, None) if one.enrolments)


def asks(agency: Agency, number: str) -> dict:
    answer = agency.ask_consent(number, ASKED, case="FA-2026-00042", return_url=RETURN)
    assert answer.status == 201, answer.body
    assert state(agency, answer.json["request"]) == "open"
    return answer.json


def state(agency: Agency, request: str) -> str:
    return agency.get(f"/v1/consent-requests/{request}").json["state"]


def chooses_two_of_three(visitor: Visitor) -> None:
    page = visitor.page
    page.click("button[value=choose]")
    boxes = page.locator("input[name=fact]")
    assert boxes.count() == 3
    assert page.locator("input:checked").count() == 0
    shown(visitor, "03-choose")
    visitor.expected.append("status of 400")
    page.click("main form button[type=submit]")
    assert page.locator(".error-summary a").count() == 2
    shown(visitor, "04-choose-nothing")
    boxes.nth(0).check()
    boxes.nth(2).check()
    page.check("input[name=span][value=full]")
    page.click("main form button[type=submit]")
    shown(visitor, "05-check")
    page.click("main form button[type=submit]")
    assert visitor.path.endswith("/answered")
    assert page.locator(f"main a[href='{RETURN}']").count() == 1
    shown(visitor, "06-answered")
    page.click("main a[href^='/receipts/']")
    assert page.locator("img[src$='code.svg']").count() == 1
    shown(visitor, "07-receipt")


def exactly_two_arrive(agency: Agency, number: str) -> None:
    """The year and the answer about school travel, and the question about income does not."""
    answer = agency.exchange(number, INCOME, ASKED[INCOME])
    assert set(agency.open(answer)["record"]["income"]) == {"year"}
    withheld = [{"field": "/income/total", "reason": "field.not_consented"}]
    assert answer.json["withheld"] == withheld
    school = agency.open(agency.exchange(number, ENROLMENT, [SCHOOL]))["record"]
    assert {one["school"] for one in school["enrolments"]} == {True}


def stops(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/home")
    shown(visitor, "08-home")
    visitor.go("/consents")
    shown(visitor, "09-consents")
    page.click("main a[href^='/consents/co_']")
    shown(visitor, "10-consent")
    page.click("main a[href$='/stop']")
    shown(visitor, "11-stop")
    page.click("main form button[type=submit]")
    assert visitor.path.endswith("/stopped")
    assert page.locator("main time").count() >= 2
    shown(visitor, "12-stopped")


def sees_everything(visitor: Visitor, country: RunningCountry, resident) -> None:
    page = visitor.page
    visitor.go("/activity")
    shown(visitor, "13-activity")
    numbers = {
        int(found[1])
        for link in page.locator("main a[href^='/activity/']").all()
        if (found := re.fullmatch(r"/activity/(\d+)", link.get_attribute("href")))
    }
    told = country.activity(resident)
    assert len(told) == 8  # asked, given, twice decided and released, withdrawn, refused
    assert numbers == set(range(1, 9))
    for number in sorted(numbers):
        visitor.go(f"/activity/{number}")
        shown(visitor, f"14-entry-{number}")
        assert visitor.page.locator("main h1").inner_text()


def proves(visitor: Visitor, directory: Path) -> None:
    """Save the evidence of the release and have it checked where there is nothing else."""
    with visitor.page.expect_download() as saved:
        visitor.page.click("main a[href$='/evidence']")
    file = directory / "evidence.json"
    saved.value.save_as(file)
    bare = {"PATH": os.environ["PATH"]}
    for raw, code in ((file.read_bytes(), 0), (spoilt(file.read_bytes()), 1)):
        file.write_bytes(raw)
        told = subprocess.run(
            [sys.executable, "-m", "gateway", "audit", "verify-evidence", str(file)],
            cwd=ROOT,
            env=bare,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert told.returncode == code, told.stdout + told.stderr
        assert ("ok" in told.stdout) == (code == 0)


def spoilt(raw: bytes) -> bytes:
    """Return the evidence with another office's name in it."""
    assert b"family-benefits" in raw
    return raw.replace(b"family-benefits", b"family-benefitz")
