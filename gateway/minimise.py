"""Minimise: cut a record down to its warrant, whatever the source sent."""

from collections.abc import Iterable
from enum import Enum
from typing import TypeAlias

from gateway.model import Extract, Warrant
from kernel.canonical import Json, canonical
from kernel.clock import Micros, rfc3339
from kernel.errors import Reason, Refusal
from kernel.names import Pointer

MAX_ITEMS = 10_000
_Tree: TypeAlias = dict[str, "_Tree"]


class _Absent(Enum):
    """Marks a value that the source does not have."""

    ABSENT = 0


def minimise(record: Json, warrant: Warrant, as_of: Micros) -> Extract:
    """Return what the warrant allows of a record, or raise `Refusal` with `source.bad_answer`
    where the record speaks of somebody else, or holds more than one plain value in a field."""
    told = _at(record, warrant.service.subject_at)
    if told != warrant.ask.subject.value:
        raise _bad("its answer does not say that it is about the person asked for")
    cut = _cut(record, _tree(warrant.permit.fields))
    plaintext: Json = {
        "exchange": warrant.exchange,
        "service": warrant.service.id,
        "as_of": rfc3339(as_of),
        "record": {} if cut is _Absent.ABSENT else cut,
    }
    try:
        return Extract(warrant.exchange, canonical(plaintext))
    except TypeError:
        raise _bad("its answer holds a value that JSON cannot carry") from None


def _tree(pointers: Iterable[Pointer]) -> _Tree:
    """Return the pointers as a tree of their segments (RFC 6901 §4 unescapes `~1` and `~0`)."""
    tree: _Tree = {}
    for pointer in pointers:
        node = tree
        for segment in segments(pointer):
            node = node.setdefault(segment, {})
    return tree


def segments(pointer: Pointer) -> list[str]:
    """Return a pointer's segments, unescaped (RFC 6901 §4)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _cut(value: Json, tree: _Tree) -> Json | _Absent:
    if not tree:
        if isinstance(value, str | int | float | None):
            return value
        raise _bad("a field of its answer is not one plain value")
    if value is None:
        return _Absent.ABSENT
    if "*" in tree:
        return _cut_items(value, tree["*"])
    if not isinstance(value, dict):
        raise _bad("its answer has a value where a group of fields belongs")
    kept = ((name, _cut(value[name], below)) for name, below in tree.items() if name in value)
    return {name: part for name, part in kept if part is not _Absent.ABSENT}


def _cut_items(value: Json, below: _Tree) -> list[Json]:
    if not isinstance(value, list):
        raise _bad("its answer has no list where a list belongs")
    if len(value) > MAX_ITEMS:
        raise _bad(f"a list in its answer has more than {MAX_ITEMS} items")
    return [part for part in (_cut(item, below) for item in value) if part is not _Absent.ABSENT]


def _at(value: Json, pointer: Pointer) -> Json:
    for segment in segments(pointer):
        if not isinstance(value, dict):
            return None
        value = value.get(segment)
    return value


def _bad(what: str) -> Refusal:
    return Refusal(Reason.SOURCE_BAD_ANSWER, f"The source cannot be used: {what}.")
