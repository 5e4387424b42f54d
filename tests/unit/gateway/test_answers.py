"""Answers: each kind of question, computed exactly, or refused without a word of the value."""

import math
import traceback
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.answers import answer
from gateway.model import Transform, TransformKind
from kernel.errors import Reason, Refusal

ON = date(2026, 11, 22)


def told(kind: str, value: object, on: date = ON, **parameters: object) -> object:
    return answer(Transform(TransformKind(kind), parameters), value, on)


def refused(kind: str, value: object, on: date = ON, **parameters: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        told(kind, value, on, **parameters)
    assert caught.value.reason is Reason.SOURCE_BAD_ANSWER
    assert caught.value.__cause__ is None
    return caught.value


@pytest.mark.parametrize(
    ("limit", "below", "same", "above"),
    [
        ("at_most", True, True, False),
        ("below", True, False, False),
        ("at_least", False, True, True),
        ("above", False, False, True),
    ],
)
def test_a_threshold_is_met_or_not(limit: str, below: bool, same: bool, above: bool) -> None:
    for value, expected in [
        (99, below),
        (99.5, below),
        ("99.99", below),
        (-1, below),
        (100, same),
        (100.0, same),
        ("100.00", same),
        (101, above),
        (100.5, above),
        ("100.000000001", above),
        (2**53 - 1, above),
    ]:
        assert told("yes_no", value, **{limit: 100}) is expected


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, "", "many", "1e9", "٣", "1,000", "0x10", " 7", "7\n", [], {}),
        *(math.nan, math.inf, -math.inf, "NaN", "Infinity", "9" * 40),
    ],
)
@pytest.mark.parametrize(
    ("kind", "parameters"), [("yes_no", {"at_most": 1}), ("band", {"edges": [1]})]
)
def test_what_is_no_number_has_no_answer(kind: str, parameters: dict, value: object) -> None:
    refused(kind, value, **parameters)


@pytest.mark.parametrize(
    ("choices", "value", "expected"),
    [
        (["single", "widowed"], "single", True),
        (["single", "widowed"], "married", False),
        (["single", "widowed"], "", False),
        (["7"], "7", True),
        ([1, 2], 2, True),
        ([1, 2], "2", True),
        ([1, 2], 2.5, False),
        ([1, 2], 3, False),
    ],
)
def test_one_of_a_set_is_met_or_not(choices: list, value: object, expected: bool) -> None:
    assert told("yes_no", value, one_of=choices) is expected


@pytest.mark.parametrize(
    ("choices", "value"),
    [(["7"], 7), (["True"], True), ([1], True), ([0], False), ([1], "one"), (["a"], None)],
)
def test_one_of_a_set_is_not_answered_about_another_type(choices: list, value: object) -> None:
    refused("yes_no", value, one_of=choices)


@pytest.mark.parametrize(
    ("born", "on", "eighteen"),
    [
        ("2008-11-22", ON, True),
        ("2008-11-23", ON, False),
        ("1900-01-01", ON, True),
        ("2026-11-22", ON, False),
        ("2008-02-29", date(2026, 2, 28), False),
        ("2008-02-29", date(2026, 3, 1), True),
        ("2008-02-29", date(2028, 2, 29), True),
    ],
)
def test_an_age_is_reached_on_the_birthday(born: str, on: date, eighteen: bool) -> None:
    assert told("at_least_age", born, on, years=18) is eighteen


DAYS = [("at_least_age", {"years": 18}), ("year", {})]


@pytest.mark.parametrize(("kind", "parameters"), DAYS)
@pytest.mark.parametrize(
    "value",
    ["2008-02-30", "2008-2-3", "20080203", "2008-02-03T00:00:00", "03.02.2008", "", 2008, True,
     None, "2008-02-03 ", "\uff12\uff10\uff10\uff18-02-03",
     "2008-W06-1", "-2008-02-03", ["2008-02-03"]],
)  # fmt: skip
def test_what_is_no_day_has_no_answer(kind: str, parameters: dict, value: object) -> None:
    refused(kind, value, **parameters)


@pytest.mark.parametrize("kind", ["at_least_age", "band"])
def test_a_birth_that_is_yet_to_come_has_no_age(kind: str) -> None:
    refused(kind, "2026-11-23", **({"years": 1} if kind == "at_least_age" else {"edges": [1]}))


@pytest.mark.parametrize(
    ("value", "band"),
    [
        (0, "<1"),
        (-5, "<1"),
        (1, "1..<6"),
        ("5.99", "1..<6"),
        (6, "6..<18"),
        (18, ">=18"),
        (10**9, ">=18"),
        ("2026-08-21", "<1"),
        ("2025-11-22", "1..<6"),
        ("2018-03-14", "6..<18"),
        ("1993-05-02", ">=18"),
    ],
)
def test_a_band_holds_a_number_or_the_age_that_a_day_of_birth_makes(
    value: object, band: str
) -> None:
    assert told("band", value, edges=[1, 6, 18]) == band


def test_a_single_edge_makes_two_bands() -> None:
    assert [told("band", value, edges=[0]) for value in (-1, 0)] == ["<0", ">=0"]


def test_a_year_is_that_of_the_day() -> None:
    assert told("year", "2018-03-14") == 2018


@pytest.mark.parametrize(
    ("value", "keep", "masked"),
    [
        ("SAMPLE-0000012345", 4, "****2345"),
        ("ab", 1, "****b"),
        ("12345678", 4, "****5678"),
        ("x" * 1000, 2, "****xx"),
    ],
)
def test_a_mask_leaves_the_end_and_not_the_length(value: str, keep: int, masked: str) -> None:
    assert told("mask", value, keep=keep) == masked


@pytest.mark.parametrize(("value", "keep"), [("", 1), ("a", 1), ("abc", 2), ("1234567", 4),
                                             (12345678, 4), (True, 1), (None, 1)])  # fmt: skip
def test_what_is_too_short_to_mask_or_no_text_has_no_answer(value: object, keep: int) -> None:
    refused("mask", value, keep=keep)


@pytest.mark.parametrize(
    ("value", "there"),
    [(None, False), ("", False), (" ", True), ("x", True), (0, True), (False, True), (1.5, True)],
)
def test_null_and_an_empty_text_are_not_there(value: object, there: bool) -> None:
    assert told("exists", value) is there


KINDS = [
    ("yes_no", {"at_most": 1}),
    ("yes_no", {"one_of": ["a"]}),
    ("at_least_age", {"years": 18}),
    ("band", {"edges": [1, 6]}),
    ("year", {}),
    ("mask", {"keep": 4}),
]


@pytest.mark.parametrize(("kind", "parameters"), KINDS)
@given(value=st.text(min_size=5).map("raw-{}".format) | st.integers(10**9, 10**15))
def test_a_refusal_repeats_nothing_of_the_value(kind: str, parameters: dict, value: object) -> None:
    said = ""
    try:
        told(kind, value, **parameters)
    except Refusal as refusal:
        said = "".join(traceback.format_exception(refusal)) + repr(refusal.args) + refusal.detail
    assert str(value) not in said
