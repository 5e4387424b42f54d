"""What a page says was done is what was done: also late, twice, beside another answer, and when
the ledger does not answer."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from consent.model import Acknowledgement, Act, Asked, Choice, Grant, Kind, Means, Person, State
from consent.pages import consents
from consent.store import ConsentStore
from gateway.terms import terms_of
from kernel.errors import Reason, Refusal
from kernel.names import ClientId, ConsentId, RequestId
from tests.house import AGREEMENT, RESIDENTS, URL, House, Visitor, house

MEMBER = re.compile(r'name="(token|notice|version)" value="([^"]*)"')
LEFT = re.compile(r'<ul class="facts left">(.*?)</ul>', re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house") / "state") as opened:
        yield opened


def offered(home: House) -> frozenset[Grant]:
    return terms_of(home.rooms.control.now().agreements[AGREEMENT]).offered


def asked(home: House, person: Person, fields: frozenset[Grant] | None = None) -> str:
    """Have the agency ask a person, and return the request."""
    request = RequestId(home.rooms.chance.identifier("rq"))
    client = ClientId("family-benefits-1")
    what = Asked(request, client, fields or offered(home), None, None)
    home.act(Kind.REQUEST, person, Means("agency", client), asked=what)
    return request


def send(visitor: Visitor, page: TestResponse, path: str) -> TestResponse:
    """Send the form of a page that was opened before, as it stood there."""
    members = dict(MEMBER.findall(page.text))
    return visitor.client.post(path, base_url=URL, data=members, headers=visitor._headers())


def granted(home: House, person: Person) -> frozenset[Grant]:
    record = home.rooms.consents.current(person.ref, AGREEMENT)
    assert record is not None
    return record.granted


def test_a_no_beside_a_consent_that_stands_is_told_as_a_no(home: House) -> None:
    person = home.person()
    home.act(Kind.GIVE, person)
    request, visitor = asked(home, person), home.visitor(person)
    visitor.post(f"/requests/{request}", answer="no")
    page = visitor.get(f"/requests/{request}/answered").text
    assert "You said no" in page
    assert "You said yes" not in page
    assert "may now ask" not in page


@pytest.mark.parametrize(("language", "kept"), [("en", "en"), ("fr", None)])
def test_a_no_is_kept_with_the_text_that_was_seen_and_with_no_other(
    home: House, language: str, kept: str | None
) -> None:
    """The language was changed in another window, between the question and the answer."""
    person = home.person()
    request, visitor = asked(home, person), home.visitor(person)
    path = f"/requests/{request}"
    members = {**dict(MEMBER.findall(visitor.get(path).text)), "answer": "no"}
    visitor.language = language
    visitor.client.post(path, base_url=URL, data=members, headers=visitor._headers())
    record = home.rooms.consents.current(person.ref, AGREEMENT)
    assert record is not None
    assert (record.state, record.language) == (State.REFUSED, kept)


@pytest.mark.parametrize("later", [Kind.WITHDRAW, Kind.SUSPEND])
def test_a_yes_that_was_taken_back_is_not_told_as_if_it_stood(home: House, later: Kind) -> None:
    person = home.person()
    request, visitor = asked(home, person), home.visitor(person)
    path = f"/requests/{request}"
    send(visitor, visitor.get(f"{path}/check/all"), f"{path}/check/all")
    assert "may now ask" in visitor.get(f"{path}/answered").text
    consent = home.act(later, person)
    answer = visitor.get(f"{path}/answered")
    assert (answer.status_code, answer.location) == (303, f"/consents/{consent}")


def test_an_answer_is_the_requests_own_and_not_a_later_one(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = home.person()
    request, visitor = asked(home, person), home.visitor(person)
    visitor.post(f"/requests/{request}", answer="no")
    home.act(Kind.GIVE, person)
    kept = home.rooms.consents.request(RequestId(request))
    assert kept is not None
    given = home.rooms.consents.events(kept.consent)[-1]
    over = replace(kept, expires=given.time)
    monkeypatch.setattr(ConsentStore, "request", lambda *_: over)
    assert "You said no" in visitor.get(f"/requests/{request}/answered").text


def test_what_is_given_again_is_what_its_page_showed(home: House) -> None:
    """Facts were taken away in another window, so that the places name others by now."""
    person = home.person()
    consent = home.act(Kind.GIVE, person)
    visitor, path = home.visitor(person), f"/consents/{consent}/renew/check/0.1-full"
    page = visitor.get(path)
    rest = frozenset(fact for fact in granted(home, person) if fact[0] != RESIDENTS)
    home.act(Kind.NARROW, person, choice=Choice(rest, 0, None))
    answer = send(visitor, page, path)
    assert (answer.status_code, answer.location) == (303, f"/consents/{consent}")
    assert granted(home, person) == rest


def test_saying_yes_again_twice_is_done_once(home: House) -> None:
    person = home.person()
    consent = home.act(Kind.GIVE, person)
    visitor, path = home.visitor(person), f"/consents/{consent}/renew/check/all"
    page = visitor.get(path)
    for _ in range(2):
        assert send(visitor, page, path).status_code == 303
    events = home.rooms.consents.events(ConsentId(consent))
    assert [one.type for one in events] == ["consent.given", "consent.renewed"]


def test_a_yes_to_other_facts_says_that_the_earlier_ones_are_shared_no_more(home: House) -> None:
    person = home.person()
    income = frozenset(fact for fact in offered(home) if fact[0] == "tax/income")
    home.act(Kind.GIVE, person, choice=Choice(offered(home) - income, 30, None))
    request, visitor = asked(home, person, income), home.visitor(person)
    path = f"/requests/{request}/check/all"
    page = visitor.get(path)
    left = LEFT.search(page.text)
    assert left is not None
    assert "Postcode" in left[1]
    assert "Assessed year" not in left[1]
    send(visitor, page, path)
    assert granted(home, person) == income


@pytest.mark.parametrize("act", ["pause", "resume"])
def test_the_page_of_an_old_consent_changes_no_newer_one(home: House, act: str) -> None:
    person = home.person()
    old = home.act(Kind.GIVE, person)
    home.act(Kind.WITHDRAW, person)
    home.act(Kind.GIVE, person)
    if act == "resume":
        home.act(Kind.SUSPEND, person)
    before = home.rooms.consents.current(person.ref, AGREEMENT)
    answer = home.visitor(person).post(f"/consents/{old}", form="/home", act=act)
    assert answer.location == f"/consents/{old}"
    assert home.rooms.consents.current(person.ref, AGREEMENT) == before


def test_a_long_list_of_consents_has_pages_and_each_of_them_is_on_one(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consents, "MOST_LISTED", 2)
    person = home.person()
    made = []
    for _ in range(5):
        made.append(home.act(Kind.GIVE, person))
        home.act(Kind.WITHDRAW, person)
    visitor, found, path = home.visitor(person), [], "/consents?show=ended"
    while path:
        page = visitor.get(path).text
        shown = re.findall(r'href="/consents/(co_[a-z0-9]+)"', page)
        assert 1 <= len(shown) <= 2
        found += shown
        older = re.search(r'href="([^"]+)" rel="next"', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert found == made[::-1]


def test_a_long_story_shows_its_newest_part_and_how_much_more_there_is(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consents, "MOST_LISTED", 3)
    person = home.person()
    consent = home.act(Kind.GIVE, person)
    for _ in range(3):
        home.act(Kind.SUSPEND, person)
        home.act(Kind.RESUME, person)
    page = home.visitor(person).get(f"/consents/{consent}").text
    assert page.count('href="/receipts/') == 3
    assert page.index("You let it go on") < page.index("You paused it")
    assert "You said yes" not in page
    assert "See 4 more" in page


def test_nobody_is_told_that_nothing_changed_when_that_is_not_known(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that answers too late may have kept what was said."""
    person = home.person()
    request, visitor = asked(home, person), home.visitor(person)
    path = f"/requests/{request}"

    def too_late(act: Act) -> Acknowledgement:
        kept(act)
        raise Refusal(Reason.LEDGER_UNAVAILABLE, "The disk did not answer in time.")

    kept = home.rooms.consents._once
    page = visitor.get(path)
    monkeypatch.setattr(ConsentStore, "_once", lambda _, act: too_late(act))
    members = {**dict(MEMBER.findall(page.text)), "answer": "no"}
    answer = visitor.client.post(path, base_url=URL, data=members, headers=visitor._headers())
    assert answer.status_code == 503
    assert "Nothing was changed" not in answer.text
    assert "We cannot say if it counted." in answer.text
    current = home.rooms.consents.current(person.ref, AGREEMENT)
    assert current is not None
    assert current.state is State.REFUSED


@pytest.mark.parametrize("path", ["/logout", "/officer/logout"])
def test_a_foreign_form_takes_nobodys_cookie_away(home: House, path: str) -> None:
    """A browser sends no `SameSite=Lax` cookie with it, but would obey a `Set-Cookie`."""
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = home.client.post(path, base_url=URL, data={}, headers=foreign)
    assert "Set-Cookie" not in answer.headers
    own = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
    answer = home.client.post(path, base_url=URL, data={}, headers=own)
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
