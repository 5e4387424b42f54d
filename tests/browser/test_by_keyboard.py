"""With the keyboard alone: from the question to the receipt, seeing at each step where one is."""

from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser.visitor import visiting
from tests.country import RunningCountry
from tests.settled import asked_for, cookies, signed_in

MOST_TABS = 60
_HERE = """() => {
    const one = document.activeElement, style = getComputedStyle(one);
    const box = one.getBoundingClientRect();
    return {
        tag: one.tagName, name: one.name || '', value: one.value || '',
        href: one.getAttribute('href') || '', text: one.innerText || '',
        shown: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
        inside: box.width > 0 && box.top >= 0 && box.bottom <= innerHeight,
        order: [...document.querySelectorAll('*')].indexOf(one),
    };
}"""

_STILL = "() => document.getAnimations().every(one => one.playState !== 'running')"


def here(page: Page) -> dict[str, Any]:
    """Return what has the focus; whatever has it shows it, and is in view."""
    page.wait_for_function(_STILL)
    told = page.evaluate(_HERE)
    on_the_page = told["tag"] == "BODY"  # before the first stop
    assert on_the_page or told["shown"], told
    assert on_the_page or told["inside"], told
    return told


def tab_to(page: Page, **wanted: str) -> None:
    """Press Tab until something has the focus, always further down the page."""
    before = -1
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        told = here(page)
        assert told["order"] > before, told
        before = told["order"]
        if all(told[name] == value for name, value in wanted.items()):
            return
    raise AssertionError(f"{wanted} is not reached by Tab")


def press(page: Page, key: str = "Enter") -> None:
    with page.expect_navigation():
        page.keyboard.press(key)


def test_a_yes_fact_by_fact_needs_no_mouse(chromium: Browser, country: RunningCountry):
    number = country.resident().number
    request = asked_for(country.agency(), number)
    with visiting(chromium, country.gateway, country.document["signin"]) as visitor:
        page = visitor.page
        page.context.add_cookies(cookies(signed_in(country, number)))
        visitor.go(f"/requests/{request}")
        tab_to(page, name="answer", value="choose")
        press(page)
        for place in ("3", "4"):
            tab_to(page, name="fact", value=place)
            page.keyboard.press("Space")
        assert page.locator("input:checked").count() == 2
        tab_to(page, name="span")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        assert page.locator("input[name=span]:checked").count() == 1
        press(page)
        assert "/check/3.4-" in visitor.path
        tab_to(page, tag="BUTTON", text=page.inner_text("main form button"))
        press(page)
        assert visitor.path == f"/requests/{request}/answered"


def test_the_first_stop_leads_past_the_navigation(chromium: Browser, country: RunningCountry):
    number = country.resident().number
    with visiting(chromium, country.gateway, country.document["signin"]) as visitor:
        page = visitor.page
        page.context.add_cookies(cookies(signed_in(country, number)))
        visitor.go("/settings")
        page.keyboard.press("Tab")
        assert here(page)["href"] == "#main"
        page.keyboard.press("Enter")
        assert page.evaluate("() => document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.closest('main') !== null")


def test_an_error_leads_to_its_field(chromium: Browser, country: RunningCountry):
    number = country.resident().number
    request = asked_for(country.agency(), number)
    with visiting(chromium, country.gateway, country.document["signin"]) as visitor:
        visitor.expected.append("status of 400")
        page = visitor.page
        page.context.add_cookies(cookies(signed_in(country, number)))
        visitor.go(f"/requests/{request}/choose")
        page.click("main form button")
        tab_to(page, href="#fact-0")
        page.keyboard.press("Enter")
        assert page.evaluate("() => document.activeElement.id") == "fact-0"
        assert page.title().startswith("Error:")
