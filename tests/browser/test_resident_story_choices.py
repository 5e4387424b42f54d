"""Everything else that a resident can do, in a real browser without JavaScript: no, later, pause,
share less, lock, object, and ask about what they do not recognise."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.visitor import NARROW, Visitor, visiting
from tests.country import INCOME, RESIDENTS, RunningCountry
from tests.person import Someone
from tests.settled import ANSWER, FACTS, OBJECTION, OFFICER, REPORTED, asked_for, cookies, signed_in


@pytest.fixture(params=["en", "ar"])
def language(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def number(country: RunningCountry) -> str:
    return country.resident().number


@pytest.fixture
def visitor(
    chromium: Browser, country: RunningCountry, number: str, language: str
) -> Iterator[Visitor]:
    """A resident, signed in, on a phone and without JavaScript."""
    options = {"language": language, "width": NARROW, "java_script_enabled": False}
    with visiting(chromium, country.gateway, country.document["signin"], **options) as one:
        one.page.context.add_cookies(cookies(signed_in(country, number)))
        yield one


def press(visitor: Visitor, button: str) -> None:
    visitor.page.click(f"main button[value={button}]")


def released(country: RunningCountry, number: str) -> bool:
    answer = country.agency().exchange(number, RESIDENTS, FACTS[RESIDENTS])
    assert answer.status == 200 or answer.reason == "subject.not_released", answer.body
    return answer.status == 200


def say_yes(visitor: Visitor, country: RunningCountry, number: str) -> str:
    """Say yes to everything that an office asks, and return the consent's page."""
    request = asked_for(country.agency(), number)
    visitor.go(f"/requests/{request}")
    press(visitor, "yes")
    visitor.page.click("main form button[type=submit]")
    assert visitor.path.endswith("/answered")
    visitor.page.click("main a[href^='/consents/']")
    return visitor.path


def test_no_is_said_in_one_step_and_has_a_receipt(visitor, country, number):
    request = asked_for(country.agency(), number)
    visitor.go("/home")
    visitor.shoot("20-home-asked")
    visitor.page.click("main a[href^='/requests/']")
    press(visitor, "no")
    assert visitor.path == f"/requests/{request}/answered"
    visitor.shoot("21-said-no")
    assert not released(country, number)
    visitor.page.click("main a[href^='/receipts/']")
    visitor.shoot("22-receipt-of-a-no")
    again = country.agency().ask_consent(number, FACTS)
    assert (again.status, again.reason) == (429, "quota.exceeded")


def test_later_keeps_the_question_until_it_is_answered(visitor, country, number):
    request = asked_for(country.agency(), number)
    visitor.go(f"/requests/{request}")
    press(visitor, "later")
    assert visitor.path == "/home"
    visitor.shoot("23-home-later")
    assert not released(country, number)
    visitor.page.click(f"main a[href='/requests/{request}']")
    visitor.shoot("24-request-later")
    assert visitor.page.locator("button[value=later]").count() == 0
    press(visitor, "yes")
    visitor.page.click("main form button[type=submit]")
    assert released(country, number)


def test_a_pause_stops_it_and_going_on_goes_on(visitor, country, number):
    say_yes(visitor, country, number)
    assert released(country, number)
    press(visitor, "pause")
    visitor.shoot("25-paused")
    assert not released(country, number)
    press(visitor, "resume")
    visitor.shoot("26-resumed")
    assert released(country, number)


def test_sharing_less_takes_effect_at_once(visitor, country, number):
    consent = say_yes(visitor, country, number)
    agency = country.agency()
    assert agency.exchange(number, INCOME, ["/income/year", "/income/total"]).json["withheld"] == []
    visitor.page.click("main a[href$='/narrow']")
    visitor.shoot("27-share-less")
    visitor.page.check("input[value='tax/income#/income/total']")
    visitor.page.click("main form button[type=submit]")
    assert visitor.path == consent
    visitor.shoot("28-shared-less")
    answer = agency.exchange(number, INCOME, ["/income/year", "/income/total"])
    assert [one["field"] for one in answer.json["withheld"]] == ["/income/total"]


def test_a_lock_stops_everything_also_what_a_law_allows(visitor, country, number):
    say_yes(visitor, country, number)
    visitor.go("/settings")
    visitor.shoot("29-settings")
    visitor.page.click("main a[href='/settings/lock']")
    visitor.shoot("30-lock")
    press(visitor, "lock")
    visitor.shoot("31-locked")
    assert not released(country, number)
    office = country.agency("child-maintenance")
    by_law = {"agreement": "child-maintenance"}
    fields = ["/name/family", "/name/given"]
    assert office.exchange(number, RESIDENTS, fields, **by_law).reason == "subject.not_released"
    visitor.go("/home")
    visitor.shoot("32-home-locked")
    visitor.page.click("main a[href='/settings/lock']")
    press(visitor, "unlock")
    assert released(country, number)
    assert office.exchange(number, RESIDENTS, fields, **by_law).status == 200


def test_what_somebody_does_not_recognise_is_answered(visitor, country, number):
    say_yes(visitor, country, number)
    assert released(country, number)
    visitor.go("/activity")
    visitor.page.locator("main a[href^='/activity/']").first.click()
    visitor.page.click("main a[href$='/report']")
    visitor.expected.append("status of 400")
    visitor.page.click("main form button[type=submit]")
    assert visitor.page.locator(".error-summary").count() == 1
    visitor.shoot("33-report-empty")
    visitor.page.fill("textarea", REPORTED)
    visitor.shoot("34-report")
    visitor.page.click("main form button[type=submit]")
    case = visitor.path.removeprefix("/cases/")
    assert visitor.says(REPORTED)
    visitor.shoot("35-case-open")
    answer(country, case, "upheld")
    visitor.go(f"/cases/{case}")
    assert visitor.says(ANSWER)
    visitor.shoot("36-case-answered")
    visitor.go("/cases")
    visitor.shoot("37-cases")
    visitor.go("/activity")
    visitor.shoot("38-activity-with-looks")


def answer(country: RunningCountry, case: str, outcome: str) -> None:
    officer = Someone(country.gateway)
    officer.sign_in(OFFICER, realm="/officer")
    page = officer.visit(f"/officer/cases/{case}")
    officer.submit(page, page.form(case), ("outcome", outcome), ("text", ANSWER))


def test_what_a_law_requires_can_be_objected_to(visitor, country, number):
    visitor.go("/required-by-law")
    visitor.shoot("39-law")
    visitor.page.click("main a[href$='/object']")
    visitor.page.fill("textarea", OBJECTION)
    visitor.shoot("40-object")
    visitor.page.click("main form button[type=submit]")
    assert visitor.says(OBJECTION)
    case = visitor.path.removeprefix("/cases/")
    answer(country, case, "dismissed")
    visitor.go(f"/cases/{case}")
    assert visitor.says(ANSWER)
    visitor.shoot("41-objection-answered")


def test_everything_can_be_taken_home(visitor, country, number, tmp_path: Path):
    say_yes(visitor, country, number)
    visitor.go("/download")
    visitor.shoot("42-download")
    with visitor.page.expect_download() as saved:
        visitor.page.click("main form button[type=submit]")
    file = tmp_path / "everything.zip"
    saved.value.save_as(file)
    names = zipfile.ZipFile(file).namelist()
    assert {"activity.json", "activity.csv", "consents.json", "manifest.jwt"} <= set(names)
    assert any(name.startswith("receipts/") for name in names)


def test_a_receipt_can_be_checked_by_anybody_until_it_is_superseded(
    visitor, country, number, chromium, language
):
    consent = say_yes(visitor, country, number)
    visitor.page.click("main a[href^='/receipts/']")
    receipt = visitor.path.rpartition("/")[2]
    told = []
    for shot in ("43-receipt-valid", "44-receipt-superseded"):
        with visiting(
            chromium, country.gateway, country.gateway, language=language, width=NARROW
        ) as anybody:
            anybody.go(f"/verify?receipt={receipt}")
            anybody.shoot(shot)
            told.append(anybody.page.inner_text("main"))
            assert number not in told[-1]
        visitor.go(f"{consent}/stop")
        if visitor.path.endswith("/stop"):
            visitor.page.click("main form button[type=submit]")
    assert told[0] != told[1]


def test_an_officer_answers_what_waits(
    chromium: Browser, country: RunningCountry, language: str, number: str
):
    resident = signed_in(country, number)
    page = resident.visit("/required-by-law/child-maintenance/object")
    case = resident.submit(page, page.form("/object"), ("text", OBJECTION)).path
    options = {"language": language, "java_script_enabled": False}
    with visiting(chromium, country.gateway, country.document["signin"], **options) as officer:
        page = officer.page
        officer.go("/officer")
        page.select_option("#person", OFFICER)
        page.click("button[value=yes]")
        assert officer.path == "/officer"
        officer.shoot("45-officer")
        page.click(f"main a[href='/officer{case}']")
        assert officer.says(OBJECTION)
        officer.expected.append("status of 400")
        page.click("main form button[type=submit]")
        assert page.locator(".error-summary a").count() == 2
        officer.shoot("46-officer-errors")
        page.check("input[value=upheld]")
        page.fill("textarea", ANSWER)
        officer.shoot("47-officer-case")
        page.click("main form button[type=submit]")
        assert officer.path == "/officer"
        assert page.locator(f"main a[href='/officer{case}']").count() == 0
    assert ANSWER in resident.visit(case).text
