"""Gates and circuits: how many may wait for a source, and when nobody does."""

from contextlib import ExitStack

import pytest
from greenlet import GreenletExit

from gateway.load.circuit import FAILURES, LONGEST, SHORTEST, Circuit, State
from gateway.load.gates import Gates
from kernel.errors import Exact, Reason, Refusal, about_the_person
from tests.unit.gateway import parts


@pytest.fixture
def clock():
    return parts.Set()


@pytest.fixture
def circuit(clock):
    return Circuit(clock)


def opened(circuit):
    for _ in range(FAILURES):
        circuit.failed(circuit.admits())
    return circuit


def fail(gates, source, reason=Reason.SOURCE_TIMEOUT):
    with pytest.raises(Refusal) as refused, gates.passing(source):
        raise Refusal(reason, "It did not answer.")
    return refused.value


def held(gates, source, many):
    """Enter a gate as often as it lets, and return how often that was."""
    count = 0
    with ExitStack() as stack:
        for _ in range(many):
            try:
                stack.enter_context(gates.passing(source))
            except Refusal:
                break
            count += 1
    return count


def test_failures_in_a_row_open_it_and_others_do_not(circuit):
    for _ in range(3):
        for _ in range(FAILURES - 1):
            circuit.failed(circuit.admits())
        circuit.succeeded()
    assert circuit.state is State.CLOSED
    assert opened(circuit).state is State.OPEN
    assert circuit.admits() is State.OPEN


def test_after_a_while_one_goes_to_see_alone(circuit, clock):
    opened(circuit)
    clock.seconds += SHORTEST
    assert circuit.state is State.HALF_OPEN
    assert [circuit.admits() for _ in range(3)] == [State.HALF_OPEN, State.OPEN, State.OPEN]
    circuit.succeeded()
    assert circuit.state is State.CLOSED
    assert circuit.admits() is State.CLOSED


def test_each_try_that_fails_doubles_the_pause_up_to_the_longest(circuit, clock):
    opened(circuit)
    pauses = []
    for _ in range(6):
        pauses.append(circuit.seconds())
        clock.seconds += circuit.seconds()
        circuit.failed(circuit.admits())
    assert pauses == [1, 2, 4, 8, LONGEST, LONGEST]


def test_who_was_let_in_before_it_opened_does_not_speak_for_the_try(circuit, clock):
    before = circuit.admits()
    opened(circuit)
    clock.seconds += SHORTEST
    assert circuit.admits() is State.HALF_OPEN
    circuit.failed(before)
    assert circuit.admits() is State.OPEN
    assert circuit.state is State.HALF_OPEN


def test_a_source_has_its_own_places_and_may_borrow_half_of_all(clock):
    gates = Gates({"a", "b", "c", "d"}, 64, clock)
    assert held(gates, "a", 100) == 4 + 32
    assert gates.held() == {"a": 0, "b": 0, "c": 0, "d": 0}
    assert held(gates, "a", 100) == 4 + 32


def test_what_one_source_borrows_leaves_the_others_their_own(clock):
    gates = Gates({"a", "b", "c", "d"}, 64, clock)
    with ExitStack() as stack:
        for _ in range(36):
            stack.enter_context(gates.passing("a"))
        assert gates.held()["a"] == 36
        assert held(gates, "b", 100) == 4
        with pytest.raises(Refusal) as refused, gates.passing("a"):
            pass
    assert refused.value.reason is Reason.SOURCE_UNAVAILABLE
    assert refused.value.retry_after == 1


def test_no_crowd_of_sources_takes_all_threads(clock):
    sources = {str(n) for n in range(8)}
    gates = Gates(sources, 64, clock)
    with ExitStack() as stack:
        many = 0
        for source in sources:
            for _ in range(64):
                try:
                    stack.enter_context(gates.passing(source))
                except Refusal:
                    break
                many += 1
    assert many == 64 - 16


@pytest.mark.parametrize("reason", [Reason.SOURCE_TIMEOUT, Reason.SOURCE_UNAVAILABLE])
def test_a_source_that_does_not_answer_is_left_alone_and_the_others_are_not(clock, reason):
    gates = Gates({"a", "b"}, 64, clock)
    for _ in range(FAILURES):
        assert fail(gates, "a", reason).reason is reason
    closed = fail(gates, "a", Reason.SOURCE_BAD_ANSWER)
    assert closed.reason is Reason.SOURCE_UNAVAILABLE
    assert closed.retry_after == 1
    assert gates.states() == {"a": State.OPEN, "b": State.CLOSED}
    assert held(gates, "b", 3) == 3


def test_a_useless_answer_is_an_answer(clock):
    gates = Gates({"a"}, 64, clock)
    for _ in range(FAILURES):
        fail(gates, "a", Reason.SOURCE_BAD_ANSWER)
        with pytest.raises(Refusal), gates.passing("a"):
            raise about_the_person(Exact.SUBJECT_UNKNOWN)
    assert gates.states() == {"a": State.CLOSED}


def test_a_question_that_was_given_up_says_nothing_of_the_source(clock):
    gates = Gates({"a"}, 64, clock)
    for _ in range(2 * FAILURES):
        with pytest.raises(GreenletExit), gates.passing("a"):
            raise GreenletExit
    assert gates.states() == {"a": State.CLOSED}
    for _ in range(FAILURES):
        fail(gates, "a")
    for _ in range(2):
        clock.seconds += SHORTEST
        with pytest.raises(GreenletExit), gates.passing("a"):
            raise GreenletExit
        assert gates.states() == {"a": State.HALF_OPEN}
    with gates.passing("a"):
        pass
    assert gates.states() == {"a": State.CLOSED}


def test_a_fault_of_ours_on_the_way_counts_as_no_answer_and_lets_the_next_try(clock):
    gates = Gates({"a"}, 64, clock)
    for _ in range(FAILURES):
        with pytest.raises(ZeroDivisionError), gates.passing("a"):
            _ = 1 / 0
    assert gates.states() == {"a": State.OPEN}
    clock.seconds += SHORTEST
    with gates.passing("a"):
        pass
    assert gates.states() == {"a": State.CLOSED}
