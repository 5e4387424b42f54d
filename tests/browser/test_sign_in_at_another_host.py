"""A form whose answer leads to a host that its page does not name arrives there all the same."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import TimeoutError as NeverThere
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from consent.pages.language import install
from identity.onward import onward, see

ISSUER = "http://127.0.0.1:1"
POLICY = f"default-src 'none'; form-action 'self' {ISSUER}"
FORM = '<form method="post" action="/sent"><button>Send</button></form>'
WITHIN, LONG = 2_000, 60_000
"""Milliseconds in which nobody who is not led there arrives, and in which everybody else does."""


@contextmanager
def served(app: Flask) -> Iterator[int]:
    """Serve an application on a free port, and return the port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def leading(lead: Callable[[], Response]) -> Flask:
    """Return pages as ours are: a form, our answer to it, and the way to the sign-in."""
    app = Flask("pages")
    install(app)
    app.add_url_rule(
        "/",
        "form",
        lambda: (FORM, {"Content-Security-Policy": POLICY, "Content-Type": "text/html"}),
    )
    app.add_url_rule("/sent", "sent", lambda: see("/login"), methods=["POST"])
    app.add_url_rule("/login", "login", lead)
    return app


@pytest.mark.parametrize(("ours", "arrives"), [(True, True), (False, False)])
def test_after_a_form_only_a_page_leads_to_another_host(
    chromium: Browser, ours: bool, arrives: bool
):
    there = Flask("there")
    there.add_url_rule("/in", "in", lambda: "<h1>Sign in</h1>")
    with served(there) as port:
        url = f"http://localhost:{port}/in"
        app = leading(lambda: onward(url, ISSUER) if ours else see(url))
        page = chromium.new_page()
        with served(app) as own:
            page.goto(f"http://127.0.0.1:{own}/")
            page.click("button")
            try:
                page.wait_for_url(url, timeout=LONG if arrives else WITHIN)
            except NeverThere:
                assert not arrives
            assert (page.url == url) is arrives
        page.close()
