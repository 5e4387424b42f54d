"""Minimise: cut a record down to its warrant, whatever the source sent, and answer questions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum

from gateway.answers import answer, bad
from gateway.model import Extract, Transform, TransformKind, Warrant
from gateway.others import others
from gateway.pointers import segments
from kernel.canonical import Json, canonical
from kernel.clock import SECOND, Micros, rfc3339
from kernel.names import Pointer, Subject

MAX_ITEMS = 10_000


class _Absent(Enum):
    """Marks a value that the source does not have."""

    ABSENT = 0


@dataclass(slots=True)
class _Node:
    """What is permitted at one place of a record; nothing below it means the place itself."""

    below: dict[str, "_Node"] = field(default_factory=dict)
    transform: Transform | None = None

    @property
    def always(self) -> bool:
        """Return whether there is an answer here even where the source has nothing."""
        if self.below:
            return any(node.always for node in self.below.values())
        return self.transform is not None and self.transform.kind is TransformKind.EXISTS


def minimise(
    record: Json, warrant: Warrant, as_of: Micros, named: Callable[[Subject], Subject]
) -> Extract:
    """Return what the warrant allows of a record, or raise `Refusal` with `source.bad_answer`
    where the record speaks of somebody else, holds more than one plain value in a field, or has a
    value to which the agreed question has no answer."""
    told = _at(record, warrant.service.subject_at)
    if told != warrant.ask.subject.value:
        raise bad("its answer does not say that it is about the person asked for")
    on = datetime.fromtimestamp(as_of // SECOND, UTC).date()
    permit = warrant.permit
    cut = _Cut(on).value(record, _tree(permit.fields, permit.transforms))
    plaintext: Json = {
        "exchange": warrant.exchange,
        "service": warrant.service.id,
        "as_of": rfc3339(as_of),
        "record": {} if cut is _Absent.ABSENT else cut,
    }
    try:
        bare = canonical(plaintext)
    except TypeError:
        raise bad("its answer holds a value that JSON cannot carry") from None
    return Extract(warrant.exchange, bare, others(record, warrant, named))


def _tree(pointers: Iterable[Pointer], transforms: Mapping[Pointer, Transform]) -> _Node:
    """Return the pointers as a tree of their segments (RFC 6901 §4 unescapes `~1` and `~0`)."""
    top = _Node()
    for pointer in pointers:
        node = top
        for segment in segments(pointer):
            node = node.below.setdefault(segment, _Node())
        node.transform = transforms.get(pointer)
    return top


@dataclass(frozen=True, slots=True)
class _Cut:
    """Cuts values to what is permitted of them, with the questions answered as of a day."""

    on: date

    def value(self, value: Json | _Absent, node: _Node) -> Json | _Absent:
        if not node.below:
            return self._leaf(value, node.transform)
        if value is _Absent.ABSENT or value is None:
            if not node.always:
                return _Absent.ABSENT
            value = [] if "*" in node.below else {}
        if "*" in node.below:
            return self._items(value, node.below["*"])
        if not isinstance(value, dict):
            raise bad("its answer has a value where a group of fields belongs")
        parts = (
            (name, self.value(value.get(name, _Absent.ABSENT), below))
            for name, below in node.below.items()
        )
        return {name: part for name, part in parts if part is not _Absent.ABSENT}

    def _leaf(self, value: Json | _Absent, transform: Transform | None) -> Json | _Absent:
        if isinstance(value, dict | list):
            raise bad("a field of its answer is not one plain value")
        if transform is None:
            return value
        if transform.kind is TransformKind.EXISTS:
            return answer(transform, None if value is _Absent.ABSENT else value, self.on)
        if value is _Absent.ABSENT or value is None:
            return _Absent.ABSENT
        return answer(transform, value, self.on)

    def _items(self, value: Json, below: _Node) -> list[Json]:
        if not isinstance(value, list):
            raise bad("its answer has no list where a list belongs")
        if len(value) > MAX_ITEMS:
            raise bad(f"a list in its answer has more than {MAX_ITEMS} items")
        items = value if not below.below else [item for item in value if item is not None]
        parts = (self.value(item, below) for item in items)
        return [part for part in parts if part is not _Absent.ABSENT]


def _at(value: Json, pointer: Pointer) -> Json:
    for segment in segments(pointer):
        if not isinstance(value, dict):
            return None
        value = value.get(segment)
    return value
