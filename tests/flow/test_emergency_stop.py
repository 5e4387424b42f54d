"""Emergency stop: in force on the next request, also for what is in flight, and told to everybody
whom it concerns; nobody's consent is lost by it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consent.model import State
from tests.country import AGREEMENT, INCOME, RESIDENTS
from tests.flow.office import YEAR, Question, honest
from tests.flow.replayed import replayed
from tests.flow.watched import WatchedCountry, watched_country
from tests.person import Someone

WHY = 'The tax office sends wrong names: "Ng" for all.'
STOPS = {
    ("agreement", AGREEMENT): (403, "agreement.not_in_force"),
    ("agency", "family-benefits"): (401, "token.invalid"),
    ("source", "tax"): (503, "source.unavailable"),
}
KINDS = [kind for kind, _ in STOPS]


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedCountry]:
    """A country of these tests' own, in which nothing is stopped when a test begins."""
    state = tmp_path_factory.mktemp("stops") / "demo"
    with watched_country(state, GATEWAY_SOURCE_TAX_TIMEOUT="60") as started:
        yield started


def stop(land: WatchedCountry, *what: str) -> subprocess.CompletedProcess:
    return land.run("gateway", "stop", *what, "--reason", WHY)


def resume(land: WatchedCountry, *what: str) -> subprocess.CompletedProcess:
    return land.run("gateway", "resume", *what)


@contextmanager
def stopped(land: WatchedCountry, *what: str) -> Iterator[dict]:
    """Stop something, yield what the command said, and let it go on."""
    done = stop(land, *what)
    assert done.returncode == 0, done.stderr
    try:
        yield json.loads(done.stdout)
    finally:
        done = resume(land, *what)
    assert done.returncode == 0, done.stderr


def told(land: WatchedCountry, index: int) -> dict:
    return land.committed()[index]


def test_p6_closed_by_default_when_an_agreement_is_stopped(land: WatchedCountry):
    resident, agency = land.consented(), land.agency()
    assert agency.exchange(resident.number, INCOME, [YEAR]).status == 200
    with stopped(land, "agreement", AGREEMENT) as done:
        asked = len(land.office.asked_about(resident.number))
        answer = agency.exchange(resident.number, INCOME, [YEAR])
        assert (answer.status, answer.reason) == (403, "agreement.not_in_force")
        assert land.trail(answer.json["exchange"]) == ["exchange.refusal"]
        request = agency.ask_consent(land.resident().number, {INCOME: [YEAR]})
        assert (request.status, request.reason) == (403, "agreement.not_in_force")
        assert len(land.office.asked_about(resident.number)) == asked
    leaf = told(land, done["index"])
    assert (leaf["type"], leaf["kind"], leaf["name"]) == ("stop.set", "agreement", AGREEMENT)
    assert (leaf["reason"], leaf["_sd"]) == (WHY, [])
    assert agency.exchange(resident.number, INCOME, [YEAR]).status == 200


@pytest.mark.parametrize(("what", "expected"), STOPS.items(), ids=KINDS)
def test_p6_closed_by_default_when_the_stop_comes_while_the_source_is_asked(
    land: WatchedCountry, what: tuple[str, str], expected: tuple[int, str]
):
    resident, agency, done = land.consented(), land.agency(), []

    def meanwhile(question: Question) -> bytes:
        done.append(stop(land, *what))
        return honest(question)

    land.office.tells(resident.number, meanwhile)
    try:
        answer = agency.exchange(resident.number, INCOME, [YEAR])
    finally:
        resume(land, *what)
    assert done[0].returncode == 0, done[0].stderr
    assert "sealed" not in answer.json
    assert (answer.status, answer.reason) == expected
    exchange = answer.json["exchange"]
    assert land.trail(exchange) == ["exchange.decision", "exchange.refusal"]
    entry = next(one for one in land.activity(resident) if one["type"] == "exchange.refusal")
    assert entry["disclosures"]["response"]["reason"] == expected[1]


def test_the_systems_of_a_stopped_agency_are_refused_as_if_disabled(land: WatchedCountry):
    resident, agency, other = land.consented(), land.agency(), land.agency("tax")
    assert agency.exchange(resident.number, INCOME, [YEAR]).status == 200
    assert other.get("/v1/agreements").status == 200
    with stopped(land, "agency", "family-benefits"):
        answers = [
            agency.exchange(resident.number, INCOME, [YEAR]),
            agency.ask_consent(resident.number, {INCOME: [YEAR]}),
            agency.get("/v1/agreements"),
        ]
        assert {(one.status, one.reason) for one in answers} == {(401, "token.invalid")}
        token = land.agency().ask_token()
        assert (token.status, token.json["error"]) == (401, "invalid_client")
        assert other.get("/v1/agreements").status == 200
    assert agency.exchange(resident.number, INCOME, [YEAR]).status == 200
    assert land.agency().ask_token().status == 200


def test_a_stopped_source_is_asked_nothing_and_the_others_go_on(land: WatchedCountry):
    resident, agency = land.consented(), land.agency()
    with stopped(land, "source", "tax") as done:
        answer = agency.exchange(resident.number, INCOME, [YEAR])
        assert (answer.status, answer.reason) == (503, "source.unavailable")
        assert agency.exchange(resident.number, RESIDENTS, ["/name/family"]).status == 200
        assert land.office.asked_about(resident.number) == []
        unknown = agency.exchange("RN-0000000", INCOME, [YEAR])
        assert unknown.reason == "source.unavailable", "it says nothing about anybody"
        [agreement] = agency.get("/v1/agreements").json["agreements"]
        assert agreement["stopped"] is None
        assert agreement["services_stopped"] == {INCOME: {"since": done["at"], "reason": WHY}}
    assert agency.exchange(resident.number, INCOME, [YEAR]).status == 200


def test_it_says_in_a_sentence_what_cannot_be_stopped_or_resumed(land: WatchedCountry):
    wrong = {
        ("agreement", "none"): "The catalogue in force has no agreement 'none'.",
        ("agency", "tax/income"): "The catalogue in force has no agency 'tax/income'.",
        ("source", "family-allowance"): "The catalogue in force has no source 'family-allowance'.",
    }
    for what, sentence in wrong.items():
        refused = stop(land, *what)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == f"{sentence}\n"
    size = len(land.committed())
    again = resume(land, "source", "tax")
    assert (again.returncode, again.stderr) == (1, "The source 'tax' is not stopped.\n")
    for reason in ("", " why", "two\nlines", "à cause de tout", "x" * 401):
        bad = land.run("gateway", "stop", "source", "tax", "--reason", reason)
        assert (bad.returncode, bad.stdout, len(bad.stderr.splitlines())) == (2, "", 1)
    assert len(land.committed()) == size
    with stopped(land, "source", "tax") as done:
        twice = stop(land, "source", "tax")
        assert (twice.returncode, twice.stdout) == (1, "")
        assert twice.stderr == f"The source 'tax' is stopped already, since {done['at']}.\n"
        with stopped(land, "agency", "education"):
            listed = land.run("gateway", "stop", "list").stdout.splitlines()
            first, second = map(json.loads, listed)
    assert (first["kind"], first["name"], first["since"]) == ("source", "tax", done["at"])
    assert (first["reason"], first["index"]) == (WHY, done["index"])
    assert (second["kind"], second["name"]) == ("agency", "education")
    assert land.run("gateway", "stop", "list").stdout == ""


def test_everybody_concerned_is_told_and_no_consent_is_lost(land: WatchedCountry):
    resident, asked, agency = land.consented(), land.resident(), land.agency()
    request = agency.ask_consent(asked.number, {INCOME: [YEAR]}).json["request"]
    reader, other, officer = (Someone(land.gateway) for _ in range(3))
    home = reader.sign_in(resident.number, to="/consents")
    consent = next(one for one in home.links if one.startswith("/consents/co_"))
    page = other.sign_in(asked.number, to=f"/requests/{request}")
    assert {"yes", "choose", "no"} <= buttons(page)
    officer.sign_in("officer-1", realm="/officer")
    for what in (("agreement", AGREEMENT), ("agency", "family-benefits")):
        with stopped(land, *what) as done:
            if what[0] == "agreement":
                agreement = agency.get(f"/v1/agreements/{AGREEMENT}").json
                assert agreement["stopped"] == {"since": done["at"], "reason": WHY}
            shown = reader.visit(consent)
            assert "Paused by the gateway since" in shown.text
            assert f"{consent}/stop" in shown.links, "it stands, and can be taken back"
            held = other.visit(f"/requests/{request}")
            assert "Paused by the gateway since" in held.text
            assert buttons(held) & {"yes", "choose", "no"} == {"no"}
            for answer in ("yes", "choose"):
                back = other.submit(page, page.form(request), ("answer", answer))
                assert back.path == f"/requests/{request}"
            for step in ("choose", "check/all"):
                assert other.visit(f"/requests/{request}/{step}").path == f"/requests/{request}"
            seen = officer.visit("/officer").text
            assert what[1] in seen
            assert "Ng&#34; for all." in seen
            assert land.consents("give", asked).returncode == 1
    with stopped(land, "source", "tax"):
        for page in (consent, "/required-by-law"):
            assert "One office is not asked now" in reader.visit(page).text
    assert "Paused by the gateway" not in reader.visit(consent).text
    assert "Stopped in an emergency" not in officer.visit("/officer").text
    assert {"yes", "choose", "no"} <= buttons(other.visit(f"/requests/{request}"))
    state = json.loads(land.run(
        *("gateway", "consents", "list", "--subject", f"resident-number:{resident.number}"),
    ).stdout.splitlines()[0])["state"]  # fmt: skip
    assert state == State.GIVEN.value
    assert agency.exchange(resident.number, INCOME, [YEAR]).status == 200


def buttons(page: object) -> set[str]:
    return {value for form in page.forms for name, value in form.buttons if name == "answer"}


def test_the_ledger_tells_the_whole_of_it(land: WatchedCountry, tmp_path: Path):
    resident = land.consented()
    with stopped(land, "agreement", AGREEMENT):
        land.agency().exchange(resident.number, INCOME, [YEAR])
    leaves = land.leaves(tmp_path / "log")
    kinds = {one["type"] for one in leaves}
    assert {"stop.set", "stop.lifted", "exchange.refusal"} <= kinds
    assert replayed(land) == []
