"""Trace: a well-formed `traceparent` goes on, and nothing else of what strangers send does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import trace
from kernel.chance import SystemChance

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CHANCE = SystemChance()


@pytest.fixture
def at_hand():
    begun = trace.begun(f"00-{ID}-{SPAN}-01", CHANCE)
    trace.follow(begun)
    yield begun
    trace.follow(None)


def test_a_trace_that_was_begun_elsewhere_goes_on_here_in_a_span_of_our_own():
    begun = trace.begun(f"00-{ID}-{SPAN}-01", CHANCE)
    assert (begun.id, begun.parent, begun.sampled) == (ID, SPAN, True)
    assert begun.part(0) == begun.span != int(SPAN, 16)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        f"01-{ID}-{SPAN}-01",
        f"ff-{ID}-{SPAN}-01",
        f"00-{ID}-{SPAN}",
        f"00-{ID}-{SPAN}-01-more",
        f"00-{ID}-{SPAN}-01\n",
        f"00-{ID}-{SPAN}-01\r\nX-Person: RN-1234566",
        f" 00-{ID}-{SPAN}-01",
        f"00-{ID.upper()}-{SPAN}-01",
        f"00-{ID[:-1]}-{SPAN}-01",
        f"00-{ID[:-1]}g-{SPAN}-01",
        f"00-{ID[:-1]}٣-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID}-{SPAN}-01,00-{ID}-{SPAN}-01",
    ],
)
def test_whatever_is_not_well_formed_begins_a_new_trace(sent):
    begun = trace.begun(sent, CHANCE)
    assert begun.id != ID
    assert (begun.parent, begun.sampled) == (None, False)


@given(st.text(max_size=80))
def test_what_is_passed_on_is_always_well_formed(sent):
    header = trace.begun(sent, CHANCE).onward(trace.SOURCE)
    assert trace.begun(header, CHANCE).id == header[3:35]


def test_what_is_asked_elsewhere_belongs_to_a_part_of_our_span_and_not_to_the_callers(at_hand):
    (line,) = trace.onward(trace.SOURCE)
    assert line == f"traceparent: 00-{ID}-{at_hand.part(trace.SOURCE):016x}-01"
    assert trace.onward(trace.ENGINE) != [line]


def test_outside_of_a_request_nothing_is_passed_on():
    assert trace.current() is None
    assert trace.onward(trace.SOURCE) == []


def test_the_spans_of_the_parts_are_never_zero_and_never_the_same():
    last = trace.Trace(ID, 2**64 - 1, None, sampled=False)
    parts = [last.part(number) for number in range(40)]
    assert len({*parts}) == 40
    assert 0 < min(parts) <= max(parts) < 2**64


def test_whether_a_trace_is_sampled_is_decided_here_where_somebody_keeps_spans():
    assert not trace.begun(f"00-{ID}-{SPAN}-01", CHANCE, lambda _: False).sampled
    assert trace.begun(f"00-{ID}-{SPAN}-00", CHANCE, lambda name: name == ID).sampled


def test_answers_tell_a_trace_in_the_spelling_of_all_our_identifiers():
    assert trace.begun(f"00-{ID}-{SPAN}-01", CHANCE).name == "tr_bl3wkgiwzvb53bci5mqrzabrtq"
