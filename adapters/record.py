"""Record: from flat rows to nested JSON, what of it is acceptable, and cutting it to fields."""

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import NamedTuple, TypeAlias

from kernel.canonical import MAX_SAFE_INTEGER, Json

MAX_RECORD = 2 * 1024 * 1024
"""Bytes of one record, whatever the source."""
MAX_DEPTH = 32
_Container: TypeAlias = dict[str, Json] | list[Json]


class Cell(NamedTuple):
    """One fact of a flat row: where it goes, and the column that holds it."""

    path: tuple[str, ...]
    column: str


def path(pointer: str) -> tuple[str, ...]:
    """Return the reference tokens of a JSON Pointer (RFC 6901 §4)."""
    return tuple(
        token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/") if token
    )


def cells(columns: Mapping[str, str], wanted: Container[str], under: str = "") -> tuple[Cell, ...]:
    """Return the facts that are wanted, for columns whose pointers start below `under`."""
    return tuple(
        Cell(path(pointer), column)
        for pointer, column in columns.items()
        if under + pointer in wanted
    )


def put(record: dict[str, Json], where: Sequence[str], value: Json) -> None:
    """Set a value at a path, making the objects that lead to it."""
    at = record
    for token in where[:-1]:
        inner = at.setdefault(token, {})
        assert isinstance(inner, dict)  # noqa: S101 - the read block keeps pointers apart
        at = inner
    at[where[-1]] = value


def nest(wanted: Iterable[Cell], values: Iterable[Json]) -> dict[str, Json]:
    """Return the record of one row; a value that is not there is left out."""
    record: dict[str, Json] = {}
    for cell, value in zip(wanted, values, strict=True):
        if value is not None:
            put(record, cell.path, value)
    return record


def as_json(value: object) -> Json:
    """Return a database's value as JSON; decimals stay exact as text, moments are ISO 8601.

    Raises `ValueError` for what JSON cannot carry: bytes, NaN, integers beyond 2^53.
    """
    match value:
        case None | bool() | str():
            return value
        case int() if abs(value) <= MAX_SAFE_INTEGER:
            return value
        case float() if isfinite(value):
            return value
        case Decimal() if value.is_finite():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            raise ValueError("a value is of a kind that JSON cannot carry")


def accept(record: Json) -> Mapping[str, Json]:
    """Return a parsed record, or raise `ValueError`: no object, too deep, or unsafe integers."""
    if not isinstance(record, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - a value, not a programming error
    level: list[_Container] = [record]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return record
    raise ValueError(f"nests deeper than {MAX_DEPTH} levels")


def _children(parent: _Container) -> list[_Container]:
    inner: list[_Container] = []
    for child in parent.values() if isinstance(parent, dict) else parent:
        if isinstance(child, (dict, list)):
            inner.append(child)
        elif type(child) is int and abs(child) > MAX_SAFE_INTEGER:
            raise ValueError("has an integer beyond 2^53-1")
    return inner


def pick(record: Mapping[str, Json], fields: Iterable[str]) -> dict[str, Json]:
    """Return what of a record the fields name; `*` stands for every item of an array."""
    picked: dict[str, Json] = {}
    for pointer in sorted(fields):
        _copy(record, picked, path(pointer))
    return picked


def _copy(source: Mapping[str, Json], target: dict[str, Json], where: Sequence[str]) -> None:
    token, *rest = where
    if token not in source:
        return
    value = source[token]
    if not rest or rest == ["*"]:
        target[token] = value
    elif rest[0] == "*":
        _copy_items(value, target, token, rest[1:])
    elif isinstance(value, dict):
        inner = target.setdefault(token, {})
        if isinstance(inner, dict):
            _copy(value, inner, rest)


def _copy_items(items: Json, target: dict[str, Json], token: str, rest: Sequence[str]) -> None:
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return
    copies = target.setdefault(token, [{} for _ in items])
    if isinstance(copies, list):
        for item, copy in zip(items, copies, strict=True):
            _copy(item, copy, rest)
