"""The story's browser: it reads forms as a person sees them, and keeps cookies by host."""

import os
import pty
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gateway.demo.browser import Browser, Choice, NotShown
from gateway.demo.waiting import Clicks

FORM = """<!doctype html><title>T</title><h1>Your  <b>answer</b></h1>
<form method="post" action="/logout"><button class="link">Sign out</button></form>
<a href="/x/stop?a=b"> Stop
 it</a>
<form method="post" action="/answer">
<input type="hidden" name="token" value="t&amp;1">
<input type="checkbox" id="a" name="fact" value="0" checked>
<label for="a">Name <bdi>one</bdi></label>
<input type="checkbox" id="b" name="fact" value="1"><label for="b">Postcode</label>
<textarea name="why"></textarea>
<select name="who"><option value="p">P</option><option value="q" selected>Q</option></select>
<button name="answer" value="yes">Yes</button><input value="nameless"></form>"""


class Site(BaseHTTPRequestHandler):
    """A site with a form, a redirect, a circle, and cookies."""

    seen: list[tuple[str, str, str, str]]

    def do_GET(self) -> None:
        self.answer("")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def answer(self, body: str) -> None:
        said = (self.command, self.path, self.headers.get("Cookie", ""), body)
        self.server.seen.append((*said, self.headers.get("Origin")))
        ways = {"/go": "/form", "/answer": "/form", "/round": "/round"}
        self.send_response(303 if self.path in ways else 200)
        if self.path in ways:
            self.send_header("Location", ways[self.path])
        if self.path == "/go":
            self.send_header("Set-Cookie", "one=1; Path=/; HttpOnly")
            self.send_header("Set-Cookie", "two=2; Path=/; Secure; SameSite=Lax")
        if self.path == "/answer":
            self.send_header("Set-Cookie", "one=; Max-Age=0")
        self.end_headers()
        self.wfile.write(FORM.encode())

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def site() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Site) as server:
        server.seen = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_form_is_read_as_it_stands(site: HTTPServer) -> None:
    page = Browser().open(f"{site.url}/form")
    form = page.form("yes")
    assert form.sent == (("token", "t&1"), ("fact", "0"), ("why", ""), ("who", "q"))
    assert form.choices[:2] == (
        Choice("fact", "0", "Name one"),
        Choice("fact", "1", "Postcode"),
    )
    assert form.buttons == (("answer", "yes"),)
    assert page.form(action="/logout").sent == ()
    assert page.link("/stop") == f"{site.url}/x/stop?a=b"
    assert "Your answer" in page.text


def test_what_is_chosen_takes_the_place_of_what_stood_there(site: HTTPServer) -> None:
    browser = Browser()
    page = browser.open(f"{site.url}/form")
    done = browser.press(page, page.form("yes"), ("fact", "1"), ("answer", "yes"))
    assert done.path == "/form"
    (_, (method, path, _, body, origin), (after, *_)) = site.seen
    assert (method, path, after, origin) == ("POST", "/answer", "GET", site.url)
    assert body == "token=t%261&why=&who=q&fact=1&answer=yes"


def test_cookies_are_kept_for_their_host_until_they_are_taken_back(site: HTTPServer) -> None:
    browser = Browser()
    page = browser.open(f"{site.url}/go")
    assert page.path == "/form"
    assert [cookie for _, _, cookie, _, _ in site.seen] == ["", "one=1; two=2"]
    browser.press(page, page.form("yes"))
    assert site.seen[-1][2] == "two=2"


def test_what_is_not_there_is_not_shown(site: HTTPServer) -> None:
    browser = Browser()
    page = browser.open(f"{site.url}/form")
    for missing in (lambda: page.form("maybe"), lambda: page.link("/nowhere")):
        with pytest.raises(NotShown):
            missing()
    with pytest.raises(NotShown, match="circles"):
        browser.open(f"{site.url}/round")
    with pytest.raises(NotShown, match="does not answer"):
        browser.open("http://127.0.0.1:1/closed")


# ------------------------------------------------------------------ waiting for you


@contextmanager
def keyboard() -> Iterator[tuple[int, Clicks, list[str]]]:
    ours, theirs = pty.openpty()
    said: list[str] = []
    with os.fdopen(theirs, "r") as keys:
        yield ours, Clicks(keys, said.append), said
    os.close(ours)


def test_the_story_goes_on_when_you_did_it() -> None:
    looks = iter([False, True])
    with keyboard() as (_, clicks, said):
        assert clicks.until(lambda: next(looks))
    assert "press Enter" in said[0]


def test_the_story_goes_on_by_itself_when_you_press_enter() -> None:
    with keyboard() as (ours, clicks, _):
        os.write(ours, b"\n")
        assert not clicks.until(lambda: False)


def test_where_nobody_can_press_a_key_nobody_is_waited_for() -> None:
    said: list[str] = []
    with Path(os.devnull).open() as nothing:
        assert not Clicks(nothing, said.append).until(lambda: False)
    assert "by itself" in said[0]
