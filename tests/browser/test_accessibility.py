"""Every page, in every language, narrow and wide: nothing keeps anybody from using it."""

from itertools import groupby
from operator import itemgetter
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from gateway.http.routes import ROUTES
from tests.browser.barriers import axe, barriers, outline
from tests.browser.visitor import visiting
from tests.country import RunningCountry
from tests.settled import Settled, settled
from tests.tour import NOT_VISITED, PAGE_ROUTES, Tour, different, walk

LANGUAGES = {"en": "ltr", "ar": "rtl", "fr": "ltr"}
HEAVIEST = 60 * 1024
"""Bytes of a page with its style and its pictures."""
FOR_DEVELOPERS = ("/docs", "/errors/subject.not_released")


@pytest.fixture(scope="module")
def people(country: RunningCountry) -> Settled:
    return settled(country)


@pytest.fixture(scope="module")
def tours(people: Settled) -> list[tuple[str, Tour]]:
    """Return what each kind of visitor finds: nobody's pages, a resident's, an officer's."""
    return [(who, walk(one, starts)) for who, one, starts in people.visitors()]


def test_every_page_of_the_table_is_reached_by_links(tours):
    served = {one.rule for one in PAGE_ROUTES if one.method == "GET"} - NOT_VISITED
    assert served - set().union(*(tour.rules() for _, tour in tours)) == set()


def test_every_link_leads_to_a_page(tours):
    assert [one for _, tour in tours for one in tour.broken] == []


def test_every_form_goes_to_an_address_of_the_table(tours):
    rules = {one.rule.partition("<")[0] for one in ROUTES if one.method == "POST"}
    sent = {path for _, tour in tours for path in tour.posts}
    assert [one for one in sent if not any(one.startswith(rule) for rule in rules)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_keeps_anybody_out(
    chromium: Browser, country: RunningCountry, people: Settled, tours, language: str
):
    wrong: dict[str, list[str]] = {}
    titles: dict[str, set[str]] = {}
    for who, stops in groupby(different(tours), key=itemgetter(0)):
        with visiting(chromium, country.gateway, people.signin, language=language) as visitor:
            people.enter(visitor, who)
            for _, stop, path in stops:
                visitor.go(path)
                told = outline(visitor.page)
                found = barriers(visitor.page, dark=language == "en")  # colours speak no language
                if (told["lang"], told["dir"]) != (language, LANGUAGES[language]):
                    found.append(f"language {told['lang']}, direction {told['dir']}")
                if len(told["h1"]) != 1:
                    found.append(f"{len(told['h1'])} first headings")
                titles.setdefault(told["title"], set()).add(stop.rule)
                if found:
                    wrong[f"{who} {path}"] = found
    assert wrong == {}
    assert {title: rules for title, rules in titles.items() if len(rules) > 1} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_weighs_more_than_an_old_phone_can_carry(people: Settled, tours, language: str):
    heavy = {}
    for who, _, path in different(tours):
        browser = people.browser(who).twin()
        browser.cookies["__Host-language"] = language
        if (weight := browser.weight(browser.get(path))) > HEAVIEST:
            heavy[path] = weight
    assert heavy == {}


@pytest.mark.parametrize("path", FOR_DEVELOPERS)
def test_no_developers_page_keeps_anybody_out(
    chromium: Browser, country: RunningCountry, people: Settled, path: str
):
    with visiting(chromium, country.gateway, people.signin) as visitor:
        visitor.go(path)
        assert barriers(visitor.page) == []


def test_the_sign_in_to_try_out_keeps_nobody_out(
    chromium: Browser, country: RunningCountry, people: Settled
):
    with visiting(chromium, country.gateway, people.signin) as visitor:
        visitor.go("/login?to=/home")
        assert visitor.page.url.startswith(people.signin)
        assert barriers(visitor.page) == []


def test_with_forced_colours_and_without_motion_a_button_is_a_button(
    chromium: Browser, country: RunningCountry, people: Settled
):
    options = {"forced_colors": "active", "reduced_motion": "reduce"}
    with visiting(chromium, country.gateway, people.signin, **options) as visitor:
        people.enter(visitor, "resident")
        visitor.go(people.consent_path)
        told = visitor.page.evaluate(
            """() => [...document.querySelectorAll('.button')].map(one => {
                const style = getComputedStyle(one);
                return [style.borderTopStyle !== 'none' && style.borderTopWidth !== '0px',
                        style.transitionDuration, style.animationName]; })"""
        )
        assert told != []
        assert {tuple(one) for one in told} == {(True, "0s", "none")}
        assert axe(visitor.page) == []
        visitor.shoot("forced-colours")


def test_axe_finds_what_is_wrong(chromium: Browser):
    page = chromium.new_page()
    page.set_content(
        "<html><body><h3>t</h3><img src=x><p style='color:#aaa'>pale</p>"
        "<div style='width:2000px;height:20px;overflow:hidden'>wide<br>wide</div>"
    )
    found = barriers(page)
    page.close()
    for part in ("image-alt", "html-has-lang", "color-contrast", "sideways", "cut off"):
        assert any(part in one for one in found), (part, found)


def test_the_path_of_every_stop_is_ours(tours):
    assert all(not urlsplit(path).netloc for _, tour in tours for path in tour.paths.values())
