"""Visitor: somebody in a real browser, who notes everything that a page should not do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Request

from gateway.demo.country import ROOT

SCREENSHOTS = ROOT / "var" / "screenshots"
"""Kept after the tests, to be looked at."""
HEIGHT = 800
NARROW, WIDE = 320, 1280


@dataclass
class Visitor:
    """A page in a browser context of its own."""

    page: Page
    gateway: str
    allowed: tuple[str, ...]
    language: str = "en"
    width: int = WIDE
    trouble: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=lambda: ["net::ERR_ABORTED"])
    """What a test brings about itself; a download ends the visit of its own address."""

    def __post_init__(self) -> None:
        """Note what the console says, and every request that goes elsewhere or fails."""
        self.page.on("console", lambda said: self._note(f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self._note(f"script: {error}"))
        self.page.on("requestfailed", lambda one: self._note(f"failed: {one.url} {one.failure}"))
        self.page.on("request", self._asked)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(self.allowed):
            self._note(f"elsewhere: {request.url}")

    def _note(self, text: str) -> None:
        if not any(part in text for part in self.expected):
            self.trouble.append(f"{self.page.url}: {text}")

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    def go(self, path: str) -> None:
        """Open one of our own addresses."""
        self.page.goto(self.gateway + path)

    def shoot(self, name: str) -> Path:
        """Keep a picture of the whole page under language and width."""
        path = SCREENSHOTS / f"{self.language}-{self.width}" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True)
        return path

    def says(self, text: str) -> bool:
        """Return whether the page's main part says something."""
        return text in self.page.inner_text("main")


@contextmanager
def visiting(browser: Browser, gateway: str, signin: str, **options: Any) -> Iterator[Visitor]:
    """Visit in a context of one's own; leave with nothing to complain about."""
    language, width = options.pop("language", "en"), options.pop("width", WIDE)
    context = browser.new_context(
        locale=language, viewport={"width": width, "height": HEIGHT}, **options
    )
    context.set_default_timeout(60_000)
    try:
        visitor = Visitor(context.new_page(), gateway, (gateway, signin), language, width)
        yield visitor
        assert visitor.trouble == [], visitor.trouble
    finally:
        context.close()


def signed_in(context: BrowserContext) -> dict[str, Any]:
    """Return what a context holds, so that another can begin signed in."""
    return context.storage_state()
