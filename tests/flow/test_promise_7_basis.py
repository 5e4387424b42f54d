"""P7, the agreement decides the basis: it never comes from the caller, and a refusal is never
answered by trying another one."""

import pytest

from tests.country import INCOME
from tests.flow.office import TOTAL, YEAR
from tests.flow.watched import Leaf, WatchedCountry

ON_LAW = "benefits-control"
"""An agreement of the same agency, about the same facts, that rests on law."""


def test_p7_the_agreement_decides_the_basis_a_refused_consent_is_not_answered_by_a_law(
    watched: WatchedCountry,
):
    agency, resident = watched.agency(), watched.resident()
    refused = agency.exchange(resident.number, INCOME, [YEAR, TOTAL])
    assert (refused.status, refused.reason) == (403, "subject.not_released")
    assert watched.office.asked_about(resident.number) == []
    [leaf] = entries(watched, refused.json["exchange"])
    assert (leaf["type"], leaf["agreement"]) == ("exchange.refusal", "family-allowance")
    assert (leaf["basis"], leaf["purpose"]) == ("consent", "dpv:ServiceProvision")


def test_p7_the_agreement_decides_the_basis_each_agreement_has_its_own(watched: WatchedCountry):
    agency, resident = watched.agency(), watched.consented()
    by_consent = agency.exchange(resident.number, INCOME, [YEAR])
    by_law = agency.exchange(resident.number, INCOME, [YEAR], agreement=ON_LAW)
    consented, lawful = agency.claims(by_consent), agency.claims(by_law)
    assert (consented["basis"], consented["purpose"]) == ("consent", "dpv:ServiceProvision")
    assert consented["consent"].startswith("co_")
    assert (lawful["basis"], lawful["purpose"]) == ("statutory", "dpv:LegalCompliance")
    assert lawful["consent"] is None
    for leaf in entries(watched, by_law.json["exchange"]):
        assert (leaf["basis"], "consent" in leaf) == ("statutory", False)


def test_p7_the_agreement_decides_the_basis_a_law_does_not_reach_beyond_itself_for_a_consent(
    watched: WatchedCountry,
):
    agency, resident = watched.agency("child-maintenance"), watched.consented()
    answer = agency.exchange(
        resident.number,
        "education/enrolment",
        ["/enrolments/*/since"],
        agreement="child-maintenance",
    )
    assert (answer.status, answer.reason) == (403, "service.not_agreed")


@pytest.mark.parametrize(
    "said",
    [
        {"basis": "statutory"},
        {"lawful_basis": "eu-gdpr:A6-1-c"},
        {"purpose": "dpv:LegalCompliance"},
        {"authority": "family-benefits-act"},
        {"consent": "co_0000"},
    ],
    ids=lambda said: next(iter(said)),
)
def test_p7_the_agreement_decides_the_basis_a_caller_cannot_say_one(
    watched: WatchedCountry, said: dict[str, str]
):
    resident = watched.consented()
    before = len(watched.committed())
    answer = watched.agency().exchange(resident.number, INCOME, [YEAR], **said)
    assert (answer.status, answer.reason) == (400, "request.malformed")
    assert "exchange" not in answer.json
    assert watched.office.asked_about(resident.number) == []
    assert len(watched.committed()) == before


def test_p7_the_agreement_decides_the_basis_another_agencys_law_is_unknown_here(
    watched: WatchedCountry,
):
    resident = watched.resident()
    answer = watched.agency().exchange(
        resident.number, INCOME, [YEAR], agreement="child-maintenance"
    )
    assert (answer.status, answer.reason) == (403, "agreement.unknown")
    assert watched.office.asked_about(resident.number) == []


def entries(country: WatchedCountry, exchange: str) -> list[Leaf]:
    return [leaf for leaf in country.committed() if leaf.get("exchange") == exchange]
