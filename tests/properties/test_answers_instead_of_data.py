"""Answers, for any record: the raw value of a question never stands in what leaves."""

import json
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from gateway.minimise import minimise
from gateway.model import Transform, TransformKind
from kernel.errors import Refusal
from tests.unit.gateway import parts

PRINTED = st.characters(min_codepoint=33, max_codepoint=126)
figures = st.integers(10**7, 2**53 - 1)
"""No shorter: a longer figure does not stand in the frame of an extract by chance."""
days = st.dates(date(1900, 1, 1), date(2025, 12, 31)).map(str)
accounts = st.text(PRINTED, min_size=12, max_size=40).map(lambda text: f"raw-{text}")
raw = st.one_of(figures, days, accounts, figures.map(lambda figure: f"{figure}.50"))
limits = st.sampled_from(["at_most", "at_least", "below", "above"])
edges = st.lists(st.integers(-100, 10**6), min_size=1, max_size=9, unique=True).map(sorted)
transforms = st.one_of(
    st.builds(
        lambda name, limit: Transform(TransformKind.YES_NO, {name: limit}),
        limits,
        st.integers(0, 10**6),
    ),
    st.builds(
        lambda choices: Transform(TransformKind.YES_NO, {"one_of": choices}),
        st.lists(st.text(PRINTED, max_size=5), min_size=1, unique=True),
    ),
    st.builds(lambda n: Transform(TransformKind.AT_LEAST_AGE, {"years": n}), st.integers(1, 150)),
    st.builds(lambda them: Transform(TransformKind.BAND, {"edges": them}), edges),
    st.just(Transform(TransformKind.YEAR, {})),
    st.builds(lambda keep: Transform(TransformKind.MASK, {"keep": keep}), st.integers(1, 4)),
    st.just(Transform(TransformKind.EXISTS, {})),
)
places = st.sampled_from(["/x", "/group/x", "/items/*/x", "/items/*/inner/x"])


def held_at(place: str, values: list) -> dict:
    """Return a record that holds the values at a place; the first one where it holds one only."""

    def inside(segments: list[str], value: object) -> object:
        for segment in reversed(segments):
            value = {segment: value}
        return value

    head, star, rest = place.partition("/*/")
    if star:
        return inside(head.split("/")[1:], [inside(rest.split("/"), value) for value in values])
    return inside(place.split("/")[1:], values[0])


@given(st.lists(raw, min_size=1, max_size=4), transforms, places)
def test_the_raw_value_of_a_question_never_leaves(
    values: list, transform: Transform, place: str
) -> None:
    record = {"number": parts.NUMBER, "noise": values, **held_at(place, values)}
    permit = replace(parts.permit(place), transforms={place: transform})
    try:
        extract = minimise(record, parts.warrant(permit=permit), parts.NOW, parts.named)
        told = extract.plaintext.decode()
    except Refusal as refusal:
        told = str(refusal) + refusal.detail
    for value in values:
        assert json.dumps(value).strip('"') not in told
        assert str(value) not in told


@given(st.lists(st.none() | st.just("") | raw, max_size=4))
def test_whether_it_exists_is_told_of_every_item(values: list) -> None:
    place = "/items/*/x"
    record = {"number": parts.NUMBER, "items": [{"x": value} for value in values]}
    exists = Transform(TransformKind.EXISTS, {})
    permit = replace(parts.permit(place), transforms={place: exists})
    extract = minimise(record, parts.warrant(permit=permit), parts.NOW, parts.named)
    told = json.loads(extract.plaintext)["record"]["items"]
    assert told == [{"x": value not in (None, "")} for value in values]
