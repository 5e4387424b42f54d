"""Answers instead of data: the asker learns what it needs to decide, the fact itself stays home."""

import json
from datetime import UTC, datetime

import pytest
from joserfc import jwe
from joserfc.jwk import ECKey

from tests.agency import Agency, Answer
from tests.country import ENROLMENT, INCOME, RESIDENTS, RunningCountry
from tests.flow.office import TOTAL, YEAR, told
from tests.flow.watched import WatchedCountry

NAME, BORN, REGISTERED = "/name/family", "/children/*/birth_date", "/children/*/resident_number"
SCHOOL = "/enrolments/*/school"


def opened(agency: Agency, answer: Answer) -> bytes:
    """Return every byte that the seal holds."""
    key = ECKey.import_key(agency.sealing)
    algorithms = ["ECDH-ES+A256KW", "A256GCM"]
    return jwe.decrypt_compact(answer.json["sealed"], key, algorithms=algorithms).plaintext


@pytest.mark.parametrize("total", ["much-canary-7719", True, {"canary-7719": 1}, ["canary-7719"]])
def test_a_question_that_the_sources_value_does_not_answer_is_not_answered_with_the_value(
    watched: WatchedCountry, total: object
) -> None:
    agency, resident = watched.agency(), watched.consented()
    record = {"taxpayer": resident.number, "income": {"year": 2025, "total": total}}
    watched.office.tells(resident.number, lambda _: told(record))
    answer = agency.exchange(resident.number, INCOME, [YEAR, TOTAL])
    assert (answer.status, answer.reason) == (502, "source.bad_answer")
    assert b"7719" not in answer.body
    assert "canary-7719" not in json.dumps(watched.activity(resident)[-1])


def test_the_ledger_and_the_receipt_name_the_field_and_the_kind_of_answer(
    watched: WatchedCountry,
) -> None:
    agency, resident = watched.agency(), watched.consented()
    answer = agency.exchange(resident.number, INCOME, [YEAR, TOTAL])
    assert agency.claims(answer)["answers"] == {TOTAL: "yes_no"}
    assert agency.claims(answer)["fields"] == [TOTAL, YEAR]
    decided, released = watched.activity(resident)[-2:]
    for entry in (decided, released):
        assert entry["disclosures"]["response"]["answers"] == {TOTAL: "yes_no"}
    plain = agency.exchange(resident.number, INCOME, [YEAR])
    assert "answers" not in agency.claims(plain)
    assert "answers" not in watched.activity(resident)[-1]["disclosures"]["response"]


def test_children_are_registered_and_of_an_age_group_and_neither_number_nor_birthday_leaves(
    country: RunningCountry,
) -> None:
    agency, resident = country.agency(), country.with_children(1, 3)
    answer = agency.exchange(resident.number, RESIDENTS, [NAME, BORN, REGISTERED])
    told_of = agency.open(answer)["record"]["children"]
    today = datetime.now(UTC).date()
    ages = [
        today.year
        - child.birth_date.year
        - ((today.month, today.day) < (child.birth_date.month, child.birth_date.day))
        for child in sorted(resident.children, key=lambda one: one.birth_date)
    ]
    bands = ["<1" if age < 1 else "1..<6" if age < 6 else "6..<18" for age in ages]
    assert told_of == [{"resident_number": True, "birth_date": band} for band in bands]
    held = opened(agency, answer)
    for child in resident.children:
        assert child.number.encode() not in held
        assert child.birth_date.isoformat().encode() not in held


def test_a_child_is_in_school_and_the_school_is_not_told(country: RunningCountry) -> None:
    agency, resident = country.agency(), country.consenting()
    answer = agency.exchange(resident.number, ENROLMENT, [SCHOOL])
    assert agency.open(answer)["record"] == {
        "enrolments": [{"school": True} for _ in resident.enrolments]
    }
    for line in resident.enrolments:
        assert line.school.encode() not in opened(agency, answer)


def test_whoever_has_no_child_has_no_child_registered(country: RunningCountry) -> None:
    agency, resident = country.agency(), country.with_children(0, 0)
    answer = agency.exchange(resident.number, RESIDENTS, [REGISTERED])
    assert agency.open(answer)["record"] == {"children": []}


def test_a_release_by_law_stands_in_the_list_of_every_child_whom_it_speaks_of(
    country: RunningCountry,
) -> None:
    resident = country.with_children(1, 3)
    agency = country.agency("child-maintenance")
    answer = agency.exchange(resident.number, RESIDENTS, [BORN], agreement="child-maintenance")
    born = sorted(child.birth_date.isoformat() for child in resident.children)
    assert agency.open(answer)["record"] == {"children": [{"birth_date": day} for day in born]}
    for child in resident.children:
        [entry] = country.activity(child)
        assert (entry["exchange"], entry["basis"]) == (answer.json["exchange"], "statutory")
