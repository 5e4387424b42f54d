"""Policies and catalogue change without a restart: checked first, whole, and back again."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.country import ROOT
from gateway.policy.bundle import Bundle
from gateway.policy.control import activate
from gateway.rooms import opened, prepare
from gateway.setup.settings import Settings
from tests.agency import Answer
from tests.country import AGREEMENT, INCOME
from tests.flow.office import YEAR, Question, honest
from tests.flow.replayed import replayed
from tests.flow.watched import WatchedCountry, policies, watched_country
from tests.person import Someone

TOTAL = "/income/total"
RULES = "exchange/blocks/blocks.rego"
TERMS = f"catalogue/agreements/{AGREEMENT}.yaml"
RESTING = """
reasons contains "policy.denied" if {
	input.service.id == "tax/income"
	input.request.fields["/income/total"]
}
"""
RESTS = """\
cases:
  - case: The amount of an income rests
    request:
      agreement: family-allowance
      service: tax/income
      fields: [/income/year, /income/total]
    consent: {state: given, fields: all}
    expect: {refused: [policy.denied]}
  - case: The year still travels
    request: {agreement: family-allowance, service: tax/income, fields: [/income/year]}
    consent: {state: given, fields: all}
    expect: {travel: [/income/year]}
"""
ASKERS, ACTIVATIONS = 4, 24


@dataclass
class Land:
    """A country of these tests' own, and directories of policies for it."""

    country: WatchedCountry
    place: Path
    names: Iterator[int]

    def directory(self, **files: str) -> Path:
        """Return the real policies with some files written otherwise."""
        named = {path.replace("__", "/"): text for path, text in files.items()}
        return Path(policies(self.place / f"policies-{next(self.names)}", named))

    def changed(self, path: str, old: str, new: str) -> Path:
        """Return the real policies with one text in one file replaced."""
        text = (ROOT / "policies" / path).read_text(encoding="utf-8")
        assert text.count(old) == 1
        return self.directory(**{path: text.replace(old, new)})

    def noted(self, words: str) -> Path:
        """Return the real policies with a remark more: another revision that rules the same."""
        text = (ROOT / "policies" / RULES).read_text(encoding="utf-8")
        return self.directory(**{RULES: f"{text}\n# {words}\n"})

    def resting(self) -> Path:
        """Return policies under which no amount of an income travels, with cases that say so."""
        text = (ROOT / "policies" / RULES).read_text(encoding="utf-8")
        made = self.directory(**{RULES: text + RESTING})
        for case in (made / "cases").glob("*.yaml"):
            case.unlink()
        (made / "cases/resting.yaml").write_text(RESTS, encoding="utf-8")
        return made

    def policy(self, *arguments: str) -> tuple[int, str, str]:
        done = self.country.run("gateway", "policy", *arguments)
        return done.returncode, done.stdout, done.stderr

    def activated(self, directory: Path) -> str:
        """Activate a directory and return its revision."""
        code, out, err = self.policy("activate", str(directory))
        assert code == 0, out + err
        return out.split()[1].removeprefix("revision=")

    def in_force(self) -> str:
        """Return the revision that the newest entry of an activation names."""
        return [one["policy"] for one in self.country.committed() if "activated" in one["type"]][-1]

    def ask(self, number: str, *fields: str) -> Answer:
        return self.country.agency().exchange(number, INCOME, [YEAR, *fields])


@pytest.fixture(scope="module")
def land(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    place = tmp_path_factory.mktemp("activation")
    with watched_country(place / "demo", GATEWAY_SOURCE_TAX_TIMEOUT="60") as started:
        yield Land(started, place, itertools.count())


@pytest.fixture(autouse=True)
def first(land: Land) -> str:
    """The revision with which each test begins: the real one."""
    revision = Bundle.from_directory(ROOT / "policies").revision
    if land.in_force() != revision:
        land.activated(ROOT / "policies")
    return revision


def claims(land: Land, answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    return land.country.agency().claims(answer)


def test_a_new_revision_rules_the_next_request_of_the_same_processes(land: Land, first: str):
    resident, before = land.country.consented(), land.country.processes.pids()
    assert claims(land, land.ask(resident.number, TOTAL))["policy"] == first
    revision = land.activated(land.resting())
    assert revision != first
    refused = land.ask(resident.number, TOTAL)
    assert (refused.status, refused.reason) == (403, "policy.denied")
    assert claims(land, land.ask(resident.number))["policy"] == revision
    assert land.country.processes.pids() == before
    size = len(land.country.committed())
    code, out, _ = land.policy("activate", str(land.resting()))
    assert (code, out) == (0, f"ok revision={revision} was in force already\n")
    assert len(land.country.committed()) == size


def test_a_directory_that_fails_its_checks_changes_nothing(land: Land, first: str):
    resident, size = land.country.consented(), len(land.country.committed())
    broken = land.changed(RULES, "count(input.blocks) == 0", "count(input.blocks) ==")
    failing = land.changed(RULES, "count(input.blocks) == 0", "count(input.blocks) < 9")
    unknown = land.changed(TERMS, "/income/total:", "/income/none:")
    lawless = land.changed(TERMS, "purpose: dpv", "purposes: dpv")
    for directory, named in (
        (broken, RULES),
        (failing, "cases/"),
        (unknown, TERMS),
        (lawless, TERMS),
        (land.place / "nothing", "nothing is not a directory"),
    ):
        code, out, err = land.policy("activate", str(directory))
        assert (code, out) == (1, "")
        assert named in err
        assert "Traceback" not in err
    assert len(land.country.committed()) == size
    assert claims(land, land.ask(resident.number, TOTAL))["policy"] == first


def test_rollback_brings_the_revision_before_into_force_as_a_new_entry(land: Land, first: str):
    resident = land.country.consented()
    second = land.activated(land.resting())
    assert land.ask(resident.number, TOTAL).reason == "policy.denied"
    size = len(land.country.committed())
    code, out, err = land.policy("rollback")
    assert (code, out) == (0, f"ok revision={first} index={size}\n"), err
    assert land.country.committed()[size]["policy"] == first
    assert claims(land, land.ask(resident.number, TOTAL))["policy"] == first
    land.activated(land.noted("a third"))
    code, out, _ = land.policy("rollback", "--to", second)
    assert (code, out.split()[1]) == (0, f"revision={second}")
    assert land.ask(resident.number, TOTAL).reason == "policy.denied"
    for there, words in ((second, "in force already"), ("f" * 64, "no policies of that")):
        code, out, err = land.policy("rollback", "--to", there)
        assert (code, out, len(err.splitlines())) == (1, "", 1)
        assert words in err
    assert land.in_force() == second


@pytest.mark.parametrize("allows", [True, False], ids=["the-same", "less"])
def test_what_is_in_flight_leaves_only_if_the_new_rules_allow_it_too(
    land: Land, first: str, allows: bool, tmp_path: Path
):
    resident = land.country.consented()
    directory = land.noted("the same rules") if allows else land.resting()

    def meanwhile(question: Question) -> bytes:
        land.activated(directory)
        return honest(question)

    land.country.office.tells(resident.number, meanwhile)
    answer = land.ask(resident.number, TOTAL)
    leaves = land.country.committed()
    trail = [one for one in leaves if one.get("exchange") == answer.json["exchange"]]
    if not allows:
        assert (answer.status, answer.reason) == (403, "policy.denied")
        assert [one["type"] for one in trail] == ["exchange.decision", "exchange.refusal"]
        return
    assert land.in_force() != first
    assert [one["type"] for one in trail] == ["exchange.decision", "exchange.release"]
    assert [claims(land, answer)["policy"], *(one["policy"] for one in trail)] == [first] * 3
    verified(land, tmp_path, [answer])


def verified(land: Land, place: Path, answers: list[Answer]) -> None:
    """Have the log and the receipts checked by who knows nothing of the gateway."""
    export = land.country.run("gateway", "audit", "export", str(place / "log"))
    assert export.returncode == 0, export.stderr
    receipts: list[str] = []
    for number, answer in enumerate(answers):
        file = place / f"{number}.receipt"
        file.write_text(answer.json["receipt"] + "\n")
        receipts += ["--receipt", str(file)]
    told = land.country.run("gateway", "audit", "verify", "--dir", str(place / "log"), *receipts)
    assert told.returncode == 0, told.stdout + told.stderr


def test_no_decision_comes_from_a_mixture_however_often_the_rules_change(
    land: Land, first: str, tmp_path: Path
):
    residents = [land.country.consented() for _ in range(ASKERS)]
    same = [Bundle.from_directory(land.noted(f"remark {number}")) for number in range(6)]
    answers: list[Answer] = []
    enough, ended = threading.Semaphore(0), threading.Event()

    def ask(number: str) -> None:
        agency = land.country.agency()
        while not ended.is_set():
            answers.append(agency.exchange(number, INCOME, [YEAR, TOTAL]))
            enough.release()

    with ThreadPoolExecutor(ASKERS) as pool:
        asking = [pool.submit(ask, one.number) for one in residents]
        with opened(Settings.parse(land.country.country.settings)) as rooms:
            for _, bundle in zip(range(ACTIVATIONS), itertools.cycle(same), strict=False):
                prepare(bundle, rooms.engine)
                activate(rooms.ledger, bundle)
                assert enough.acquire(timeout=120)
        ended.set()
        for one in asking:
            one.result()
    told = {(one.status, one.json.get("reason")) for one in answers}
    assert told <= {(200, None), (503, "policy.unavailable"), (503, "ledger.unavailable")}
    released = [one for one in answers if one.status == 200]
    leaves = land.country.committed()
    active = [one["policy"] for one in leaves if one["type"] == "policy.activated"]
    decided = {one["exchange"]: one for one in leaves if one["type"] == "exchange.decision"}
    under = [(one, claims(land, one)["policy"]) for one in released]
    assert all(decided[one.json["exchange"]]["policy"] == policy for one, policy in under)
    assert {policy for _, policy in under} <= {*active}
    assert len({policy for _, policy in under}) > 1
    in_force = first
    for leaf in leaves:  # each decision names the revision that was in force where it stands
        if leaf["type"] == "policy.activated":
            in_force = leaf["policy"]
        elif leaf["type"] == "exchange.decision":
            assert leaf["policy"] == in_force
    verified(land, tmp_path, released)


def test_a_consent_to_an_agreement_that_changed_rests_until_it_is_renewed(land: Land):
    resident, other = land.country.consented(), land.country.consented()
    letters = land.country.agency("tax")
    land.activated(land.noted("nothing that a person agreed to"))
    assert land.ask(resident.number).status == 200, "an agreement that did not change stays"
    land.activated(land.changed(TERMS, "retention_days: ", "retention_days: 1"))
    for one in (resident, other):
        answer = land.ask(one.number)
        assert (answer.status, answer.reason) == (403, "subject.not_released")
    by_law = letters.exchange(
        resident.number, "population/residents", ["/address/postcode"],
        agreement="tax-correspondence",
    )  # fmt: skip
    assert by_law.status == 200
    reader = Someone(land.country.gateway)
    home = reader.sign_in(resident.number)
    assert "The rules changed." in home.text
    consent = next(one for one in home.links if one.startswith("/consents/co_"))
    assert "Until you say yes again, nothing is shared." in reader.visit(consent).text
    assert land.country.consents("give", resident).returncode == 0
    assert land.ask(resident.number).status == 200
    assert land.ask(other.number).reason == "subject.not_released"
    assert land.policy("rollback")[0] == 0
    assert land.ask(other.number).status == 200, "what she agreed to is in force again"


def test_the_ledger_tells_the_whole_of_it(land: Land, tmp_path: Path):
    land.activated(land.noted("told"))
    assert land.policy("rollback")[0] == 0
    land.country.leaves(tmp_path / "log")
    assert replayed(land.country) == []


def test_before_a_second_revision_there_is_nothing_to_go_back_to(tmp_path: Path):
    with watched_country(tmp_path / "demo") as started:
        done = started.run("gateway", "policy", "rollback")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "There is no revision before the one in force.\n"
