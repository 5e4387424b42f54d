"""Settled: people who have everything that a page can show, each with a browser signed in."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from werkzeug.routing import Map, Rule

from gateway.demo.sources import Resident
from tests.agency import Agency
from tests.country import INCOME, RESIDENTS, RunningCountry
from tests.person import Page, Someone

FACTS = {
    RESIDENTS: ["/name/family", "/name/given", "/children/*/resident_number"],
    INCOME: ["/income/year", "/income/total"],
}
OFFICER = "officer-1"
REPORTED = "I never asked this office for anything."
OBJECTION = "Please look at my letter of the first of May."
ANSWER = "The office made a mistake. It has deleted what it received."


@dataclass
class Settled:
    """Browsers: of a resident with a history, of one who is asked just now, of one who stopped,
    of one who has nothing, and of an officer."""

    country: RunningCountry
    signin: str
    resident: Someone
    asked: Someone
    stopped: Someone
    other: Someone
    officer: Someone
    number: str
    ids: dict[str, str]
    """Values for the parts of addresses, all of them the resident's own."""

    def visitors(self) -> Iterator[tuple[str, Someone, list[str]]]:
        """Yield each kind of visitor, with the addresses that they come by."""
        yield "nobody", Someone(self.country.gateway), ["/", "/verify"]
        again = f"/consents/{self.ids['consent']}/renew/check/all"
        asked, found = f"/requests/{self.ids['request']}", "/activity?agency=tax&outcome=locked"
        yield "resident", self.resident, ["/home", asked, again, found]
        yield "asked", self.asked, [f"/requests/{self.ids['open']}/check/0.1.3-once", "/home"]
        yield (
            "stopped",
            self.stopped,
            [f"/consents/{self.ids['stopped']}/stop", "/consents?show=all"],
        )
        yield "officer", self.officer, ["/officer"]

    @property
    def consent_path(self) -> str:
        """Return the page of the resident's consent."""
        return self.address("/consents/<consent>")

    def browser(self, who: str) -> Someone:
        """Return a visitor's browser."""
        return next(one for name, one, _ in self.visitors() if name == who)

    def enter(self, visitor: Any, who: str) -> None:
        """Give a real browser the cookies of a visitor, and its language."""
        held = {**self.browser(who).cookies, "__Host-language": visitor.language}
        visitor.page.context.add_cookies(cookies(replace(self.browser(who), cookies=held)))

    def address(self, rule: str, **others: str) -> str:
        """Return the address of a rule with the resident's own ids."""
        urls = Map([Rule(rule, endpoint="here")], merge_slashes=False).bind("")
        return urls.build("here", {**self.ids, **others}, append_unknown=False)

    def where(self, rule: str, *, officer: bool = False) -> tuple[Someone, str]:
        """Return somebody whose page has the form of a rule, and the form's address."""
        if officer:
            return self.officer, self.address(rule, case=self.ids["waiting"])
        if rule.startswith("/requests/"):
            return self.asked, self.address(rule, request=self.ids["open"])
        return self.resident, self.address(rule)

    def unknown(self, rule: str) -> str:
        """Return an address of the same shape that is nobody's."""
        changed = {name: value[:-4] + "zzzz" for name, value in self.ids.items()}
        return self.address(rule, **changed | {"number": "999999999", "choice": "all"})

    def token(self, browser: Someone) -> str:
        """Return the token against forgery of a browser's session."""
        page = browser.twin().get("/officer" if "__Host-officer" in browser.cookies else "/home")
        return page.forms[0].value("token")

    def secrets(self) -> list[str]:
        """Return what no other person may read."""
        return [self.number, REPORTED, OBJECTION, ANSWER]


def settled(
    country: RunningCountry,
    resident: Resident | None = None,
    texts: tuple[str, str] = (REPORTED, OBJECTION),
) -> Settled:
    """Have residents and an officer do everything once, through the real server."""
    resident = resident or country.consenting()
    asked, stopped, other = (country.resident() for _ in range(3))
    agency = country.agency()
    browsers = {
        one.number: signed_in(country, one.number) for one in (resident, asked, stopped, other)
    }
    officer = Someone(country.gateway)
    assert officer.sign_in(OFFICER, realm="/officer").status == 200
    own = browsers[resident.number]
    uses(country, resident.number)
    ids = {"open": asked_for(agency, asked.number)}
    ids |= given(agency, resident.number, own)
    ids |= complained(own, *texts)
    ids |= {"stopped": gave_and_stopped(agency, stopped.number, browsers[stopped.number])}
    answered(officer, ids["case"])
    return Settled(
        country=country,
        signin=urlsplit(country.document["signin"]).geturl(),
        resident=own,
        asked=browsers[asked.number],
        stopped=browsers[stopped.number],
        other=browsers[other.number],
        officer=officer,
        number=resident.number,
        ids=ids,
    )


def cookies(browser: Someone) -> list[dict[str, Any]]:
    """Return a browser's cookies as a real browser takes them."""
    named = {"domain": "127.0.0.1", "path": "/", "secure": True, "httpOnly": True}
    return [
        {"name": name, "value": value, "sameSite": "Lax", **named}
        for name, value in browser.cookies.items()
        if name.startswith("__Host-")
    ]


def signed_in(country: RunningCountry, number: str, language: str = "en") -> Someone:
    """Return a browser in which a resident signed in."""
    browser = Someone(country.gateway, language)
    page = browser.sign_in(number)
    assert (page.status, page.path) == (200, "/home"), (page.status, page.url)
    return browser


def uses(country: RunningCountry, number: str) -> None:
    """Have an office use a consent, and be refused."""
    agency = country.agency()
    assert agency.exchange(number, RESIDENTS, FACTS[RESIDENTS]).status == 200
    assert agency.exchange(number, RESIDENTS, ["/nationality"]).status == 403


def asked_for(agency: Agency, number: str) -> str:
    """Have an office ask somebody, and return the request's id."""
    answer = agency.ask_consent(number, FACTS, case="FA-2026-00042")
    assert answer.status == 201, answer.body
    return answer.json["request"]


def chosen(browser: Someone, request: str, *places: int, span: str = "full") -> Page:
    """Answer a request fact by fact, and return the page that says it is done."""
    page = browser.visit(f"/requests/{request}")
    page = browser.submit(page, page.form(request), ("answer", "choose"))
    picked = [("fact", str(place)) for place in places]
    page = browser.submit(page, page.form("/choose"), *picked, ("span", span))
    return browser.submit(page, page.form(page.path))


def given(agency: Agency, number: str, browser: Someone) -> dict[str, str]:
    """Have somebody answer a request with yes to everything, and return the ids of it."""
    request = asked_for(agency, number)
    page = browser.visit(f"/requests/{request}")
    page = browser.submit(page, page.form(request), ("answer", "yes"))
    page = browser.submit(page, page.form(page.path))
    assert page.path == f"/requests/{request}/answered", page.url
    receipt = named(page, "/receipts/")
    consent = named(browser.visit("/consents"), "/consents/")
    return {"request": request, "receipt": receipt, "consent": consent, "choice": "all"}


def gave_and_stopped(agency: Agency, number: str, browser: Someone) -> str:
    """Have somebody say yes, and stop it; return the consent's id."""
    consent = given(agency, number, browser)["consent"]
    page = browser.visit(f"/consents/{consent}/stop")
    page = browser.submit(page, page.form("/stop"))
    assert page.path == f"/consents/{consent}/stopped", page.url
    return consent


def named(page: Page, prefix: str) -> str:
    """Return the id in the first link that begins so."""
    found = next(one for one in page.links if one.startswith(prefix))
    return found.removeprefix(prefix).partition("/")[0].partition("?")[0]


def complained(browser: Someone, report: str, objection: str) -> dict[str, str]:
    """Have somebody report an entry and object to a law, and return the ids of it."""
    number = named(browser.visit("/activity"), "/activity/")
    page = browser.visit(f"/activity/{number}/report")
    case = browser.submit(page, page.form("/report"), ("text", report))
    agreement = named(browser.visit("/required-by-law"), "/required-by-law/")
    page = browser.visit(f"/required-by-law/{agreement}/object")
    objected = browser.submit(page, page.form("/object"), ("text", objection))
    assert (case.status, objected.status) == (200, 200)
    waiting = objected.path.rpartition("/")[2]
    ids = {"case": case.path.rpartition("/")[2], "waiting": waiting}
    return ids | {"number": number, "agreement": agreement}


def answered(officer: Someone, case: str) -> None:
    """Have an officer answer a case."""
    page = officer.visit(f"/officer/cases/{case}")
    page = officer.submit(page, page.form(case), ("outcome", "upheld"), ("text", ANSWER))
    assert (page.status, page.path) == (200, "/officer"), page.url
