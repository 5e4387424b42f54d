"""Decision: what counts as a question and an answer of the policies; anything else decides none."""

import pytest

from gateway.model import Decision, Obligation
from gateway.policy.decision import (
    MAX_INPUT,
    MAX_ITEMS,
    MAX_LENGTH,
    BadDecision,
    canonical_decision,
    read_decision,
    read_input,
    unavailable,
)
from kernel.errors import Reason

YES = {
    "allow": True,
    "fields": ["/a", "/b"],
    "obligations": [{"type": "record"}, {"type": "seal"}],
    "reasons": [],
}
NO = {"allow": False, "fields": [], "obligations": [], "reasons": ["consent.absent"]}


def test_a_yes_names_its_fields_and_a_no_its_reasons():
    assert read_decision(YES) == Decision(
        True, (), ("/a", "/b"), (Obligation("record"), Obligation("seal"))
    )
    assert read_decision(NO) == Decision(False, ("consent.absent",), (), ())


@pytest.mark.parametrize("value", [YES, NO])
def test_equal_decisions_are_equal_bytes(value):
    decision = read_decision(dict(reversed(value.items())))
    assert canonical_decision(decision) == canonical_decision(read_decision(value))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        [],
        {},
        {**YES, "more": 1},
        {name: value for name, value in YES.items() if name != "reasons"},
        {**YES, "allow": 1},
        {**YES, "allow": "true"},
        {**YES, "allow": None},
        {**YES, "fields": "/a"},
        {**YES, "fields": {"/a": True}},
        {**YES, "fields": ["/b", "/a"]},
        {**YES, "fields": ["/a", "/a"]},
        {**YES, "fields": ["/a", 1]},
        {**YES, "fields": [""]},
        {**YES, "fields": ["x" * (MAX_LENGTH + 1)]},
        {**YES, "fields": [f"/{n:03}" for n in range(MAX_ITEMS + 1)]},
        {**YES, "fields": []},
        {**YES, "reasons": ["policy.denied"]},
        {**YES, "obligations": ["seal"]},
        {**YES, "obligations": [{}]},
        {**YES, "obligations": [{"type": "seal", "to": "x"}]},
        {**YES, "obligations": [{"type": None}]},
        {**NO, "reasons": []},
        {**NO, "fields": ["/a"]},
        {**NO, "obligations": [{"type": "record"}]},
    ],
)
def test_what_is_not_plainly_a_decision_decides_nothing(value):
    with pytest.raises(BadDecision):
        read_decision(value)


def test_a_list_may_have_its_most_items_and_a_text_its_most_characters():
    fields = [f"/{n:03}" for n in range(MAX_ITEMS - 1)] + ["x" * MAX_LENGTH]
    assert len(read_decision({**YES, "fields": fields}).fields) == MAX_ITEMS


def test_a_question_is_plain_bounded_json_without_escapes():
    assert read_input(b'{"at":1}') == {"at": 1}
    for bad in (rb'{"a":"\u0041"}', rb'"\n"', b"{", b" " * (MAX_INPUT + 1)):
        with pytest.raises(ValueError, match=r"JSON|escapes"):
            read_input(bad)


def test_no_usable_answer_is_a_reason_to_try_again():
    assert unavailable().reason is Reason.POLICY_UNAVAILABLE
