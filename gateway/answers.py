"""Answers: what travels in a fact's place, computed here so that the fact itself stays home."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import cast

from gateway.model import Transform, TransformKind
from kernel.canonical import Json
from kernel.errors import Reason, Refusal

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,9})?", re.ASCII)
MASK = "****"


def answer(transform: Transform, value: Json, on: date) -> Json:
    """Return the answer that a transform makes of a value on a day (UTC), or raise `Refusal` with
    `source.bad_answer`, which repeats nothing of the value."""
    return _COMPUTED[transform.kind](transform.parameters, value, on)


def is_there(value: Json) -> bool:
    """Return whether a source has something: null and an empty text are nothing."""
    return value is not None and value != ""


def bad(what: str) -> Refusal:
    """Return the refusal of a source's answer that cannot be used."""
    return Refusal(Reason.SOURCE_BAD_ANSWER, f"The source cannot be used: {what}.")


def _yes_no(parameters: Mapping[str, Json], value: Json, _: date) -> Json:
    ((name, limit),) = parameters.items()
    if isinstance(limit, list):
        return _one_of(limit, value)
    number, edge = _number(value), cast("int", limit)
    match name:
        case "at_most":
            return number <= edge
        case "at_least":
            return number >= edge
        case "below":
            return number < edge
        case _:
            return number > edge


def _one_of(choices: list[Json], value: Json) -> bool:
    if isinstance(choices[0], str):
        if not isinstance(value, str):
            raise bad("a field that a question is about is not a text")
        return value in choices
    return _number(value) in choices


def _at_least_age(parameters: Mapping[str, Json], value: Json, on: date) -> Json:
    return _age(value, on) >= cast("int", parameters["years"])


def _band(parameters: Mapping[str, Json], value: Json, on: date) -> Json:
    """Return the band of a number, or of the age that a date of birth makes."""
    edges = cast("list[int]", parameters["edges"])
    is_day = isinstance(value, str) and _DAY.fullmatch(value)
    number = _age(value, on) if is_day else _number(value)
    above = sum(edge <= number for edge in edges)
    if above == 0:
        return f"<{edges[0]}"
    if above == len(edges):
        return f">={edges[-1]}"
    return f"{edges[above - 1]}..<{edges[above]}"


def _year(_: Mapping[str, Json], value: Json, __: date) -> Json:
    return _day(value).year


def _mask(parameters: Mapping[str, Json], value: Json, _: date) -> Json:
    """Return the end of a text behind a mask of one length, so that not even its length is told."""
    keep = cast("int", parameters["keep"])
    if not isinstance(value, str) or len(value) < 2 * keep:
        raise bad("a field that travels masked is not a text, or too short to hide anything")
    return MASK + value[-keep:]


def _exists(_: Mapping[str, Json], value: Json, __: date) -> Json:
    return is_there(value)


def _number(value: Json) -> Decimal | int:
    """Return a number; decimals are texts where databases and CSV files hold them exactly."""
    if isinstance(value, bool):
        raise bad("a field that a question is about is not a number")
    if isinstance(value, int):
        return value
    if isinstance(value, float) and isfinite(value):
        return Decimal(value)
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    raise bad("a field that a question is about is not a number")


def _day(value: Json) -> date:
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass  # it is told below, without the text
    raise bad("a field that a question is about is not a day, as in 2031-01-31")


def _age(value: Json, on: date) -> int:
    """Return the whole years since a day; who was born on 29 February turns on 1 March."""
    born = _day(value)
    if born > on:
        raise bad("a day of birth lies in the future")
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


_COMPUTED: Mapping[TransformKind, Callable[[Mapping[str, Json], Json, date], Json]] = {
    TransformKind.YES_NO: _yes_no,
    TransformKind.AT_LEAST_AGE: _at_least_age,
    TransformKind.BAND: _band,
    TransformKind.YEAR: _year,
    TransformKind.MASK: _mask,
    TransformKind.EXISTS: _exists,
}
