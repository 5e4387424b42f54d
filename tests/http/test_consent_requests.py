"""Consent requests: an agency asks a person, and learns only whether there was an answer."""

import itertools
import json
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consent.model import Means, Person
from gateway.demo.country import ROOT
from gateway.policy.catalogue import luhn
from gateway.rooms import opened
from gateway.setup.settings import Settings
from kernel.clock import Deadline, SystemClock
from kernel.filelock import FileLock
from kernel.names import Subject
from tests.agency import Agency, Answer
from tests.attacks.ledger_watch import committed, nothing_written, size
from tests.country import ENROLMENT, INCOME, RESIDENTS, SCHEME, RunningCountry
from tests.flow.watched import WatchedCountry, policies, watched_country

PATH = "/v1/consent-requests"
YEAR = {INCOME: ["/income/year"]}
TERMS = "catalogue/agreements/family-allowance.yaml"
BACK = "https://family-benefits.example/applications"
unknown = itertools.count(900_000)


def nobody() -> str:
    """Return a well-formed number that no register has, another each time."""
    digits = f"{next(unknown):06d}"
    return next(f"RN-{digits}{one}" for one in range(10) if luhn(f"{digits}{one}"))


def body(**members: Any) -> dict[str, Any]:
    """Return a request that nothing is wrong with, but for what a test changes."""
    subject = {"scheme": SCHEME, "value": nobody()}
    told = {"agreement": "family-allowance", "subject": subject, "fields": YEAR, **members}
    return {name: value for name, value in told.items() if value is not ...}


@pytest.fixture(scope="module")
def agency(country: RunningCountry) -> Agency:
    return country.agency()


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCountry]:
    """A country in which three people a day may be asked."""
    place = tmp_path_factory.mktemp("few")
    text = (ROOT / "policies" / TERMS).read_text(encoding="utf-8")
    less = re.sub(r"per_day: \d+", "per_day: 3", text)
    assert less != text
    chosen = policies(place / "policies", {TERMS: less})
    with watched_country(place / "demo", GATEWAY_POLICIES=chosen) as started:
        yield started


# ------------------------------------------------------------------ asking


def test_a_person_is_asked_under_an_address_of_their_own(
    country: RunningCountry, agency: Agency
) -> None:
    answer = agency.ask_consent(nobody(), YEAR, case="FA-1", return_url=BACK)
    assert answer.status == 201
    assert set(answer.json) == {"request", "url", "state", "expires"}
    request = answer.json["request"]
    assert re.fullmatch(r"rq_[a-z2-7]{26}", request)
    assert answer.json["url"] == f"{country.gateway}/requests/{request}"
    assert answer.headers["location"] == f"{country.gateway}{PATH}/{request}"
    assert answer.json["state"] == "open"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", answer.json["expires"])
    assert answer.headers["cache-control"] == "no-store"


def test_the_request_is_one_entry_of_the_persons_own_list(
    country: RunningCountry, agency: Agency
) -> None:
    person = country.resident()
    before = size(country)
    assert agency.ask_consent(person.number, YEAR, case="FA-9").status == 201
    (leaf,) = committed(country, before)
    assert (leaf["type"], leaf["consumer"]) == ("consent.requested", "family-benefits")
    assert leaf["agreement"] == "family-allowance"
    (told,) = country.activity(person)
    assert (told["type"], told["number"]) == ("consent.requested", 1)
    request = told["disclosures"]["request"]
    assert (request["case"], request["fields"]) == ("FA-9", YEAR)
    assert "FA-9" not in json.dumps(leaf)
    assert person.number not in json.dumps(leaf)


def test_asking_releases_nothing(agency: Agency) -> None:
    number = nobody()
    assert agency.ask_consent(number, YEAR).status == 201
    refused = agency.exchange(number, INCOME, ["/income/year"])
    assert (refused.status, refused.reason) == (403, "subject.not_released")


@pytest.mark.parametrize("services", [[RESIDENTS, INCOME], [INCOME, ENROLMENT]])
def test_several_offices_are_asked_for_in_one_request(agency: Agency, services: list[str]) -> None:
    own = agency.get("/v1/agreements/family-allowance").json["services"]
    fields = {name: [one["field"] for one in own[name]] for name in services}
    assert agency.ask_consent(nobody(), fields).status == 201


# ------------------------------------------------------------------ refusals

SAYS_NOTHING = [
    ({"agreement": "no-such"}, 403, "agreement.unknown"),
    ({"agreement": "child-maintenance"}, 403, "agreement.unknown"),
    ({"fields": {"no/such": ["/a"]}}, 403, "service.not_agreed"),
    ({"fields": {INCOME: ["/no/such"]}}, 400, "field.unknown"),
    ({"fields": {INCOME: ["/income/year", "/bank/account"]}}, 403, "field.not_agreed"),
    ({"fields": {INCOME: ["/income/total"]}}, 400, "request.malformed"),
    ({"subject": {"scheme": SCHEME, "value": "RN-1234567"}}, 400, "subject.malformed"),
    ({"subject": {"scheme": "passport", "value": "RN-1234566"}}, 400, "subject.malformed"),
    ({"return_url": f"{BACK}/"}, 400, "request.malformed"),
    ({"return_url": f"{BACK}?a=b"}, 400, "request.malformed"),
    ({"return_url": BACK.upper()}, 400, "request.malformed"),
    ({"return_url": "https://evil.example/"}, 400, "request.malformed"),
    ({"return_url": "javascript:alert(1)"}, 400, "request.malformed"),
    ({"return_url": ""}, 400, "request.malformed"),
    ({"agreement": ...}, 400, "request.malformed"),
    ({"subject": ...}, 400, "request.malformed"),
    ({"fields": ...}, 400, "request.malformed"),
    ({"fields": {}}, 400, "request.malformed"),
    ({"fields": {INCOME: []}}, 400, "request.malformed"),
    ({"fields": ["/income/year"]}, 400, "request.malformed"),
    ({"fields": {INCOME: "/income/year"}}, 400, "request.malformed"),
    ({"fields": {INCOME: ["/income/year", "/income/year"]}}, 400, "request.malformed"),
    ({"fields": {INCOME: [f"/{one}" for one in range(65)]}}, 400, "request.malformed"),
    ({"fields": {f"{one}/a": ["/a"] for one in range(17)}}, 400, "request.malformed"),
    ({"case": "a\nb"}, 400, "request.malformed"),
    ({"case": "x" * 129}, 400, "request.malformed"),
    ({"user": "clerk-1"}, 400, "request.malformed"),
    ({"basis": "statutory"}, 400, "request.malformed"),
    ({"subject": {"scheme": SCHEME, "value": "RN-1234566", "a": 1}}, 400, "request.malformed"),
]


@pytest.mark.parametrize(("change", "status", "reason"), SAYS_NOTHING)
def test_a_request_that_is_not_in_order_is_refused_by_name_and_leaves_no_entry(
    country: RunningCountry, agency: Agency, change: dict[str, Any], status: int, reason: str
) -> None:
    with nothing_written(country):
        answer = agency.post_consent_request(body(**change))
    assert (answer.status, answer.reason) == (status, reason)
    assert "exchange" not in answer.json
    for part in ("evil", "javascript", "RN-", "no/such"):
        assert part not in answer.json["detail"].replace("RN- and seven digits", "")


def test_with_nothing_wrong_there_is_a_request(agency: Agency) -> None:
    """Without this, every refusal above might have another cause."""
    assert agency.post_consent_request(body()).status == 201


def test_nobody_is_asked_for_consent_to_what_a_law_requires(country: RunningCountry) -> None:
    office = country.agency("child-maintenance")
    own = office.get("/v1/agreements/child-maintenance").json["services"]
    fields = {name: [one["field"] for one in told] for name, told in own.items()}
    with nothing_written(country):
        answer = office.post_consent_request(
            body(agreement="child-maintenance", fields=fields, case="CM-1")
        )
    assert (answer.status, answer.reason) == (403, "policy.denied")


def test_another_agency_cannot_ask_under_an_agreement_that_is_not_its_own(
    country: RunningCountry,
) -> None:
    answer = country.agency("child-maintenance").post_consent_request(body())
    assert (answer.status, answer.reason) == (403, "agreement.unknown")


ODD = [
    (b"", {}, 400, "request.malformed"),
    (b"[]", {}, 400, "request.malformed"),
    (b'{"agreement":"a","agreement":"b"}', {}, 400, "request.malformed"),
    (b'{"fields":{"a/b":["/x"],"a/b":["/y"]}}', {}, 400, "request.malformed"),
    (b"{" * 5000, {}, 400, "request.malformed"),
    (b" " * 16385, {}, 413, "request.too_large"),
    (None, {"Content-Type": "text/plain"}, 415, "request.media_type"),
    (None, {"Content-Encoding": "gzip"}, 415, "request.media_type"),
    (None, {"Idempotency-Key": "k"}, 400, "request.malformed"),
]


@pytest.mark.parametrize(("raw", "headers", "status", "reason"), ODD)
def test_odd_bodies_and_headers_are_refused_as_for_an_exchange(
    country: RunningCountry,
    agency: Agency,
    raw: bytes | None,
    headers: dict[str, str],
    status: int,
    reason: str,
) -> None:
    with nothing_written(country):
        answer = agency.post_consent_request(raw if raw is not None else body(), **headers)
    assert (answer.status, answer.reason) == (status, reason)


def test_asking_and_polling_need_their_own_scope(country: RunningCountry) -> None:
    agency = country.agency()
    agency.held = agency.ask_token(scope="exchange.request directory.read").json["access_token"]
    for answer in (agency.post_consent_request(body()), agency.get(f"{PATH}/rq_{'a' * 26}")):
        assert (answer.status, answer.reason) == (403, "scope.insufficient")
    with_it = country.agency()
    with_it.held = with_it.ask_token(scope="consent.request").json["access_token"]
    assert with_it.post_consent_request(body()).status == 201
    assert with_it.exchange(nobody(), INCOME, ["/income/year"]).reason == "scope.insufficient"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (["body", "agreement", "fields", "subject"], "request.malformed"),
        (["agreement", "fields", "subject"], "agreement.unknown"),
        (["fields", "subject"], "field.unknown"),
        (["subject", "return_url"], "subject.malformed"),
    ],
)
def test_the_first_thing_wrong_in_the_public_order_is_told(
    agency: Agency, wrong: list[str], reason: str
) -> None:
    members = {
        "body": ("extra", 1),
        "agreement": ("agreement", "no-such"),
        "fields": ("fields", {INCOME: ["/no/such"]}),
        "subject": ("subject", {"scheme": SCHEME, "value": "RN-1"}),
        "return_url": ("return_url", "https://evil.example/"),
    }
    assert agency.post_consent_request(body(**dict(members[one] for one in wrong))).reason == reason


# ------------------------------------------------------------------ what cannot be told apart


def outside(answer: Answer) -> tuple[Any, ...]:
    """Return all of an answer that may tell somebody something: no identifier, no time."""
    headers = {name for name in answer.headers if name != "date"}
    size = answer.headers["content-length"]
    return answer.status, size, frozenset(headers), frozenset(answer.json)


def lock_everything(country: RunningCountry, number: str) -> None:
    """Lock all about a resident, as their own page does."""
    with opened(Settings.parse(country.country.settings)) as rooms:
        subject = Subject(SCHEME, number)
        named = rooms.pseudonyms
        person = Person(subject, named.ref(subject), named.seal(subject))
        rooms.consents.lock(person, Means("web", ""))


def test_an_unknown_person_answers_like_any_other(country: RunningCountry, agency: Agency) -> None:
    agreed = country.consenting()
    withdrew = country.consenting()
    assert country.consents("withdraw", withdrew).returncode == 0
    known, locked = country.resident(), country.resident()
    lock_everything(country, locked.number)
    numbers = [agreed.number, withdrew.number, known.number, locked.number, nobody()]
    answers = [agency.ask_consent(number, YEAR) for number in numbers]
    assert {outside(answer) for answer in answers} == {outside(answers[0])}
    assert answers[0].status == 201
    polled = [agency.get(f"{PATH}/{answer.json['request']}") for answer in answers]
    assert {outside(answer) for answer in polled} == {outside(polled[0])}
    assert {answer.json["state"] for answer in polled} == {"open"}
    again = [agency.ask_consent(number, YEAR) for number in numbers]
    assert {(answer.status, answer.reason, answer.json["detail"]) for answer in again} == {
        (429, "quota.exceeded", again[0].json["detail"])
    }


def test_yes_and_no_are_one_word_to_the_agency(country: RunningCountry, agency: Agency) -> None:
    polled = []
    for act in ("give", "refuse"):
        person = country.resident()
        request = agency.ask_consent(person.number, YEAR).json["request"]
        waiting = agency.get(f"{PATH}/{request}")
        assert waiting.json == {"request": request, "state": "open"}
        done = country.consents(act, person)
        assert done.returncode == 0, done.stderr
        answered = agency.get(f"{PATH}/{request}")
        assert answered.json == {"request": request, "state": "answered"}
        assert outside(answered)[:3] == outside(waiting)[:3]
        again = agency.ask_consent(person.number, YEAR)
        polled.append((outside(answered), outside(again), again.json["detail"]))
    assert polled[0] == polled[1]


def test_a_request_that_nobody_answered_is_over_in_time(
    country: RunningCountry, agency: Agency
) -> None:
    request = agency.ask_consent(nobody(), YEAR).json["request"]
    url = country.country.settings["GATEWAY_DATABASE_URL"]
    path = Path(url.removeprefix("sqlite:///"))
    lock = FileLock(path)
    with lock.held(Deadline.within(10, SystemClock())), closing(sqlite3.connect(path)) as rows:
        rows.execute("PRAGMA wal_autocheckpoint=0")
        rows.execute("UPDATE consent_request SET expires = opened WHERE id = ?", (request,))
        rows.commit()
    lock.close()
    polled = agency.get(f"{PATH}/{request}")
    assert polled.json == {"request": request, "state": "expired"}


def test_another_agencys_request_is_unknown_like_one_that_never_was(
    country: RunningCountry, agency: Agency
) -> None:
    request = agency.ask_consent(nobody(), YEAR).json["request"]
    other = country.agency("child-maintenance")
    answers = [
        other.get(f"{PATH}/{name}")
        for name in (request, "rq_" + "a" * 26, "x", "%27%20OR%201", request.upper())
    ]
    for answer in answers:
        assert (answer.status, answer.reason) == (404, "request.not_found")
    assert len({answer.json["detail"] for answer in answers}) == 1
    with nothing_written(country):
        assert agency.get(f"{PATH}/{request}").status == 200
    assert agency.request("GET", f"{PATH}/{request}").reason == "token.missing"


# ------------------------------------------------------------------ ceilings


@pytest.mark.parametrize("known", [True, False])
def test_the_same_person_is_not_asked_again_at_once(
    country: RunningCountry, agency: Agency, known: bool
) -> None:
    number = country.resident().number if known else nobody()
    assert agency.ask_consent(number, YEAR).status == 201
    with nothing_written(country):
        again = agency.ask_consent(number, {INCOME: ["/income/year", "/income/total"]})
    assert (again.status, again.reason) == (429, "quota.exceeded")
    assert 0 < int(again.headers["retry-after"]) <= 86_400


def test_a_days_ceiling_holds_for_everybody_together(few: WatchedCountry) -> None:
    agency = few.agency()
    answers = [agency.ask_consent(nobody(), YEAR) for _ in range(5)]
    assert [answer.status for answer in answers] == [201, 201, 201, 429, 429]
    assert {answer.reason for answer in answers[3:]} == {"quota.exceeded"}
    assert 0 < int(answers[3].headers["retry-after"]) <= 86_400


def test_fifty_at_once_all_get_their_own_request(country: RunningCountry) -> None:
    agency = country.agency()
    assert agency.token
    numbers = [nobody() for _ in range(50)]
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda one: agency.ask_consent(one, YEAR), numbers))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["request"] for answer in answers}) == 50


def test_of_fifty_at_once_about_one_person_one_is_taken(country: RunningCountry) -> None:
    agency, number = country.agency(), nobody()
    assert agency.token
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(lambda _: agency.ask_consent(number, YEAR), range(50)))
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [201] + [429] * 49
