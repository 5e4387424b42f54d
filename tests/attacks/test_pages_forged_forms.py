"""Attacks on forms (D3, D10): what another site, an old page or a creative person sends."""

from urllib.parse import urlencode

import pytest

from gateway.http.routes import Audience
from tests.attacks.ledger_watch import nothing_written, written
from tests.country import RunningCountry
from tests.person import Someone
from tests.settled import Settled, settled
from tests.tour import PAGE_ROUTES

FOREIGN = {
    "another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "another site, an old browser": {"Origin": "https://evil.example", "Sec-Fetch-Site": None},
    "another port of this host": {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
    "a null origin": {"Origin": "null"},
    "a null origin, an old browser": {"Origin": "null", "Sec-Fetch-Site": None},
    "no origin": {"Origin": None},
    "no origin, an old browser": {"Origin": None, "Sec-Fetch-Site": None},
    "an origin that begins like ours": {"Origin": "http://127.0.0.1:80800"},
    "cross-site by fetch metadata alone": {"Sec-Fetch-Site": "cross-site"},
    "same-site by fetch metadata alone": {"Sec-Fetch-Site": "same-site"},
    "typed by the person": {"Sec-Fetch-Site": "none"},
}
SIGNED_IN = (Audience.RESIDENT, Audience.OFFICER)
POSTS = [one for one in PAGE_ROUTES if one.method == "POST" and one.audience in SIGNED_IN]


@pytest.fixture(scope="module")
def people(country: RunningCountry) -> Settled:
    return settled(country)


def where(people: Settled, route) -> tuple[Someone, str]:
    return people.where(route.rule, officer=route.audience is Audience.OFFICER)


@pytest.mark.parametrize("route", POSTS, ids=lambda one: one.rule)
def test_a_form_of_another_origin_does_nothing(people: Settled, country: RunningCountry, route):
    browser, path = where(people, route)
    members = [("token", people.token(browser))]
    for headers in FOREIGN.values():
        with nothing_written(country):
            answer = browser.twin().post(path, members, **headers)
        assert answer.status in {400, 403}, (headers, answer.status)


@pytest.mark.parametrize("route", POSTS, ids=lambda one: one.rule)
def test_a_form_without_its_sessions_token_does_nothing(
    people: Settled, country: RunningCountry, route
):
    browser, path = where(people, route)
    own, others = people.token(browser), people.token(people.other)
    for members in (
        [],
        [("token", "")],
        [("token", others)],
        [("token", own[:-1])],
        [("token", own), ("token", own)],
        [("token", own), ("token", others)],
        [("csrf", own)],
    ):
        with nothing_written(country):
            answer = browser.twin().post(path, members)
        assert answer.status in {400, 403}, members


@pytest.mark.parametrize("route", POSTS, ids=lambda one: one.rule)
def test_a_form_in_another_dress_does_nothing(people: Settled, country: RunningCountry, route):
    browser, path = where(people, route)
    token = people.token(browser)
    body = urlencode([("token", token)]).encode()
    origin = {"Origin": country.gateway, "Sec-Fetch-Site": "same-origin"}
    for kind in ("text/plain", "application/json", "multipart/form-data; boundary=x", "", None):
        with nothing_written(country):
            answer = browser.twin().send("POST", path, body, {**origin, "Content-Type": kind})
        assert answer.status in {400, 403, 415}, kind
    with nothing_written(country):
        query = browser.twin().send("POST", f"{path}?token={token}", b"", origin)
    assert query.status in {400, 403, 415}


@pytest.mark.parametrize("route", POSTS, ids=lambda one: one.rule)
def test_a_form_with_members_that_no_page_sends_does_nothing(
    people: Settled, country: RunningCountry, route
):
    """Mass assignment (D10): status, subject, level and ids are nobody's to send."""
    browser, path = where(people, route)
    if path.endswith("/logout"):
        pytest.skip("a sign-out takes nothing and gives nothing away")
    token = people.token(browser)
    for name in ("status", "state", "subject", "person", "level", "consent", "revision", "admin"):
        with nothing_written(country):
            answer = browser.twin().post(path, [("token", token), (name, "high")])
        assert answer.status == 400, name


@pytest.mark.parametrize("route", POSTS, ids=lambda one: one.rule)
def test_nobody_posts_without_a_session(people: Settled, country: RunningCountry, route):
    (_, path), stranger = where(people, route), Someone(country.gateway)
    with nothing_written(country):
        answer = stranger.post(path, [("token", people.token(people.resident))])
    login = "/officer/login?" if route.audience is Audience.OFFICER else "/login?"
    assert answer.status == 303
    assert answer.header("location").startswith(login)


def test_the_forms_here_would_do_something(people: Settled, country: RunningCountry):
    """Without this, every refusal here might have another cause."""
    browser = people.other.twin()
    page = browser.visit("/settings/lock")
    with written(country, "block.set"):
        locked = browser.submit(page, page.form("/lock"), ("act", "lock"))
    assert locked.status == 200


def test_a_form_too_large_is_refused(people: Settled, country: RunningCountry):
    path = people.address("/settings/lock")
    with nothing_written(country):
        answer = people.resident.twin().post(path, [("token", "x" * 100_000)])
    assert answer.status in {400, 413}
