"""Stopping, pausing, taking back and saying yes again: never harder than giving, and at once."""

import json
import re
from urllib.parse import quote

import pytest

from crypto import base64url
from tests.attacks.ledger_watch import nothing_written, written
from tests.country import INCOME, RESIDENTS, RunningCountry
from tests.person import Page, Someone
from tests.settled import FACTS, given, named, signed_in

MOMENT = r"\d{1,2} \w+ \d{4}, \d\d:\d\d:\d\d UTC"


class Holder:
    """Somebody who said yes to all just now."""

    def __init__(self, country: RunningCountry) -> None:
        self.country = country
        self.number = country.resident().number
        self.browser = signed_in(country, self.number)
        self.ids = given(country.agency(), self.number, self.browser)
        self.path = f"/consents/{self.ids['consent']}"

    def exchange(self, service: str = RESIDENTS) -> int:
        return self.country.agency().exchange(self.number, service, FACTS[service][:2]).status

    def press(self, path: str, action: str, *members: tuple[str, str]) -> Page:
        page = self.browser.visit(path)
        return self.browser.submit(page, page.form(action), *members)

    def weak(self) -> Someone:
        """Return another browser of the same person, signed in as weakly as can be."""
        browser = Someone(self.country.gateway)
        assert browser.sign_in(self.number, level="low").path == "/home"
        return browser


@pytest.fixture
def holder(country: RunningCountry) -> Holder:
    return Holder(country)


def test_a_consent_shows_its_facts_its_terms_and_its_uses(holder: Holder):
    assert holder.exchange() == 200
    text = holder.browser.visit(holder.path).text
    for words in ("Active", "Is your child registered?", "Used so far", "1 time", "2 years"):
        assert words in text
    assert "Residents and their households" in text
    assert "You were asked" in text
    assert "You said yes" in text


def test_stopping_says_what_it_means_and_then_since_when_and_what_left(holder: Holder):
    assert holder.exchange() == 200
    assert holder.exchange(INCOME) == 200
    page = holder.browser.visit(f"{holder.path}/stop")
    assert "It was used 2 times." in page.text
    assert "You can bring a birth certificate" in page.text
    with written(holder.country, "consent.withdrawn"):
        page = holder.browser.submit(page, page.form("/stop"))
    assert page.path == f"{holder.path}/stopped"
    assert re.search(r"Stopped at <time[^>]*>\d\d:\d\d:\d\d UTC</time>\.", page.text)
    assert "Before that, it was used 2 times:" in page.text
    assert page.text.count("<td><bdi>Family Benefits</bdi></td>") == 2
    assert len(re.findall(MOMENT, page.text)) == 2
    assert named(page, "/receipts/").startswith("rc_")
    assert holder.exchange() == 403


def test_stopping_takes_two_clicks_and_no_stronger_sign_in(holder: Holder):
    browser = holder.weak()
    page = browser.visit(holder.path)
    assert f"{holder.path}/stop" in page.links
    page = browser.visit(f"{holder.path}/stop")
    with written(holder.country, "consent.withdrawn"):
        page = browser.submit(page, page.form("/stop"))
    assert page.path == f"{holder.path}/stopped"


def test_stopping_twice_leads_to_the_same_page(holder: Holder):
    members = holder.browser.visit(f"{holder.path}/stop").form("/stop").members
    first = holder.browser.follow(holder.browser.post(f"{holder.path}/stop", members))
    with nothing_written(holder.country):
        second = holder.browser.follow(holder.browser.post(f"{holder.path}/stop", members))
        assert holder.browser.visit(f"{holder.path}/stop").path == second.path
    assert first.path == second.path
    assert named(first, "/receipts/") == named(second, "/receipts/")


def test_looking_at_the_consequences_stops_nothing(holder: Holder):
    with nothing_written(holder.country):
        holder.browser.visit(f"{holder.path}/stop")
        assert holder.browser.visit(f"{holder.path}/stopped").path == holder.path
    assert holder.exchange() == 200


def test_a_pause_holds_until_it_goes_on(holder: Holder):
    with written(holder.country, "consent.suspended"):
        page = holder.press(holder.path, holder.ids["consent"], ("act", "pause"))
    assert "Paused" in page.text
    assert "You paused it" in page.text
    assert holder.exchange() == 403
    with written(holder.country, "consent.resumed"):
        page = holder.press(holder.path, holder.ids["consent"], ("act", "resume"))
    assert "Active" in page.text
    assert holder.exchange() == 200


def test_going_on_is_giving_and_wants_its_sign_in(holder: Holder):
    holder.press(holder.path, holder.ids["consent"], ("act", "pause"))
    browser = holder.weak()
    page = browser.visit(holder.path)
    with nothing_written(holder.country):
        answer = browser.post(
            holder.path, [*page.form(holder.ids["consent"]).members, ("act", "resume")]
        )
    assert answer.header("location") == f"/login?to={holder.path}&level=substantial"


def test_less_is_shared_from_the_moment_it_is_taken_away(holder: Holder):
    away = [("fact", f"{INCOME}#{field}") for field in FACTS[INCOME]]
    with written(holder.country, "consent.narrowed"):
        page = holder.press(f"{holder.path}/narrow", "/narrow", *away)
    assert page.path == holder.path
    assert "You took facts away" in page.text
    assert "Is your income under the limit?" not in page.text
    assert (holder.exchange(INCOME), holder.exchange(RESIDENTS)) == (403, 200)


@pytest.mark.parametrize(
    ("away", "error"),
    [
        ([], "Tick what you want to take away."),
        ([(RESIDENTS, "/name/family")], "this office answers nothing"),
        (
            [(name, field) for name, fields in FACTS.items() for field in fields],
            "stop the consent instead",
        ),
    ],
)
def test_taking_away_what_cannot_be_says_why(holder: Holder, away, error):
    members = [("fact", "#".join(one)) for one in away]
    with nothing_written(holder.country):
        page = holder.press(f"{holder.path}/narrow", "/narrow", *members)
    assert page.status == 400
    assert error in page.text


def test_taking_away_twice_is_done_once(holder: Holder):
    form = holder.browser.visit(f"{holder.path}/narrow").form("/narrow")
    members = [*form.members, *[("fact", f"{INCOME}#{field}") for field in FACTS[INCOME]]]
    with written(holder.country, "consent.narrowed"):
        for _ in range(2):
            page = holder.browser.follow(holder.browser.post(f"{holder.path}/narrow", members))
            assert page.path == holder.path


def test_saying_yes_again_offers_what_was_given_and_counts_anew(holder: Holder):
    page = holder.browser.visit(f"{holder.path}/renew")
    assert len([one for one in page.form("/renew").offered if one[0] == "fact"]) == 5
    picked = [("fact", "0"), ("fact", "1"), ("fact", "2"), ("span", "month")]
    page = holder.browser.submit(page, page.form("/renew"), *picked)
    assert page.path == f"{holder.path}/renew/check/0.1.2-month"
    with written(holder.country, "consent.renewed"):
        page = holder.browser.submit(page, page.form(page.path))
    assert page.path == holder.path
    assert "You said yes again" in page.text
    assert holder.exchange(INCOME) == 403


def test_the_list_has_a_filter(holder: Holder):
    assert holder.path in holder.browser.visit("/consents").links
    assert holder.path not in holder.browser.visit("/consents?show=ended").links
    holder.press(f"{holder.path}/stop", "/stop")
    assert holder.path not in holder.browser.visit("/consents").links
    assert holder.path in holder.browser.visit("/consents?show=ended").links
    assert holder.path in holder.browser.visit("/consents?show=all").links
    assert holder.browser.visit("/consents?show=nonsense").status == 200


def test_what_stopped_cannot_be_paused_narrowed_or_given_again(holder: Holder):
    form = holder.browser.visit(holder.path).form(holder.ids["consent"])
    holder.press(f"{holder.path}/stop", "/stop")
    with nothing_written(holder.country):
        assert holder.browser.visit(f"{holder.path}/narrow").status == 404
        assert holder.browser.visit(f"{holder.path}/renew").status == 404
        for act in ("pause", "resume"):
            page = holder.browser.follow(
                holder.browser.post(holder.path, [*form.members, ("act", act)])
            )
            assert "Stopped" in page.text


def test_a_lock_stops_everything_at_once_and_an_unlock_wants_its_sign_in(holder: Holder):
    with written(holder.country, "block.set"):
        page = holder.press("/settings/lock", "/lock", ("act", "lock"))
    assert page.path == "/settings"
    assert "Locked" in page.text
    assert "Your data is locked" in holder.browser.visit("/home").text
    assert holder.exchange() == 403
    weak = holder.weak()
    page = weak.visit("/settings/lock")
    with nothing_written(holder.country):
        answer = weak.post("/settings/lock", [*page.form("/lock").members, ("act", "unlock")])
    assert answer.header("location") == "/login?to=/settings/lock&level=substantial"
    with written(holder.country, "block.lifted"):
        holder.press("/settings/lock", "/lock", ("act", "unlock"))
    assert holder.exchange() == 200


def test_a_receipt_says_what_was_decided_and_leads_to_its_check(holder: Holder):
    receipt = holder.ids["receipt"]
    page = holder.browser.visit(f"/receipts/{receipt}")
    for words in ("You said yes", receipt, "Valid", "Is your child registered?"):
        assert words in page.text
    assert re.search(MOMENT, page.text)
    code = holder.browser.get(f"/receipts/{receipt}/code.svg")
    assert code.header("content-type") == "image/svg+xml"
    assert "<script" not in code.text
    assert "style" not in code.text


def test_the_signed_receipt_is_the_same_at_any_time_and_names_nobody(holder: Holder):
    path = f"/receipts/{holder.ids['receipt']}/receipt.jwt"
    first, second = (holder.browser.get(path) for _ in range(2))
    assert first.body == second.body
    assert first.header("content-type") == "application/jwt"
    assert first.header("content-disposition").startswith("attachment;")
    head, claims, _ = (part for part in first.text.split("."))
    assert json.loads(base64url.decode(head))["typ"] == "causeway-consent-receipt+jwt"
    told = json.loads(base64url.decode(claims))
    assert told["receipt_id"] == holder.ids["receipt"]
    assert told["iss"] == holder.country.gateway
    assert holder.number not in json.dumps(told)


def test_a_check_says_valid_then_replaced_and_nothing_else(holder: Holder):
    stranger, receipt = Someone(holder.country.gateway), holder.ids["receipt"]
    path = f"/verify?receipt={receipt}"
    valid = stranger.get(path)
    assert "This receipt is valid" in valid.text
    holder.press(f"{holder.path}/stop", "/stop")
    replaced = stranger.get(path)
    assert "A later decision replaced this receipt" in replaced.text
    assert "A later decision replaced it" in holder.browser.visit(f"/receipts/{receipt}").text
    for page in (valid, replaced):
        for secret in (holder.number, holder.ids["consent"], "allowance", "Family Benefits"):
            assert secret not in page.text


@pytest.mark.parametrize("receipt", ["rc_unknown", "", "<script>", "rc_" + "a" * 26, "x" * 500])
def test_a_check_of_nothing_we_know_says_so(country: RunningCountry, receipt: str):
    page = Someone(country.gateway).get(f"/verify?receipt={quote(receipt)}")
    assert page.status == 200
    assert "is valid" not in page.text
    assert "<script" not in page.text


def test_what_is_another_persons_looks_like_nothing(holder: Holder):
    other = signed_in(holder.country, holder.country.resident().number)
    token = other.visit("/home").forms[0].value("token")
    paths = [holder.path, *(f"{holder.path}/{one}" for one in ("stop", "stopped", "narrow"))]
    receipt = f"/receipts/{holder.ids['receipt']}"
    with nothing_written(holder.country):
        for path in (*paths, receipt, f"{receipt}/code.svg", f"{receipt}/receipt.jwt"):
            assert other.get(path).status == 404
        for path in (holder.path, f"{holder.path}/stop", f"{holder.path}/narrow"):
            assert other.post(path, [("token", token)]).status == 404
    assert holder.exchange() == 200
