"""Pages for everybody: health, keys, the ledger's head, and an explanation for each reason."""

import json
import re

import pytest

from gateway.http.developers import DeveloperViews
from gateway.http.pages import PublicViews
from gateway.http.problems import EXPLANATIONS
from gateway.http.routes import ROUTES, Audience
from gateway.http.web import application
from gateway.observing.metrics import Metrics
from kernel.errors import Reason
from tests.unit.gateway import parts


class Log:
    """The public side of a ledger."""

    def checkpoint(self):
        return "gateway.example/audit/log\n1\nroot\n\n— signature\n"

    def vkey(self):
        return "gateway.example/audit/log+00000000+key"


class Site:
    """The pages alone; every other address answers nothing."""

    def __init__(self):
        self.missing = []
        metrics = Metrics()
        pages = PublicViews(lambda: {"keys": []}, Log(), metrics, lambda: self.missing)
        holders = (pages, DeveloperViews("/assets/{}".format))
        views = dict.fromkeys((route.view for route in ROUTES), lambda **_: None)
        for view in views:
            for holder in holders:
                views[view] = getattr(holder, view, views[view])
        front = parts.front(metrics, lambda *_: None)
        self.get = application(front, views).test_client().get


@pytest.fixture
def site():
    return Site()


def test_the_process_answers(site):
    answer = site.get("/livez")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_readiness_says_what_is_missing(site):
    assert site.get("/readyz").json == {"ready": True, "missing": []}
    site.missing = ["ledger: it is closed"]
    answer = site.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {"ready": False, "missing": ["ledger: it is closed"]}


def test_keys_and_the_ledgers_head_are_for_everybody(site):
    assert site.get("/v1/receipts/keys").json == {"keys": []}
    assert site.get("/audit/log/checkpoint").text == Log().checkpoint()
    assert site.get("/audit/log/vkey").text == Log().vkey() + "\n"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_figures_are_told_on_this_machine(site, address):
    answer = site.get("/metrics", environ_overrides={"REMOTE_ADDR": address})
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("address", ["10.0.0.7", "203.0.113.9", "fe80::1", "", "unix:"])
def test_figures_are_not_there_for_anybody_else(site, address):
    answer = site.get("/metrics", environ_overrides={"REMOTE_ADDR": address})
    assert (answer.status_code, answer.get_json(force=True)["reason"]) == (
        404,
        "request.not_found",
    )


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_page(site, reason):
    answer = site.get(f"/errors/{reason.value}")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    for words in (reason.value, str(EXPLANATIONS[reason].status), 'lang="en"'):
        assert words in answer.text
    assert "&#x27;" in answer.text or "'" not in answer.text
    assert "<script" not in answer.text


@pytest.mark.parametrize("reason", ["none", "internal%3Cb%3E", "consent.withdrawn", "INTERNAL"])
def test_what_is_no_reason_has_no_page_and_is_not_repeated(site, reason):
    answer = site.get(f"/errors/{reason}")
    assert answer.status_code == 404
    assert reason not in answer.text


def test_the_api_is_described_for_programs_and_for_people(site):
    described = site.get("/openapi.json")
    assert described.content_type == "application/json"
    assert json.loads(described.text)["openapi"].startswith("3.1")
    page = site.get("/docs")
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    assert "<h1>Causeway: the API</h1>" in page.text
    loaded = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page.text)
    assert set(loaded) == {"/assets/style.css", "/assets/developers.css", "/assets/icon.svg"}
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self';")


def test_the_pages_serve_every_address_that_is_for_anyone_but_those_of_oauth_and_signing_in():
    others = {"server_metadata", "resource_metadata", "token_keys", "login_keys", "bundle"}
    for route in ROUTES:
        anyone = route.method == "GET" and route.audience in {Audience.ANYONE, Audience.OPERATOR}
        if anyone and route.view not in others:
            assert hasattr(PublicViews, route.view) or hasattr(DeveloperViews, route.view)
