"""Two processes' worth of stores on one file race; the ledger orders them, and one word counts."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from consent.model import FindingState, RequestState, Stale, State
from kernel.errors import Exact, Reason, Refusal
from kernel.names import RequestId
from tests.contract import ledger_stage as stage
from tests.contract.consent_office import Office
from tests.unit.consent import parts

FACT = (parts.RESIDENTS, parts.FAMILY)


class Pair:
    """Two offices that share nothing but the directory."""

    def __init__(self, one, other):
        self.offices = (one, other)
        self.one = one

    def race(self, *works):
        """Let each office do its work at the same moment; return what came of it, in order."""
        gate = threading.Barrier(len(works))

        def run(office, work):
            gate.wait(120)
            try:
                return work(office)
            except Refusal as refusal:
                return refusal

        with ThreadPoolExecutor(len(works)) as pool:
            started = [pool.submit(run, self.offices[n % 2], work) for n, work in enumerate(works)]
            return [one.result(120) for one in started]


@pytest.fixture
def pair(place):
    where = stage.Stage(place)
    with where.open() as log, where.open() as other:
        yield Pair(Office(log), Office(other))


def done(results):
    return [result for result in results if not isinstance(result, Refusal)]


def test_consent_that_is_given_twice_at_once_is_one_record(pair):
    first, second = pair.race(
        lambda office: office.act(parts.giving(FACT)), lambda office: office.act(parts.giving())
    )
    assert first.consent == second.consent
    assert {first.state, second.state} == {State.GIVEN, State.RENEWED}
    (record,) = pair.one.store.records(parts.REF)
    assert (record.epoch, record.term) == (2, 2)
    last = max(first, second, key=lambda one: one.index)
    (event,) = pair.one.store.events(record.id)[-1:]
    assert (event.index, event.granted) == (last.index, record.granted)


def test_giving_against_stopping_leaves_what_the_ledger_says_came_last(pair):
    for _ in range(6):
        if pair.one.state() is not FindingState.GIVEN:
            pair.one.act(parts.giving())
        given, stopped = pair.race(
            lambda office: office.act(parts.giving()),
            lambda office: office.act(parts.withdrawing()),
        )
        last = given if given.index > stopped.index else stopped
        current = pair.one.store.current(parts.REF, parts.AGREEMENT)
        assert (current.id, current.state) == (last.consent, last.state)
        assert (given.consent == stopped.consent) is (last is stopped)
        ended = pair.one.store.record(parts.REF, stopped.consent)
        assert ended.state is State.WITHDRAWN


def test_of_two_requests_at_once_one_is_asked(pair):
    results = pair.race(
        lambda office: office.act(parts.asking(1)), lambda office: office.act(parts.asking(2))
    )
    (refused,) = [result for result in results if isinstance(result, Refusal)]
    assert refused.reason is Reason.QUOTA_EXCEEDED
    (asked,) = pair.one.store.requests(parts.REF)
    assert asked.state is RequestState.OPEN
    assert pair.one.rows("SELECT count FROM consent_asking") == [(1,)]


def test_of_many_requests_under_one_ceiling_no_more_pass_than_it_allows(pair):
    def asking(number):
        person = parts.Person(
            parts.AMINA.subject, parts.SubjectRef(f"{number:032x}"), b"sealed identifier"
        )
        return lambda office: office.act(parts.asking(number, person=person))

    results = pair.race(*map(asking, range(8)))
    assert len(done(results)) == parts.ASKING.per_day
    assert pair.one.rows("SELECT count FROM consent_asking") == [(parts.ASKING.per_day,)]


def test_a_request_against_a_refusal_never_ends_with_a_request_that_nobody_may_answer(pair):
    pair.race(
        lambda office: office.act(parts.asking(1)), lambda office: office.act(parts.refusing())
    )
    asked = pair.one.store.request(RequestId("rq_1"))
    current = pair.one.store.current(parts.REF, parts.AGREEMENT)
    assert current.state is State.REFUSED
    assert asked is None or asked.state is RequestState.ANSWERED


def test_a_consent_for_one_use_is_used_once(pair):
    consent = pair.one.act(parts.giving(uses=1)).consent
    results = pair.race(
        *(lambda office, n=n: office.release(consent, number=n) for n in range(1, 9))
    )
    assert len(done(results)) == 1
    refusals = {result.exact for result in results if isinstance(result, Refusal)}
    assert refusals == {Exact.CONSENT_EXHAUSTED}
    assert len(pair.one.store.uses(consent)) == 1


def test_no_use_follows_a_stop_that_was_acknowledged(pair):
    consent = pair.one.act(parts.giving()).consent
    *released, stopped = pair.race(
        *(lambda office, n=n: office.release(consent, number=n) for n in range(1, 6)),
        lambda office: office.act(parts.withdrawing()),
    )
    passed = {result.index for result in done(released)}
    assert all(index < stopped.index for index in passed)
    assert {use.exchange for use in stopped.uses} == {
        use.exchange for use in pair.one.store.uses(consent)
    }
    assert len(stopped.uses) == len(passed)


def test_two_locks_at_once_are_one(pair):
    results = pair.race(
        *(lambda office: office.store.lock(parts.AMINA, parts.PAGE) for _ in range(2))
    )
    assert len(done(results)) == 1
    assert not any(isinstance(result, Stale) for result in results)
    assert pair.one.store.blocks(parts.REF) == {"self"}
