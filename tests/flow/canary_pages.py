"""Canary pages: people use every page with values that must not stay anywhere but sealed."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from tests.country import RESIDENTS, RunningCountry
from tests.person import Page, Someone
from tests.settled import OFFICER, chosen, named, signed_in
from tests.tour import walk

CASE = "FA-2026-8830-VKZX"
REPORT = "report-kqzvbt: I never asked this office."
OBJECTION = "objection-wjhxpd: my letter of the first of May."
ANSWER = "answer-gnqrvk: the office made a mistake."
TEXTS = {CASE, REPORT, OBJECTION, ANSWER}
FACTS = {RESIDENTS: ["/name/family", "/name/given", "/children/*/resident_number"]}


def visits(country: RunningCountry, resident: Any) -> dict[str, bytes]:
    """Have somebody do everything on the pages; return what they hold that others might see."""
    browser = signed_in(country, resident.number)
    request = asked(country, resident.number)
    done = chosen(browser, request, 0, 1, 2)
    receipt = browser.get(f"/receipts/{named(done, '/receipts/')}/receipt.jwt")
    for path, text in (
        (f"/activity/{named(browser.visit('/activity'), '/activity/')}/report", REPORT),
        ("/required-by-law/child-maintenance/object", OBJECTION),
    ):
        page = browser.visit(path)
        case = browser.submit(page, page.form(path), ("text", text))
        answer(country, case.path)
        assert text in case.text
    page = browser.visit("/download")
    assert browser.submit(page, page.form("/download")).status == 200
    for act in ("lock", "unlock"):
        page = browser.visit("/settings/lock")
        browser.submit(page, page.form("/lock"), ("act", act))
    tour = walk(browser, ["/home", f"/requests/{request}"])
    assert tour.broken == []
    for path in tour.paths.values():
        assert kept_by_nobody(browser.get(path)), path
    for odd in oddities(browser, resident):
        assert odd.status in {303, 400, 403, 404, 413, 415}, odd.url
    names = {f"cookie {name}": opened(value) for name, value in browser.cookies.items()}
    return {**names, "receipt": receipt.body + opened(receipt.text)}


def asked(country: RunningCountry, number: str) -> str:
    said = country.agency().ask_consent(number, FACTS, case=CASE)
    assert said.status == 201, said.body
    return said.json["request"]


def answer(country: RunningCountry, path: str) -> None:
    officer = Someone(country.gateway)
    officer.sign_in(OFFICER, realm="/officer")
    page = officer.visit(f"/officer{path}")
    officer.submit(page, page.form(path), ("outcome", "upheld"), ("text", ANSWER))


def kept_by_nobody(page: Page) -> bool:
    """Return whether no cache may keep a page; what everybody gets may be kept."""
    return "no-store" in page.header("cache-control") or "/assets/" in page.path


def opened(value: str) -> bytes:
    """Return a value with each of its parts decoded as well, whatever it is."""
    parts = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in value.split("."))
    return value.encode() + b"\n" + b"\n".join(parts) if set(value) <= _BASE64 else value.encode()


_BASE64 = {*"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."}


def oddities(browser: Someone, resident: Any) -> Iterator[Page]:
    """Put values where none belong: paths, parameters, members and cookies."""
    token = browser.get("/home").forms[0].value("token")
    for text in (resident.number, resident.family, CASE):
        named_so = quote(text, safe="")
        yield browser.get(f"/requests/{named_so}")
        yield browser.get(f"/consents/{named_so}?show={named_so}")
        yield browser.get(f"/activity/{named_so}/evidence")
        yield browser.get(f"/{named_so}")
        yield browser.post("/settings/lock", [("token", token), ("act", text)])
        yield browser.post("/settings/lock", [("token", token), (text, text)])
        yield browser.post("/settings/lock", [("token", text), ("act", "lock")])
        yield browser.post(f"/requests/{named_so}", [("token", token), ("answer", text)])
        yield browser.send("POST", "/settings/lock", json.dumps(text).encode(), {})
        yield browser.get(f"/login/callback?state={named_so}&code={named_so}&iss={named_so}")
        yield Someone(browser.gateway, cookies={"__Host-resident": named_so}).get("/home")
