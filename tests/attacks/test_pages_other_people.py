"""Attacks on addresses (D10): what belongs to one resident is nothing to another, or to an
officer, and the other way round."""

import re

import pytest

from gateway.http.routes import Audience
from tests.attacks.ledger_watch import nothing_written
from tests.country import RunningCountry
from tests.person import Someone
from tests.settled import Settled, settled
from tests.tour import PAGE_ROUTES

EVERYBODYS = "<agreement>"
"""What a law says is the same for everybody."""
WITH_IDS = [
    one
    for one in PAGE_ROUTES
    if "<" in one.rule and EVERYBODYS not in one.rule and one.audience is Audience.RESIDENT
]
FOR_OFFICERS = [one for one in PAGE_ROUTES if one.audience is Audience.OFFICER]
FOR_RESIDENTS = [one for one in PAGE_ROUTES if one.audience is Audience.RESIDENT]


@pytest.fixture(scope="module")
def people(country: RunningCountry) -> Settled:
    return settled(country)


def ask(browser: Someone, method: str, path: str, token: str):
    return browser.get(path) if method == "GET" else browser.post(path, [("token", token)])


def plain(page) -> str:
    """Return a page without its trace and without the address that it was asked for."""
    return re.sub(r"tr_[A-Za-z0-9]+|to=[^\"&]*", "-", page.text)


@pytest.mark.parametrize("route", WITH_IDS, ids=lambda one: f"{one.method} {one.rule}")
def test_what_is_somebody_elses_is_not_there(people: Settled, country: RunningCountry, route):
    owner, theirs = people.where(route.rule)
    if route.method == "GET":
        assert owner.twin().get(theirs).status in {200, 303}
    nobodys = people.unknown(route.rule)
    other = people.other.twin()
    token = people.token(other)
    with nothing_written(country):
        refused, unknown = (ask(other, route.method, one, token) for one in (theirs, nobodys))
    assert (refused.status, unknown.status) == (404, 404)
    assert plain(refused) == plain(unknown)
    for secret in people.secrets():
        assert secret not in refused.text


@pytest.mark.parametrize("route", FOR_OFFICERS, ids=lambda one: f"{one.method} {one.rule}")
def test_a_resident_is_no_officer(people: Settled, country: RunningCountry, route):
    resident, path = people.resident.twin(), people.address(route.rule)
    resident.cookies["__Host-officer"] = resident.cookies["__Host-resident"]
    with nothing_written(country):
        answer = ask(resident, route.method, path, people.token(people.resident))
    assert answer.status == 303
    assert answer.header("location").startswith("/officer/login?")
    for secret in people.secrets():
        assert secret not in answer.text


@pytest.mark.parametrize("route", FOR_RESIDENTS, ids=lambda one: f"{one.method} {one.rule}")
def test_an_officer_is_no_resident(people: Settled, country: RunningCountry, route):
    officer, path = people.officer.twin(), people.address(route.rule)
    officer.cookies["__Host-resident"] = officer.cookies["__Host-officer"]
    with nothing_written(country):
        answer = ask(officer, route.method, path, people.token(people.officer))
    assert answer.status == 303
    assert answer.header("location").startswith("/login?")


@pytest.mark.parametrize("route", FOR_RESIDENTS, ids=lambda one: f"{one.method} {one.rule}")
def test_nothing_of_a_page_is_kept_by_a_cache(people: Settled, route):
    answer = ask(people.resident.twin(), route.method, people.address(route.rule), "")
    assert "no-store" in answer.header("cache-control")
    assert "cookie" in answer.header("vary").lower()
