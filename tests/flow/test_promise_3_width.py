"""P3, never wider than permitted: what leaves is asked ∩ agreed ∩ consented ∩ permitted by policy,
cut before the source is asked and again after it answered."""

import json

import pytest

from tests.country import ENROLMENT, INCOME, RESIDENTS
from tests.flow.office import TOTAL, YEAR, record_of, talkative, told
from tests.flow.watched import WatchedCountry

SCHOOL, SINCE = "/enrolments/*/school", "/enrolments/*/since"


def test_p3_never_wider_than_permitted_the_source_is_asked_for_the_permitted_fields_alone(
    watched: WatchedCountry,
):
    agency, resident = watched.agency(), watched.consenting("--field", f"{INCOME}#{YEAR}")
    answer = agency.exchange(resident.number, INCOME, [YEAR, TOTAL])
    assert watched.office.asked_about(resident.number) == [{YEAR, "/taxpayer"}]
    assert agency.open(answer)["record"] == {"income": {"year": 2025}}
    assert answer.json["withheld"] == [{"field": TOTAL, "reason": "field.not_consented"}]


def test_p3_never_wider_than_permitted_what_a_source_sends_besides_never_leaves(
    watched: WatchedCountry,
):
    agency, resident = watched.agency(), watched.consented()
    watched.office.tells(resident.number, talkative)
    opened = agency.open(agency.exchange(resident.number, INCOME, [YEAR]))
    assert set(opened) == {"exchange", "service", "as_of", "record"}
    assert opened["record"] == {"income": {"year": 2025}}


@pytest.mark.parametrize(("total", "under"), [(59_999, True), (60_000, False), (60_001, False)])
def test_p3_never_wider_than_permitted_where_a_question_was_agreed_the_fact_stays_home(
    watched: WatchedCountry, total: int, under: bool
):
    agency, resident = watched.agency(), watched.consented()
    record = {**record_of(resident.number), "income": {"year": 2025, "total": total}}
    watched.office.tells(resident.number, lambda _: told(record))
    answer = agency.exchange(resident.number, INCOME, [YEAR, TOTAL])
    assert agency.open(answer)["record"] == {"income": {"year": 2025, "total": under}}
    assert str(total) not in json.dumps(agency.open(answer))
    assert agency.claims(answer)["answers"] == {TOTAL: "yes_no"}


def test_p3_never_wider_than_permitted_what_was_not_asked_stays_home(watched: WatchedCountry):
    agency, resident = watched.agency(), watched.consented(children=1)
    opened = agency.open(agency.exchange(resident.number, RESIDENTS, ["/children/*/birth_date"]))
    assert len(opened["record"]["children"]) == len(resident.children)
    assert all(set(child) == {"birth_date"} for child in opened["record"]["children"])
    assert set(opened["record"]) == {"children"}


@pytest.mark.parametrize(
    ("service", "field"), [(INCOME, "/bank/account"), (RESIDENTS, "/nationality")]
)
def test_p3_never_wider_than_permitted_one_field_that_is_not_agreed_refuses_the_whole(
    watched: WatchedCountry, service: str, field: str
):
    resident = watched.resident()
    required = {INCOME: YEAR, RESIDENTS: "/name/family"}[service]
    answer = watched.agency().exchange(resident.number, service, [required, field])
    assert (answer.status, answer.reason) == (403, "field.not_agreed")
    assert watched.office.asked_about(resident.number) == []


def test_p3_never_wider_than_permitted_what_the_policies_take_out_stays_home(
    misruled: WatchedCountry,
):
    agency, resident = misruled.agency(), misruled.consented()
    answer = agency.exchange(resident.number, ENROLMENT, [SINCE, SCHOOL])
    assert agency.open(answer)["record"] == {
        "enrolments": [{"school": True} for line in resident.enrolments]
    }
    assert [one["field"] for one in answer.json["withheld"]] == [SINCE]


def test_p3_never_wider_than_permitted_lavish_policies_cannot_give_what_nobody_granted(
    misruled: WatchedCountry,
):
    agency, resident = misruled.agency(), misruled.consenting("--field", f"{INCOME}#{YEAR}")
    answer = agency.exchange(resident.number, INCOME, [YEAR, TOTAL])
    assert agency.open(answer)["record"] == {"income": {"year": 2025}}
    assert misruled.office.asked_about(resident.number) == [{YEAR, "/taxpayer"}]
    nobody = misruled.resident()
    answer = agency.exchange(nobody.number, INCOME, [YEAR])
    assert (answer.status, answer.reason) == (403, "subject.not_released")
    assert misruled.office.asked_about(nobody.number) == []
