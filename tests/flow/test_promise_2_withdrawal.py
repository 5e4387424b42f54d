"""P2, withdrawal is final: no later release under it commits, and it lists every one before."""

import json
from typing import Any

from tests.country import ENROLMENT, INCOME, RESIDENTS
from tests.flow.office import YEAR, Question, honest
from tests.flow.watched import WatchedCountry

ASKED = {RESIDENTS: ["/name/family"], INCOME: [YEAR], ENROLMENT: ["/enrolments/*/since"]}


def test_p2_withdrawal_is_final_every_later_request_is_refused_and_every_release_before_is_listed(
    watched: WatchedCountry,
):
    resident, agency = watched.consented(), watched.agency()
    before = [agency.exchange(resident.number, *asked) for asked in ASKED.items()]
    assert [answer.status for answer in before] == [200, 200, 200]
    withdrawn = withdraw(watched, resident)
    listed = [(use["exchange"], use["service"], use["agency"]) for use in withdrawn["uses"]]
    released = [answer.json["exchange"] for answer in before]
    assert listed == [
        (exchange, service, "family-benefits")
        for exchange, service in zip(released, ASKED, strict=True)
    ]
    asked_before = len(watched.office.asked_about(resident.number))
    later = [agency.exchange(resident.number, *asked) for asked in ASKED.items()]
    assert {(answer.status, answer.reason) for answer in later} == {(403, "subject.not_released")}
    assert len(watched.office.asked_about(resident.number)) == asked_before
    assert releases_after(watched, withdrawn) == []


def test_p2_withdrawal_is_final_also_for_a_request_that_waits_for_its_source(
    watched: WatchedCountry,
):
    resident, agency, told = watched.consented(), watched.agency(), []
    assert agency.exchange(resident.number, INCOME, [YEAR]).status == 200

    def she_withdraws_meanwhile(question: Question) -> bytes:
        told.append(watched.consents("withdraw", resident))
        return honest(question)

    watched.office.tells(resident.number, she_withdraws_meanwhile)
    answer = agency.exchange(resident.number, INCOME, [YEAR])
    [done] = told
    assert done.returncode == 0, done.stderr
    withdrawn = json.loads(done.stdout)
    assert "sealed" not in answer.json
    assert (answer.status, answer.reason) == (403, "subject.not_released")
    assert watched.trail(answer.json["exchange"]) == ["exchange.decision", "exchange.refusal"]
    assert answer.json["exchange"] not in [use["exchange"] for use in withdrawn["uses"]]
    assert len(withdrawn["uses"]) == 1
    assert releases_after(watched, withdrawn) == []


def test_p2_withdrawal_is_final_and_a_new_consent_does_not_revive_a_request_under_the_old_one(
    watched: WatchedCountry,
):
    resident, agency, told = watched.consented(), watched.agency(), []

    def she_thinks_twice(question: Question) -> bytes:
        told.extend(watched.consents(act, resident) for act in ("withdraw", "give"))
        return honest(question)

    watched.office.tells(resident.number, she_thinks_twice)
    answer = agency.exchange(resident.number, INCOME, [YEAR])
    withdrawn, given = (json.loads(done.stdout) for done in told)
    assert (answer.status, answer.reason) == (403, "subject.not_released")
    assert withdrawn["consent"] != given["consent"]
    assert releases_after(watched, withdrawn) == []
    watched.office.tells(resident.number, honest)
    again = agency.exchange(resident.number, INCOME, [YEAR])
    assert agency.claims(again)["consent"] == given["consent"]


def withdraw(country: WatchedCountry, resident: Any) -> dict[str, Any]:
    """Withdraw from a process of its own and return the acknowledgement."""
    done = country.consents("withdraw", resident)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def releases_after(country: WatchedCountry, withdrawn: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the releases under a consent that the ledger has after its withdrawal."""
    leaves = country.committed()
    leaf = leaves[withdrawn["index"]]
    assert (leaf["type"], leaf["consent"]) == ("consent.withdrawn", withdrawn["consent"])
    return [
        one
        for one in leaves[withdrawn["index"] :]
        if one["type"] == "exchange.release" and one.get("consent") == withdrawn["consent"]
    ]
