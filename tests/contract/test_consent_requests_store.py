"""Requests for consent on the real ledger: asked, found, answered, and never twice too soon."""

from dataclasses import replace

import pytest

from consent.model import FindingState, Kind, RequestState, Standing
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.names import RequestId, SubjectRef
from tests.contract import ledger_stage as stage
from tests.contract.consent_office import Office
from tests.unit.consent import parts

FACT = (parts.RESIDENTS, parts.FAMILY)


@pytest.fixture
def clock():
    return stage.Set()


@pytest.fixture
def office(place, clock):
    with stage.Stage(place, clock=clock).open() as log:
        yield Office(log)


def test_a_request_is_found_by_its_address_and_by_its_person(office):
    done = office.act(parts.asking(1, FACT))
    asked = office.store.request(RequestId("rq_1"))
    assert (asked.consent, asked.fields, asked.case) == (done.consent, {FACT}, b"case")
    assert asked.state is RequestState.OPEN
    assert office.store.requests(parts.REF) == (asked,)
    assert office.store.requests(SubjectRef("d" * 32)) == ()
    assert office.store.request(RequestId("rq_2")) is None


def test_requests_of_a_person_come_newest_first(office, clock):
    meals = replace(parts.TERMS, agreement="school-meals")
    office.act(parts.asking(1))
    clock.at += 1
    office.act(parts.asking(2, terms=meals))
    assert [asked.id for asked in office.store.requests(parts.REF)] == ["rq_2", "rq_1"]


def test_asking_permits_nothing(office):
    office.act(parts.asking())
    assert office.state() is FindingState.ABSENT
    office.act(parts.saying(Kind.DEFER))
    assert office.state() is FindingState.ABSENT


def test_time_alone_ends_a_request(office, clock):
    office.act(parts.asking())
    (record,) = office.store.records(parts.REF)
    assert office.store.standing(record, parts.REVISION, clock.at) is Standing.REQUESTED
    clock.at += parts.ASKING.open_days * parts.DAY
    assert office.store.request(RequestId("rq_1")).state is RequestState.EXPIRED
    assert office.store.standing(record, parts.REVISION, clock.at) is Standing.REQUEST_EXPIRED


@pytest.mark.parametrize("answer", [parts.giving(FACT), parts.refusing()])
def test_an_answer_looks_the_same_to_who_asked(office, answer):
    office.act(parts.asking())
    office.act(answer)
    assert office.store.request(RequestId("rq_1")).state is RequestState.ANSWERED


def test_asking_too_soon_leaves_no_trace(office, clock):
    office.act(parts.asking())
    office.act(parts.refusing())
    size = office.log.ledger.size
    clock.at += parts.ASKING.again_after_days * parts.DAY - 1
    with pytest.raises(Refusal) as refusal:
        office.act(parts.asking(2))
    assert refusal.value.reason is Reason.QUOTA_EXCEEDED
    assert office.log.ledger.size == size
    assert office.store.request(RequestId("rq_2")) is None
    clock.at += 1
    office.act(parts.asking(2))
    assert office.store.request(RequestId("rq_2")).state is RequestState.OPEN


def test_a_day_has_its_ceiling(office, clock):
    few = replace(parts.TERMS, asking=replace(parts.ASKING, per_day=2))

    def ask(number):
        person = replace(parts.AMINA, ref=SubjectRef(f"{number:032x}"))
        return office.act(parts.asking(number, terms=few, person=person))

    ask(1)
    ask(2)
    with pytest.raises(Refusal) as refusal:
        ask(3)
    assert refusal.value.reason is Reason.QUOTA_EXCEEDED
    clock.at += parts.DAY
    ask(3)


def test_the_agencys_case_stands_sealed_in_its_row_and_nowhere_else(place):
    with stage.Stage(place, clock=SystemClock()).open() as log:
        office = Office(log)
        act = parts.asking()
        office.act(replace(act, asked=replace(act.asked, case=b"\x01sealed-case\x02")))
        assert office.rows('SELECT "case" FROM consent_request') == [(b"\x01sealed-case\x02",)]
        assert b"sealed-case" not in str(office.entries()).encode()
