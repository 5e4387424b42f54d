"""Attacks by many clicks (D12, D15): twice, at once, and with the page's own members edited."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.attacks.ledger_watch import committed, nothing_written, size
from tests.country import INCOME, RESIDENTS, RunningCountry
from tests.person import Page, Someone
from tests.settled import FACTS, asked_for, given, named, signed_in

AT_ONCE = 8
ROUNDS = 4
GAVE = {"consent.given", "consent.renewed"}


def at_once(*runs: Callable[[], Page]) -> list[Page]:
    """Do all of these at the same time."""
    with ThreadPoolExecutor(len(runs)) as many:
        return [one.result() for one in [many.submit(run) for run in runs]]


def types(country: RunningCountry, since: int) -> list[str]:
    return [leaf["type"] for leaf in committed(country, since)]


@pytest.fixture
def asked(country: RunningCountry) -> tuple[Someone, str, str]:
    """Somebody who is asked just now: their browser, the request, their number."""
    number = country.resident().number
    return signed_in(country, number), asked_for(country.agency(), number), number


@pytest.fixture(scope="module")
def waiting(country: RunningCountry) -> tuple[Someone, str, str]:
    """Somebody who is asked, for tests after which nothing has changed."""
    number = country.resident().number
    return signed_in(country, number), asked_for(country.agency(), number), number


def test_yes_pressed_many_times_is_one_yes(country: RunningCountry, asked):
    browser, request, number = asked
    path = f"/requests/{request}/check/all"
    members = browser.visit(path).form(path).members
    before = size(country)
    pages = at_once(*[lambda: browser.twin().post(path, members) for _ in range(AT_ONCE)])
    assert {page.status for page in pages} == {303}
    assert {page.header("location") for page in pages} == {f"/requests/{request}/answered"}
    assert [one for one in types(country, before) if one in GAVE] == ["consent.given"]
    assert country.agency().exchange(number, RESIDENTS, FACTS[RESIDENTS][:2]).status == 200


def test_no_pressed_many_times_is_one_no(country: RunningCountry, asked):
    browser, request, _ = asked
    path = f"/requests/{request}"
    members = [*browser.visit(path).form(request).members, ("answer", "no")]
    before = size(country)
    pages = at_once(*[lambda: browser.twin().post(path, members) for _ in range(AT_ONCE)])
    assert {page.status for page in pages} == {303}
    assert types(country, before) == ["consent.refused"]


def test_stop_pressed_many_times_is_one_stop(country: RunningCountry):
    browser, consent, _ = consenting(country)
    path = f"/consents/{consent}/stop"
    members = browser.visit(path).form("/stop").members
    before = size(country)
    pages = at_once(*[lambda: browser.twin().post(path, members) for _ in range(AT_ONCE)])
    assert {page.status for page in pages} == {303}
    assert types(country, before) == ["consent.withdrawn"]


def test_yes_against_no_has_one_winner_and_the_ledger_says_who(country: RunningCountry):
    for _ in range(ROUNDS):
        number = country.resident().number
        browser, request = signed_in(country, number), asked_for(country.agency(), number)
        path = f"/requests/{request}"
        yes = browser.visit(f"{path}/check/all").form("/all").members
        no = [*browser.visit(path).form(request).members, ("answer", "no")]
        before = size(country)
        at_once(
            lambda b=browser, p=path, m=yes: b.twin().post(f"{p}/check/all", m),
            lambda b=browser, p=path, m=no: b.twin().post(p, m),
        )
        agrees(country, number, before)


def test_give_against_withdraw_tells_one_story(country: RunningCountry):
    for _ in range(ROUNDS):
        browser, consent, number = consenting(country)
        stop, renew = f"/consents/{consent}/stop", f"/consents/{consent}/renew/check/all"
        stopping = browser.visit(stop).form("/stop").members
        renewing = browser.visit(renew).form("/all").members
        before = size(country)
        at_once(
            lambda b=browser, p=stop, m=stopping: b.twin().post(p, m),
            lambda b=browser, p=renew, m=renewing: b.twin().post(p, m),
        )
        agrees(country, number, before)


def agrees(country: RunningCountry, number: str, before: int) -> None:
    """Check that the last decision in the ledger is what an agency meets."""
    decided = [one for one in types(country, before) if one.startswith("consent.")]
    allowed = decided[-1] in GAVE
    answer = country.agency().exchange(number, RESIDENTS, FACTS[RESIDENTS][:2])
    assert answer.status == (200 if allowed else 403), decided
    if "consent.withdrawn" in decided:
        assert decided[-1] == "consent.withdrawn" or decided[-1] == "consent.given", decided


def consenting(country: RunningCountry) -> tuple[Someone, str, str]:
    """Return somebody who said yes to all, with the consent's id."""
    number = country.resident().number
    browser = signed_in(country, number)
    return browser, given(country.agency(), number, browser)["consent"], number


@pytest.mark.parametrize(
    "code",
    [
        "0.9-full",
        "0.99-full",
        "0.0-full",
        "1.0-full",
        "-full",
        "0-ever",
        "0-full ",
        "0.1-FULL",
        "all-full",
        "0,1-full",
        "0.-1-full",
    ],
)
def test_a_choice_that_the_page_does_not_offer_is_no_page(
    country: RunningCountry, waiting, code: str
):
    browser, request, _ = waiting
    path = f"/requests/{request}/check/{code.replace(' ', '%20')}"
    token = browser.visit("/home").forms[0].value("token")
    with nothing_written(country):
        assert browser.get(path).status == 404
        assert browser.post(path, [("token", token), ("notice", "0" * 64)]).status == 404


@pytest.mark.parametrize(
    "more",
    [
        [("fact", "99"), ("span", "full")],
        [("fact", "-1"), ("span", "full")],
        [("fact", "/nationality"), ("span", "full")],
        [("fact", "0"), ("span", "forever")],
        [("fact", "0"), ("span", "full"), ("span", "once")],
        [("fact", "0"), ("span", "full"), ("valid_days", "99999")],
        [("fact", "0"), ("span", "full"), ("agreement", "child-maintenance")],
    ],
)
def test_a_choice_with_edited_members_is_refused(country: RunningCountry, waiting, more):
    browser, request, _ = waiting
    path = f"/requests/{request}/choose"
    members = [*browser.visit(path).form("/choose").members, *more]
    with nothing_written(country):
        assert browser.post(path, members).status == 400


def test_yes_to_another_text_than_the_one_shown_gives_nothing(country: RunningCountry, waiting):
    browser, request, _ = waiting
    path = f"/requests/{request}/check/all"
    form = browser.visit(path).form(path)
    with nothing_written(country):
        for digest in ("0" * 64, "", form.value("notice")[:-1]):
            members = [("token", form.value("token")), ("notice", digest)]
            assert browser.post(path, members).status == 409


def test_only_what_was_asked_for_can_be_given(country: RunningCountry, asked):
    """The agreement has more facts; the request named fewer, and yes to all means these."""
    browser, request, number = asked
    path = f"/requests/{request}/check/all"
    page = browser.visit(path)
    browser.submit(page, page.form(path))
    agency = country.agency()
    got = agency.exchange(number, RESIDENTS, [*FACTS[RESIDENTS], "/address/postcode"])
    assert got.status == 200
    assert [one["field"] for one in got.json["withheld"]] == ["/address/postcode"]
    assert agency.exchange(number, "education/enrolment", ["/enrolments/*/school"]).status == 403
    assert agency.exchange(number, INCOME, ["/income/year"]).status == 200


def test_a_weak_sign_in_gives_nothing_whatever_the_form_says(country: RunningCountry):
    number = country.resident().number
    browser = Someone(country.gateway)
    browser.sign_in(number, level="low")
    request = asked_for(country.agency(), number)
    path = f"/requests/{request}/check/all"
    form = browser.visit(path).form(path)
    with nothing_written(country):
        answer = browser.post(path, form.members)
        assert answer.status == 303
        assert answer.header("location").startswith("/login?")
        assert "level=substantial" in answer.header("location")
        asking = browser.follow(answer)
        weak = (("person", number), ("level", "low"), ("answer", "yes"))
        refused = browser.submit(asking, asking.form("/authorize"), *weak)
        assert refused.status in {400, 401, 403}
        assert browser.post(path, [*form.members, ("level", "high")]).status in {303, 400, 403}


def test_narrowing_never_widens(country: RunningCountry):
    number = country.resident().number
    browser = signed_in(country, number)
    request = asked_for(country.agency(), number)
    page = browser.visit(f"/requests/{request}/check/0.1-full")
    browser.submit(page, page.form(page.path))
    consent = named(browser.visit("/consents"), "/consents/")
    path = f"/consents/{consent}/narrow"
    token = browser.visit(path).forms[0].value("token")
    offered = browser.visit(path).form("/narrow").offered
    for more in ("99", "tax/income#/income/total", "-1", offered[0][1] + " "):
        with nothing_written(country):
            assert browser.post(path, [("token", token), ("fact", more)]).status in {303, 400}
    assert country.agency().exchange(number, INCOME, ["/income/year"]).status == 403
