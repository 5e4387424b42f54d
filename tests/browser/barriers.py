"""Barriers: what keeps somebody from using a page, found by axe-core and by measuring."""

from functools import cache
from typing import Any

from playwright.sync_api import Page

from gateway.demo.country import ROOT
from tests.browser.visitor import HEIGHT, NARROW, WIDE

AXE = ROOT / "tests" / "foreign" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """async (options) => (await axe.run(document, options)).violations
    .flatMap(one => one.nodes.map(node => `${one.id}: ${node.html.slice(0, 160)}`))"""
_SIDEWAYS = """() => {
    const root = document.documentElement, found = [];
    if (root.scrollWidth > root.clientWidth) {
        for (const one of document.body.querySelectorAll('*')) {
            const box = one.getBoundingClientRect();
            if (box.width && (box.right > root.clientWidth + 1 || box.left < -1) &&
                !one.closest('.unseen, .skip')) {
                found.push(`sideways: ${one.outerHTML.slice(0, 120)}`);
            }
        }
        if (!found.length) { found.push(`sideways: by ${root.scrollWidth - root.clientWidth}`); }
    }
    return found.slice(0, 3);
}"""
_CUT_OFF = """() => [...document.body.querySelectorAll('*')].filter(one => {
    const style = getComputedStyle(one);
    return !one.closest('.unseen, .skip') && one.textContent.trim() && one.clientWidth > 1 &&
        ((['hidden', 'clip'].includes(style.overflowX) && one.scrollWidth > one.clientWidth + 1) ||
         (['hidden', 'clip'].includes(style.overflowY) && one.scrollHeight > one.clientHeight + 1));
}).map(one => `cut off: ${one.outerHTML.slice(0, 120)}`)"""
_OUTLINE = """() => ({
    lang: document.documentElement.lang, dir: document.documentElement.dir,
    title: document.title, h1: [...document.querySelectorAll('h1')].map(one => one.innerText),
})"""


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


def axe(page: Page, *rules: str) -> list[str]:
    """Return what axe-core finds wrong: by all of WCAG 2.2 AA and best practice, or by rules."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_axe())
    only: Any = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS}
    return page.evaluate(_RUN, {"runOnly": only, "resultTypes": ["violations"]})


def barriers(page: Page, *, dark: bool = True) -> list[str]:
    """Return what is wrong with a page: wide, dark, at twice the text size, and narrow."""
    page.set_viewport_size({"width": WIDE, "height": HEIGHT})
    found = [f"wide, {one}" for one in axe(page)]
    if dark:
        page.emulate_media(color_scheme="dark")
        found += [f"dark, {one}" for one in axe(page, "color-contrast")]
        page.emulate_media(color_scheme="light")
    page.evaluate("() => { document.documentElement.style.fontSize = '200%' }")
    found += [f"at 200 %, {one}" for one in page.evaluate(_SIDEWAYS) + page.evaluate(_CUT_OFF)]
    page.evaluate("() => { document.documentElement.style.fontSize = '' }")
    page.set_viewport_size({"width": NARROW, "height": HEIGHT})
    found += [f"narrow, {one}" for one in page.evaluate(_SIDEWAYS) + page.evaluate(_CUT_OFF)]
    return found + [f"narrow, {one}" for one in axe(page)]


def outline(page: Page) -> dict[str, Any]:
    """Return language, direction, title and first headings."""
    return page.evaluate(_OUTLINE)
