"""Attacks that only a real browser can tell (D9, D16): texts that want to be code, frames, the
Back button."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser

from gateway.demo.country import ROOT
from tests.browser.visitor import visiting
from tests.country import RunningCountry, running
from tests.flow.watched import policies
from tests.settled import Settled, cookies, settled, signed_in
from tests.tour import different, walk

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
HOSTILE = [
    f"{SCRIPT} A",
    '"><svg onload=alert(1)> B',
    "'-alert(1)-' javascript:alert(1) C",
    "{{ 7777*7777 }} ${7777*7777} <%= 7777*7777 %> D",
    "%(agency)s %s %(num)d {0} 100 % E",
    "</title></textarea></option><base href=//evil.example> F",
    "&lt;b&gt; <b>bold</b> <!-- G",
]
TEXTS = ("title", "name", "purpose_text", "if_refused", "instead", "question")
_INJECTED = """() => [...document.querySelectorAll(
    'script, svg, base, iframe, object, embed, b, img:not([src^="/assets/"]):not([src$="code.svg"])'
)].map(one => one.outerHTML.slice(0, 100))"""
_HANDLERS = """() => [...document.querySelectorAll('*')].filter(one =>
    [...one.attributes].some(at => at.name.startsWith('on') || at.name === 'style' ||
        (['href', 'src', 'action'].includes(at.name) && /^\\s*(javascript|data):/i.test(at.value)))
).map(one => one.outerHTML.slice(0, 100))"""


def hostile(value: Any, count: Iterator[int]) -> Any:
    """Return a document of the catalogue whose texts for people are attacks."""
    if isinstance(value, list):
        return [hostile(one, count) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: dict.fromkeys(one, HOSTILE[next(count) % len(HOSTILE)])
        if name in TEXTS and isinstance(one, dict) and "en" in one
        else hostile(one, count)
        for name, one in value.items()
    }


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """Return people in a country whose offices call themselves and all they ask by attacks."""
    place, count = tmp_path_factory.mktemp("hostile"), iter(range(10_000))
    files = {
        str(path.relative_to(ROOT / "policies")): yaml.safe_dump(
            hostile(yaml.safe_load(path.read_text(encoding="utf-8")), count), allow_unicode=True
        )
        for path in (ROOT / "policies" / "catalogue").rglob("*.yaml")
    }
    with running(place / "demo", GATEWAY_POLICIES=policies(place / "policies", files)) as started:
        yield settled(started, texts=(SCRIPT, SCRIPT))


def test_no_text_of_an_office_or_a_person_becomes_code(chromium: Browser, people: Settled):
    """In Arabic, so that every translated sentence takes the texts in as well."""
    tours = [(who, walk(one, starts)) for who, one, starts in people.visitors()]
    assert [one for _, tour in tours for one in tour.broken] == []
    shown, gateway = set(), people.country.gateway
    for who, stops in groupby(different(tours), key=itemgetter(0)):
        with visiting(chromium, gateway, people.signin, language="ar") as visitor:
            visitor.page.on("dialog", lambda dialog: visitor.trouble.append(dialog.message))
            people.enter(visitor, who)
            for _, stop, path in stops:
                visitor.go(path)
                assert visitor.page.evaluate(_INJECTED) == [], path
                assert visitor.page.evaluate(_HANDLERS) == [], path
                text = visitor.page.inner_text("body")
                assert "60481729" not in text, path
                shown |= {one for one in HOSTILE if one in text}
                if SCRIPT in text:
                    shown.add(stop.rule)
    assert shown >= {*HOSTILE, "/cases/<case>", "/officer/cases/<case>"}


class _Framing(BaseHTTPRequestHandler):
    """Another site, which puts an address of ours into a frame of its own."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        target = self.path.partition("?")[2]
        self.wfile.write(f"<!doctype html><title>x</title><iframe src='{target}'>".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Framing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("path", ["/", "/home", "/settings/lock", "/verify", "/officer", "/docs"])
def test_nothing_of_ours_shows_in_a_frame_of_another_site(
    chromium: Browser, country: RunningCountry, elsewhere: str, path: str
):
    context = chromium.new_context()
    context.add_cookies(cookies(signed_in(country, country.resident().number)))
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text))
    page.goto(f"{elsewhere}/?{country.gateway}{path}")
    for _ in range(300):  # what Chromium says comes when it comes
        if any("frame-ancestors" in one for one in said):
            break
        page.wait_for_timeout(200)
    frames = [one for one in page.frames if one is not page.main_frame]
    assert [one.url.partition(":")[0] for one in frames] == ["chrome-error"]
    assert any("frame-ancestors" in one for one in said), said
    context.close()


def test_the_back_button_shows_nothing_after_signing_out(
    chromium: Browser, country: RunningCountry
):
    resident = country.consenting()
    signin = country.document["signin"]
    with visiting(chromium, country.gateway, signin, java_script_enabled=False) as visitor:
        page = visitor.page
        page.context.add_cookies(cookies(signed_in(country, resident.number)))
        for path in ("/home", "/consents", "/activity"):
            visitor.go(path)
        assert page.locator("main a[href^='/activity/']").count() > 0
        page.click("form[action='/logout'] button")
        for _ in range(3):
            page.go_back()
            assert page.locator("main a[href^='/activity/']").count() == 0
            assert page.locator("form[action='/logout']").count() == 0
            assert page.locator("a[href^='/consents/co_']").count() == 0


def test_a_link_of_another_site_opens_a_page_and_changes_nothing(
    chromium: Browser, country: RunningCountry, tmp_path: Path
):
    """SameSite=Lax: a link brings the reader in; a form that another site sends is nobody's."""
    resident = country.resident()
    context = chromium.new_context()
    context.add_cookies(cookies(signed_in(country, resident.number)))
    page = context.new_page()
    form = tmp_path / "form.html"
    form.write_text(
        f"<form method=post action='{country.gateway}/settings/lock'>"
        "<input name=act value=lock><input name=token value=x><button>x</button></form>"
    )
    page.goto(form.as_uri())
    with page.expect_navigation():
        page.click("button")
    assert page.locator("form[action='/logout']").count() == 0
    context.close()
    assert country.activity(resident) == []
