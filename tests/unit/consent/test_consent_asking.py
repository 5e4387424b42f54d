"""Requests for consent: what asking, answering, putting off and letting it lie do to the rows."""

from dataclasses import replace

import pytest

from consent.model import Asked, Declined, Kind, RequestState, Stale, State
from consent.requests import asked_key, asking_key, request_key, request_of
from kernel.entry import EntryType
from kernel.errors import Reason, Refusal
from kernel.names import RequestId, Subject, SubjectRef
from tests.unit.consent import parts

OPEN = parts.START + parts.ASKING.open_days * parts.DAY
AGAIN = parts.ASKING.again_after_days * parts.DAY
FACT = (parts.RESIDENTS, parts.FAMILY)


def neighbour(number):
    """Return another person."""
    return parts.Person(Subject("resident-number", "x"), SubjectRef(f"{number:032x}"), b"")


@pytest.fixture
def tables():
    return parts.Tables()


def request(tables, number=1, at=parts.START):
    return request_of(tables.rows[request_key(RequestId(f"rq_{number}"))], at)


def too_soon(tables, act, at):
    """Return why asking is refused, having changed nothing."""
    before = dict(tables.rows)
    with pytest.raises(Refusal) as refusal:
        tables.act(act, at)
    assert refusal.value.reason is Reason.QUOTA_EXCEEDED
    assert tables.rows == before
    return refusal.value.detail


def test_asking_makes_a_record_that_waits_and_a_request_beside_it(tables):
    entry, held = tables.act(parts.asking(1, FACT))
    assert entry.type is EntryType.CONSENT_REQUESTED
    assert not entry.restricts
    assert entry.disclosures["request"] == {
        "act": "request",
        "request": "rq_1",
        "client": parts.CLIENT,
        "fields": {"population/residents": ["/name/family"]},
        "open_days": 14,
        "notice": {"digest": parts.notice().digest, "language": "en"},
    }
    assert (held.state, held.granted) == (State.REQUESTED, frozenset())
    assert (held.valid_from, held.valid_until) == (parts.START, OPEN)
    asked = request(tables)
    assert (asked.consent, asked.subject_ref, asked.agreement) == (
        held.id,
        parts.REF,
        parts.AGREEMENT,
    )
    assert (asked.client, asked.agency, asked.revision) == (
        parts.CLIENT,
        parts.AGENCY,
        parts.REVISION,
    )
    assert (asked.fields, asked.case, asked.return_url) == ({FACT}, b"case", None)
    assert (asked.opened, asked.expires, asked.deferred) == (parts.START, OPEN, False)


def test_a_request_is_open_until_its_last_day_is_over(tables):
    tables.act(parts.asking())
    assert request(tables, at=OPEN - 1).state is RequestState.OPEN
    assert request(tables, at=OPEN).state is RequestState.EXPIRED


@pytest.mark.parametrize("answer", [parts.giving(), parts.refusing()])
def test_an_answer_closes_the_request_whatever_it_is(tables, answer):
    tables.act(parts.asking())
    tables.act(answer, parts.START + 5)
    assert request(tables).state is RequestState.ANSWERED
    assert request(tables, at=OPEN).state is RequestState.ANSWERED


def test_putting_off_leaves_the_request_open(tables):
    tables.act(parts.asking())
    entry, held = tables.act(parts.saying(Kind.DEFER), parts.START + 5)
    assert entry.type is EntryType.CONSENT_DEFERRED
    assert (held.state, held.valid_until) == (State.DEFERRED, OPEN)
    asked = request(tables)
    assert (asked.state, asked.deferred) == (RequestState.OPEN, True)
    tables.act(parts.giving(), parts.START + 6)
    assert (request(tables).state, request(tables).deferred) == (RequestState.ANSWERED, False)


def test_a_request_that_is_over_cannot_be_put_off_and_stays_over(tables):
    tables.act(parts.asking())
    with pytest.raises(Declined):
        tables.act(parts.saying(Kind.DEFER), OPEN)
    tables.act(parts.giving(), OPEN)
    assert request(tables, at=OPEN).state is RequestState.EXPIRED
    assert tables.current().state is State.GIVEN


def test_asking_for_more_leaves_a_consent_as_it_stands(tables):
    _, given = tables.act(replace(parts.giving(FACT), notice=parts.notice("fr")))
    entry, held = tables.act(parts.asking(), parts.START + 5)
    assert held == replace(given, epoch=2)
    assert entry.header["consent"] == given.id
    event = tables.table("consent_event")[-1]
    assert (event["event_type"], event["event_state"]) == ("consent.requested", "ConsentGiven")
    assert (event["notice"], held.notice) == (parts.notice().digest, parts.notice("fr").digest)


@pytest.mark.parametrize("kind", [Kind.REFUSE, Kind.DEFER])
def test_saying_no_or_later_to_more_leaves_a_consent_as_it_stands(tables, kind):
    _, given = tables.act(parts.giving(FACT))
    tables.act(parts.asking())
    _, held = tables.act(parts.saying(kind))
    assert held == replace(given, epoch=3)
    asked = request(tables)
    answered = kind is Kind.REFUSE
    assert (asked.state, asked.deferred) == (
        RequestState.ANSWERED if answered else RequestState.OPEN,
        not answered,
    )
    with pytest.raises(Declined):
        tables.act(parts.saying(kind))


def test_a_request_outlives_the_consent_beside_which_it_was_made(tables):
    tables.act(parts.giving(FACT))
    tables.act(parts.asking())
    tables.act(parts.withdrawing())
    _, later = tables.act(parts.saying(Kind.DEFER), parts.START + 9, "co_second")
    assert (later.id, later.state, later.valid_until) == ("co_second", State.DEFERRED, OPEN)
    tables.act(parts.giving())
    assert request(tables).state is RequestState.ANSWERED


def test_nobody_asks_again_while_a_request_is_open(tables):
    patient = replace(parts.TERMS, asking=replace(parts.ASKING, again_after_days=1))
    tables.act(parts.asking(terms=patient))
    words = too_soon(tables, parts.asking(2, terms=patient), OPEN - 1)
    assert words.startswith("This person was asked under this agreement not long ago")
    tables.act(parts.asking(2, terms=patient), OPEN)
    assert tables.current().valid_until == OPEN + parts.ASKING.open_days * parts.DAY


def test_nobody_asks_again_until_the_days_of_rest_are_over(tables):
    tables.act(parts.asking())
    too_soon(tables, parts.asking(2), parts.START + AGAIN - 1)
    tables.act(parts.asking(2), parts.START + AGAIN)


@pytest.mark.parametrize("answer", [parts.giving(), parts.refusing()])
def test_the_days_of_rest_begin_again_with_either_answer(tables, answer):
    tables.act(parts.asking())
    tables.act(answer, parts.START + 5 * parts.DAY)
    words = too_soon(tables, parts.asking(2), parts.START + 5 * parts.DAY + AGAIN - 1)
    assert words == too_soon(tables, parts.asking(2), parts.START + 5 * parts.DAY)
    tables.act(parts.asking(2), parts.START + 5 * parts.DAY + AGAIN)


def test_after_a_refusal_of_ones_own_nobody_asks_for_some_days(tables):
    tables.act(parts.refusing())
    too_soon(tables, parts.asking(), parts.START + AGAIN - 1)
    _, held = tables.act(parts.asking(), parts.START + AGAIN)
    assert (held.id, held.state) == ("co_fresh", State.REQUESTED)


def test_who_gave_unasked_can_be_asked_for_more(tables):
    tables.act(parts.giving(FACT))
    tables.act(parts.asking())
    assert request(tables).state is RequestState.OPEN


def test_each_day_has_its_ceiling_for_each_agreement(tables):
    for number in range(parts.ASKING.per_day):
        tables.act(parts.asking(number, person=neighbour(number)))
    words = too_soon(tables, parts.asking(8, person=neighbour(8)), parts.START)
    assert words.startswith("Under this agreement as many people were asked today")
    other = replace(parts.TERMS, agreement="school-meals")
    tables.act(parts.asking(8, terms=other))
    midnight = (parts.START // parts.DAY + 1) * parts.DAY
    too_soon(tables, parts.asking(9, person=neighbour(9)), midnight - 1)
    tables.act(parts.asking(9, person=neighbour(9)), midnight)
    assert tables.rows[asking_key(parts.AGREEMENT)]["count"] == 1


def test_the_days_ceiling_answers_before_anything_about_the_person(tables):
    tables.act(parts.asking())
    for number in (2, 3):
        tables.act(parts.asking(number, person=neighbour(number)))
    known = too_soon(tables, parts.asking(4), parts.START)
    assert known == too_soon(tables, parts.asking(4, person=neighbour(4)), parts.START)


def test_a_request_for_nothing_or_for_what_is_not_offered_is_declined(tables):
    act = parts.asking()
    for fields in (frozenset(), frozenset({("tax/income", "/debts")})):
        with pytest.raises(Declined):
            tables.act(replace(act, asked=replace(act.asked, fields=fields)))
    assert tables.rows == {}


def test_only_a_request_asks_and_a_request_always_does(tables):
    asked = Asked(RequestId("rq_1"), parts.CLIENT, parts.OFFERED, None, None)
    for act in (replace(parts.giving(), asked=asked), replace(parts.asking(), asked=None)):
        with pytest.raises(Declined) as declined:
            tables.act(act)
        assert declined.value.detail == "To request is to ask for facts; nothing else asks."


def test_an_answer_to_a_request_that_came_meanwhile_is_looked_at_again(tables):
    tables.act(parts.giving(FACT))
    _, refusal = tables.write(parts.withdrawing())
    row = {"subject_ref": parts.REF, "agreement": parts.AGREEMENT, "request": "rq_9", "at": 1}
    tables.rows[asked_key(parts.REF, parts.AGREEMENT)] = row
    with pytest.raises(Stale):
        tables.commit(refusal)


def test_nothing_of_a_person_is_shown_by_a_request(tables):
    tables.act(parts.asking())
    assert "case" not in f"{parts.asking()!r} {parts.asking().asked!r} {request(tables)!r}"
