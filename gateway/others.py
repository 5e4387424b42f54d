"""Others: whom besides the person asked for does a record speak of, in what leaves of it?"""

from collections.abc import Callable, Iterator

from gateway.answers import bad, is_there
from gateway.model import Service, TransformKind, Warrant
from gateway.pointers import segments
from kernel.canonical import Json
from kernel.errors import Refusal
from kernel.names import Pointer, Subject

MAX_OTHERS = 32

Way = tuple[str, ...]
Named = Callable[[Subject], Subject]
"""Returns the person whom an identifier names, or raises `Refusal` where it is malformed."""


def concerned(service: Service, fields: frozenset[Pointer]) -> dict[str, Pointer]:
    """Return where the source names the people whom these fields are about."""
    if not service.concerns:
        return {}
    told = {service.fields[field].about for field in fields if field in service.fields}
    return {who: pointer for who, pointer in service.concerns.items() if who in told}


def others(record: Json, warrant: Warrant, named: Named) -> tuple[Subject, ...]:
    """Return the other people whose facts leave, each once, or raise `Refusal` with
    `source.bad_answer` where the source names one in no proper way, or more than 32 of them."""
    asked = warrant.ask.subject
    found: dict[Subject, None] = {}
    for who, pointer in concerned(warrant.service, warrant.permit.fields).items():
        for value in _identifiers(record, warrant, who, pointer):
            if (person := _person(asked.scheme, value, named)) != asked:
                found[person] = None
            if len(found) > MAX_OTHERS:
                raise bad(f"its answer speaks of more than {MAX_OTHERS} people")
    return tuple(found)


def _identifiers(record: Json, warrant: Warrant, who: str, pointer: Pointer) -> Iterator[Json]:
    """Yield how the source names each of those whose facts leave, list item by list item."""
    items, rest = _split(segments(pointer))
    facts = [
        (segments(field)[len(items) :], warrant.permit.transforms.get(field))
        for field in warrant.permit.fields
        if field in warrant.service.fields and warrant.service.fields[field].about == who
    ]
    told = any(how is not None and how.kind is TransformKind.EXISTS for _, how in facts)
    for item in _values(record, items):
        names = [name for name in _values(item, rest) if is_there(name)]
        leaves = any(map(is_there, (v for way, _ in facts for v in _values(item, way))))
        if leaves and not names:
            raise bad("its answer does not say whom one of its facts is about")
        if leaves or told:
            yield from names


def _split(way: Way) -> tuple[Way, Way]:
    """Return the way to one item of the innermost list, and the way from there."""
    ends = [place for place, segment in enumerate(way[:-1]) if segment == "*"]
    cut = ends[-1] + 1 if ends else 0
    return way[:cut], way[cut:]


def _values(value: Json, way: Way) -> Iterator[Json]:
    if not way:
        yield value
    elif way[0] == "*":
        for item in value if isinstance(value, list) else []:
            yield from _values(item, way[1:])
    elif isinstance(value, dict) and way[0] in value:
        yield from _values(value[way[0]], way[1:])


def _person(scheme: str, value: Json, named: Named) -> Subject:
    if not isinstance(value, str):
        raise bad("its answer names somebody by what is no text")
    try:
        return named(Subject(scheme, value))
    except Refusal:
        raise bad("its answer names somebody by a malformed identifier") from None
