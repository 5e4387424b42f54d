"""Canonical JSON: the one way out agrees with RFC 8785, and the one way in is strict."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from kernel.canonical import MAX_SAFE_INTEGER, BadJson, canonical, parse

ROOM = 64 * 1024
WORDS = {
    None,
    "the JSON text is larger than 50 bytes",
    "the JSON text nests deeper than 16 levels",
    "the JSON text is not valid UTF-8",
    "the text is not valid JSON",
    "NaN and Infinity are not JSON",
    "an object has the same member twice",
    "an integer is beyond 2^53-1",
    "a number is too large",
}

integers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(max_codepoint=0x7F), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


def read(text: bytes) -> tuple[str | None, object]:
    """Return why a text of at most 50 bytes is refused, or its value."""
    try:
        return None, parse(text, max_bytes=50)
    except BadJson as error:
        return str(error), None


@given(values)
def test_what_goes_out_is_what_rfc_8785_asks_for(value):
    assert canonical(value) == rfc8785.dumps(value)


@given(values)
def test_what_goes_out_comes_back_in(value):
    assert parse(canonical(value), max_bytes=ROOM, max_depth=64) == value


@given(values, st.integers(0, 3), st.booleans())
def test_any_spelling_of_a_value_is_read_as_that_value(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert parse(text, max_bytes=ROOM, max_depth=64) == value


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_any_bytes_are_a_value_or_bad_json_that_does_not_quote_them(text):
    why, value = read(text)
    assert why in WORDS
    assert why is not None or value == json.loads(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"{}{}", "not valid JSON"),
        (b"[1,]", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'"a\nb"', "not valid JSON"),
        (b"01", "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"NaN", "NaN and Infinity"),
        (b"[-Infinity]", "NaN and Infinity"),
        (b'{"a": Infinity}', "NaN and Infinity"),
        (b'{"a": 1, "a": 1}', "same member twice"),
        (b'{"a": 1, "\\u0061": 2}', "same member twice"),
        (b'{"x": {"a": null, "a": null}}', "same member twice"),
        (b"9007199254740992", "beyond 2.53-1"),
        (b"-9007199254740992", "beyond 2.53-1"),
        (b"1" * 5000, "beyond 2.53-1"),
        (b"1e400", "number is too large"),
        (b'{"a": [-1e9999]}', "number is too large"),
        (b'"\xff"', "not valid UTF-8"),
        (b'"\xed\xa0\x80"', "not valid UTF-8"),
        (b'"\\ud800"', "not valid UTF-8"),
        (b'{"\\udc00": 1}', "not valid UTF-8"),
        (b'["\\ud83d x \\ude00"]', "not valid UTF-8"),
        ("é".encode("utf-16"), "not valid UTF-8"),
    ],
)
def test_what_json_readers_disagree_on_is_refused(text, why):
    with pytest.raises(BadJson, match=why):
        parse(text, max_bytes=ROOM)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"9007199254740991", MAX_SAFE_INTEGER),
        (b"-9007199254740991", -MAX_SAFE_INTEGER),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b' \t\r\n[ 1 , "\\\\u" ]\n', [1, "\\u"]),
        (b"1.5", 1.5),
    ],
)
def test_what_is_within_the_bounds_is_read(text, value):
    assert parse(text, max_bytes=ROOM) == value


def test_a_text_may_have_its_most_bytes_and_not_one_more():
    assert parse(b'"abc"', max_bytes=5) == "abc"
    with pytest.raises(BadJson, match="larger than 4 bytes"):
        parse(b'"abc"', max_bytes=4)


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_text_may_nest_to_its_most_levels_and_not_one_deeper(pair):
    def nested(levels: int) -> bytes:
        return pair[0] * levels + b"1" + pair[1] * levels

    parse(nested(16), max_bytes=ROOM)
    with pytest.raises(BadJson, match="deeper than 16"):
        parse(nested(17), max_bytes=ROOM)
    with pytest.raises(BadJson, match="deeper than 16"):
        parse(nested(2000), max_bytes=ROOM)


def test_many_groups_side_by_side_are_not_deep():
    side_by_side = b"[" + b",".join([b"[]"] * 100) + b"]"
    assert parse(side_by_side, max_bytes=ROOM) == [[]] * 100


def test_brackets_inside_strings_are_not_levels():
    text = json.dumps(["[[[[{{{{" * 10, '"\\[[[[[[[', "]]"]).encode()
    assert parse(text, max_bytes=ROOM, max_depth=1) == json.loads(text)


def test_brackets_after_an_open_string_do_not_hide_the_depth():
    with pytest.raises(BadJson):
        parse(b'"' + b"[" * 100_000, max_bytes=200_000)


@pytest.mark.parametrize("value", [MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1, "\ud800", b"", {1}])
def test_what_json_cannot_carry_does_not_go_out(value):
    with pytest.raises(TypeError):
        canonical(value)
