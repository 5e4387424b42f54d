"""From flat rows to nested records, and cutting a record to its fields."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.record import MAX_DEPTH, accept, as_json, cells, nest, path, pick, put

KEYS = st.sampled_from(["a", "b", "*", "~", "/", ""])
TREES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=20,
)


def test_a_pointer_is_unescaped_as_rfc_6901_says() -> None:
    assert path("/a~1b/m~0n/~01") == ("a/b", "m~n", "~1")


def test_columns_become_nested_members_and_empty_ones_are_left_out() -> None:
    wanted = cells({"/name/family": "f", "/name/given": "g", "/x": "x"}, {"/name/family", "/x"})
    assert nest(wanted, ["Ünal", None]) == {"name": {"family": "Ünal"}}
    assert nest(wanted, [None, 0]) == {"x": 0}


def test_a_list_can_lie_deep() -> None:
    record: dict[str, Any] = {"a": {"b": 1}}
    put(record, ("a", "c", "d"), [])
    assert record == {"a": {"b": 1, "c": {"d": []}}}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, None),
        (True, True),
        ("x", "x"),
        (2**53 - 1, 2**53 - 1),
        (2.5, 2.5),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.10"), "0.10"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
    ],
)
def test_a_databases_values_become_json_without_losing_anything(value: object, told: Any) -> None:
    assert as_json(value) == told


@pytest.mark.parametrize(
    "value", [b"x", 2**53, -(2**53), float("nan"), float("-inf"), Decimal("NaN"), object()]
)
def test_a_value_that_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="JSON cannot carry"):
        as_json(value)


def nested(levels: int) -> dict[str, Any]:
    tree: Any = 1
    for _ in range(levels):
        tree = {"a": tree}
    return dict(tree)


def test_a_record_is_an_object_of_bounded_depth_with_safe_integers() -> None:
    assert accept(nested(MAX_DEPTH)) == nested(MAX_DEPTH)
    for bad in (
        nested(MAX_DEPTH + 1),
        [nested(1)],
        "x",
        None,
        {"a": 2**53},
        {"a": [[{"b": -(2**53)}]]},
    ):
        with pytest.raises(ValueError, match=r"object|levels|integer"):
            accept(bad)


RECORD: Mapping[str, Any] = {
    "number": "RN-1",
    "name": {"family": "F", "given": "G"},
    "tags": ["a", "b"],
    "children": [
        {"name": "x", "pets": [{"name": "p", "kind": "cat"}]},
        {"name": "y", "pets": []},
        {"born": "2026"},
    ],
    "a/b": {"~": 1},
}


@pytest.mark.parametrize(
    ("fields", "picked"),
    [
        ([], {}),
        (["/number"], {"number": "RN-1"}),
        (["/name/given"], {"name": {"given": "G"}}),
        (["/name/given", "/name/family"], {"name": {"family": "F", "given": "G"}}),
        (["/name"], {"name": {"family": "F", "given": "G"}}),
        (["/tags/*"], {"tags": ["a", "b"]}),
        (["/children/*/name"], {"children": [{"name": "x"}, {"name": "y"}, {}]}),
        (
            ["/children/*/name", "/children/*/born"],
            {"children": [{"name": "x"}, {"name": "y"}, {"born": "2026"}]},
        ),
        (
            ["/children/*/pets/*/kind"],
            {"children": [{"pets": [{"kind": "cat"}]}, {"pets": []}, {}]},
        ),
        (["/a~1b/~0"], {"a/b": {"~": 1}}),
        (["/none", "/number/x", "/number/*/x", "/tags/*/x", "/name/none/x"], {"name": {}}),
    ],
)
def test_only_what_the_fields_name_is_picked(fields: list[str], picked: object) -> None:
    assert pick(RECORD, fields) == picked


def leaves(tree: Any, at: tuple[str, ...] = ()) -> set[tuple[tuple[str, ...], str]]:
    if isinstance(tree, dict):
        return set().union(*(leaves(inner, (*at, key)) for key, inner in tree.items()))
    if isinstance(tree, list):
        return set().union(*(leaves(inner, (*at, f"[{i}]")) for i, inner in enumerate(tree)))
    return {(at, repr(tree))}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(KEYS, TREES, max_size=4),
    st.lists(st.lists(st.sampled_from(["a", "b", "*", "~0", "~1"]), min_size=1, max_size=4)),
)
def test_a_pick_never_holds_anything_that_the_record_does_not(
    record: dict[str, Any], fields: list[list[str]]
) -> None:
    pointers = ["/" + "/".join(field) for field in fields]
    assert leaves(pick(record, pointers)) <= leaves(record)
