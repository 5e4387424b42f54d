"""Canonical JSON: one strict and bounded way in, one way out (RFC 8785)."""

import json
import re
from collections.abc import Mapping, Sequence
from math import isinf
from typing import NoReturn, TypeAlias

import orjson

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

MAX_SAFE_INTEGER = 2**53 - 1
_FORM = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')


class BadJson(ValueError):
    """The text is not JSON that we accept; the message says why and never quotes the text."""


def canonical(value: Json) -> bytes:
    """Return the RFC 8785 form of a value made of objects, arrays, strings, booleans, nulls and
    integers below 2^53; keys are ASCII, so byte order is the order that the RFC asks for."""
    return orjson.dumps(value, option=_FORM)


def parse(text: bytes, *, max_bytes: int, max_depth: int = 16) -> Json:
    """Return the value of one JSON text, or raise `BadJson`: too large, too deep, not UTF-8,
    duplicate members, lone surrogates, NaN, or a number that JSON readers disagree on."""
    if len(text) > max_bytes:
        raise BadJson(f"the JSON text is larger than {max_bytes} bytes")
    if _depth(text, max_depth) > max_depth:
        raise BadJson(f"the JSON text nests deeper than {max_depth} levels")
    try:
        value: Json = _DECODER.decode(text.decode("utf-8"))
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise BadJson("the JSON text is not valid UTF-8") from None
    except BadJson:
        raise
    except (ValueError, RecursionError):
        raise BadJson("the text is not valid JSON") from None
    return value


def _depth(text: bytes, enough: int) -> int:
    """Return how deep the text nests; an upper bound serves when it is already small enough."""
    bound = text.count(b"{") + text.count(b"[")
    if bound <= enough:
        return bound
    depth = deepest = 0
    for byte in _STRINGS.sub(b"", text):
        if byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadJson("an object has the same member twice")
    return members


def _constant(_: str) -> NoReturn:
    raise BadJson("NaN and Infinity are not JSON")


def _integer(digits: str) -> int:
    if len(digits) > len("-9007199254740991") or abs(value := int(digits)) > MAX_SAFE_INTEGER:
        raise BadJson("an integer is beyond 2^53-1")
    return value


def _number(digits: str) -> float:
    if isinf(value := float(digits)):
        raise BadJson("a number is too large")
    return value


# Made once: `json.loads` with hooks makes a decoder at every call.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_constant,
    parse_int=_integer,
    parse_float=_number,
)
