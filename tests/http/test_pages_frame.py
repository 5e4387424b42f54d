"""What every page has in common: headers, language, direction, sign-in, and errors for people."""

import re

import pytest

from gateway.http.routes import PAGES, Audience
from tests.attacks.ledger_watch import nothing_written
from tests.country import RunningCountry
from tests.person import Someone
from tests.settled import Settled, settled

OWN = [one for one in PAGES if one.method == "GET" and one.audience is Audience.RESIDENT]
INLINE = re.compile(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {signin}; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@pytest.fixture(scope="module")
def people(country: RunningCountry) -> Settled:
    return settled(country)


@pytest.mark.parametrize("route", OWN, ids=lambda one: one.rule)
def test_every_page_has_the_same_headers(people: Settled, route):
    page = people.resident.twin().get(people.address(route.rule))
    assert page.header("content-security-policy") == POLICY.format(signin=people.signin)
    assert page.header("x-content-type-options") == "nosniff"
    assert page.header("referrer-policy") == "same-origin"
    assert page.header("cache-control") == "no-store"
    assert page.header("cross-origin-opener-policy") == "same-origin"
    assert page.header("cross-origin-resource-policy") == "same-origin"


@pytest.mark.parametrize("route", OWN, ids=lambda one: one.rule)
def test_no_page_holds_a_script_or_a_style_of_its_own(people: Settled, route):
    page = people.resident.twin().visit(people.address(route.rule))
    if page.header("content-type").startswith("text/html"):
        assert not re.search(
            r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", page.text, re.IGNORECASE
        )
        assert all(one.startswith(("/assets/", "/receipts/")) for one in page.parsed.assets)


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("fr", "ltr"), ("ar", "rtl")])
@pytest.mark.parametrize("route", OWN, ids=lambda one: one.rule)
def test_every_page_says_its_language_and_direction(people: Settled, route, language, direction):
    browser = people.resident.twin()
    browser.cookies["__Host-language"] = language
    page = browser.visit(people.address(route.rule))
    if page.header("content-type").startswith("text/html"):
        assert f'<html lang="{language}" dir="{direction}">' in page.text
        assert page.header("content-language") == language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ar", "ar"),
        ("fr-CA, en;q=0.5", "fr"),
        ("de, en;q=0.1", "en"),
        ("de", "en"),
        ("fr;q=0, ar;q=0.2", "ar"),
        ("*", "en"),
        ("", "en"),
        ("x" * 2000, "en"),
        ("ar-EG;q=0.9, fr;q=0.8", "ar"),
    ],
)
def test_the_browsers_language_is_taken_where_none_was_chosen(country, header, language):
    assert f'lang="{language}" dir' in Someone(country.gateway, header).get("/").text


def test_a_chosen_language_is_kept_and_leads_back(country: RunningCountry):
    browser = Someone(country.gateway)
    answer = browser.get("/settings/language?lang=ar&to=/verify%3Freceipt%3Drc_1")
    assert (answer.status, answer.header("location")) == (303, "/verify?receipt=rc_1")
    cookie = answer.header("set-cookie")
    for part in ("__Host-language=ar", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert 'lang="ar" dir="rtl"' in browser.get("/").text


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example",
        "//evil.example",
        "/%5Cevil.example",
        "/%2F%2Fevil.example",
        "/%09/evil.example",
        "evil.example",
        "javascript:alert(1)",
        "/nowhere",
        "/" + "a" * 300,
        "",
    ],
)
def test_a_chosen_language_leads_nowhere_else(country: RunningCountry, to: str):
    answer = Someone(country.gateway).get(f"/settings/language?lang=fr&to={to}")
    assert (answer.status, answer.header("location")) == (303, "/")


def test_a_language_that_is_not_ours_is_not_kept(country: RunningCountry):
    answer = Someone(country.gateway).get("/settings/language?lang=de&to=/verify")
    assert answer.status == 303
    assert answer.header("set-cookie") == ""


@pytest.mark.parametrize("route", OWN, ids=lambda one: one.rule)
def test_without_a_session_a_page_leads_to_the_sign_in_and_back(people: Settled, route):
    path = people.address(route.rule)
    answer = Someone(people.country.gateway).get(path)
    assert (answer.status, answer.header("location")) == (303, f"/login?to={path}")


def test_parameters_of_a_page_come_back_after_the_sign_in(country: RunningCountry):
    answer = Someone(country.gateway).get("/consents?show=ended")
    assert answer.header("location") == "/login?to=/consents%3Fshow%3Dended"
    browser = Someone(country.gateway)
    page = browser.follow(answer)
    who = country.resident().number
    page = browser.submit(
        page, page.form("/authorize"), ("person", who), ("level", "low"), ("answer", "yes")
    )
    assert page.url.endswith("/consents?show=ended")


@pytest.mark.parametrize(
    "path",
    [
        "/activity?agency=a!b",
        "/activity?agency=%C3%A9%20(x)*'%22",
        "/activity?agency=%ff",
        "/activity?x",
        "/activity?agency=" + "a" * 600,
        "/consents/%C3%A9",
        "/officer?q=a!b",
    ],
)
def test_an_odd_address_without_a_session_leads_to_the_sign_in(country: RunningCountry, path: str):
    page = Someone(country.gateway).visit(path)
    assert page.status == 200
    assert page.form("/authorize")


def test_a_form_whose_session_was_lost_leads_back_to_its_page(people: Settled, country):
    browser = people.asked.twin()
    path = f"/requests/{people.ids['open']}/check/all"
    members = browser.visit(path).form(path).members
    del browser.cookies["__Host-resident"]
    with nothing_written(country):
        answer = browser.post(path, members)
    assert (answer.status, answer.header("location")) == (303, f"/login?to={path}")


def test_a_form_of_an_old_session_says_what_to_do(people: Settled, country):
    browser = people.asked.twin()
    path = f"/requests/{people.ids['open']}/check/all"
    members = dict(browser.visit(path).form(path).members)
    with nothing_written(country):
        page = browser.post(path, {**members, "token": "x" * 43}.items())
    assert page.status == 400
    assert "This page was open for too long" in page.text
    assert path in page.links


@pytest.mark.parametrize(
    "path", ["/nowhere", "/requests", "/home/", "/HOME", "/consents/co_1", "/%68ome"]
)
def test_a_wrong_turn_is_told_in_a_page(people: Settled, path: str):
    page = people.resident.twin().get(path)
    assert page.status == 404
    assert page.header("content-type") == "text/html; charset=utf-8"
    assert "We cannot find this page" in page.text
    assert re.search(r"tr_[a-z2-7]{26}", page.text)
    assert "/" in page.links
    assert "frame-ancestors 'none'" in page.header("content-security-policy")


def test_a_wrong_turn_is_told_in_the_readers_language(country: RunningCountry):
    browser = Someone(country.gateway, "ar")
    assert '<html lang="ar" dir="rtl">' in browser.get("/nowhere").text


@pytest.mark.parametrize("accept", ["*/*", "application/json", None])
def test_a_machine_is_told_in_a_problem_document(country: RunningCountry, accept):
    page = Someone(country.gateway).get("/nowhere", Accept=accept)
    assert page.status == 404
    assert page.header("content-type") == "application/problem+json"


def test_an_agencys_address_answers_a_browser_as_it_answers_agencies(country: RunningCountry):
    page = Someone(country.gateway).get("/v1/services")
    assert page.status == 401
    assert page.header("content-type") == "application/problem+json"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "get"])
@pytest.mark.parametrize("path", ["/", "/home", "/verify", "/settings/lock"])
def test_a_page_takes_no_other_method(country: RunningCountry, method: str, path: str):
    page = Someone(country.gateway).send(method, path, None, {})
    assert page.status == 405
    assert page.header("allow") in {"GET", "GET, POST"}


def test_the_stylesheet_is_kept_for_ever_under_a_name_of_its_content(country: RunningCountry):
    start = Someone(country.gateway).get("/")
    style = next(one for one in start.parsed.assets if one.endswith(".css"))
    kept = Someone(country.gateway).get(style)
    assert (kept.status, kept.header("content-type")) == (200, "text/css; charset=utf-8")
    assert "immutable" in kept.header("cache-control")
    assert len(kept.body) < 16_000
    assert Someone(country.gateway).get("/assets/style.css").status == 404
    assert Someone(country.gateway).get("/assets/..%2Fstyle.css").status == 404


def test_whoever_is_signed_in_starts_at_the_overview(people: Settled):
    assert people.resident.twin().get("/").header("location") == "/home"
