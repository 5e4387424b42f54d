"""Minimise, for any record and any set of pointers: the permitted leaves, and never one more."""

import json
from collections import defaultdict
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway.minimise import minimise
from kernel.errors import Refusal
from tests.unit.gateway import parts

names = st.sampled_from(["a", "b", "a/b", "m~n", "~1", "~0", "", "number"])
plain = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
shapes = st.recursive(
    plain,
    lambda inner: (
        st.dictionaries(names, inner, max_size=4) | st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)
records = st.dictionaries(names, shapes, max_size=4).map(
    lambda record: {**record, "who": parts.NUMBER}
)
paths = st.lists(names | st.just("*"), min_size=1, max_size=4).map(tuple)
SERVICE = replace(parts.SERVICE, subject_at="/who")


def pointer(path):
    """Return a path as RFC 6901 writes it."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path)


def leaves(value, path=()):
    """Yield the way to every plain value: member names, and numbers for the items of a list."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value


def covers(path, way):
    """Tell whether a pointer's path leads to a leaf, by the definition and nothing else."""
    return len(path) == len(way) and all(
        part == "*" if isinstance(step, int) else part == step
        for part, step in zip(path, way, strict=True)
    )


def shape(way):
    """Return a leaf's way with every item alike: where an item was left out, the next moves up."""
    return tuple("*" if isinstance(step, int) else step for step in way)


def by_shape(leaves_of_it):
    """Return the values of each shape, in the order of the record."""
    values = defaultdict(list)
    for way, value in leaves_of_it:
        values[shape(way)].append(json.dumps(value))
    return values


def cut(record, chosen):
    """Return the cut record, or None where the source's answer was refused whole."""
    warrant = parts.warrant(*map(pointer, chosen), service=SERVICE)
    try:
        return json.loads(minimise(record, warrant, parts.NOW, parts.named).plaintext)["record"]
    except Refusal:
        return None


def apart(chosen):
    """Tell whether no path lies within another, and no list is also a group of fields."""
    for one in chosen:
        for other in chosen:
            if one != other and other[: len(one)] == one:
                return False
            for place, (mine, yours) in enumerate(zip(one, other, strict=False)):
                if mine != yours:
                    if "*" in {mine, yours} and one[:place] == other[:place]:
                        return False
                    break
    return True


@settings(max_examples=100)
@given(records, st.sets(paths, min_size=1, max_size=4))
def test_nothing_leaves_that_no_pointer_permits(record, chosen):
    kept = cut(record, chosen)
    assume(kept is not None)
    held = [(shape(way), value) for way, value in leaves(record)]
    for way, value in leaves(kept):
        assert any(covers(path, way) for path in chosen)
        assert (shape(way), value) in held


@settings(max_examples=100)
@given(records, st.data())
def test_every_permitted_leaf_leaves_and_nothing_else(record, data):
    ways = sorted({shape(way) for way, _ in leaves(record)})
    chosen = data.draw(st.sets(st.sampled_from(ways), min_size=1, max_size=4))
    assume(apart(chosen))
    kept = cut(record, chosen)
    assume(kept is not None)
    permitted = (leaf for leaf in leaves(record) if any(covers(path, leaf[0]) for path in chosen))
    assert by_shape(leaves(kept)) == by_shape(permitted)


@given(records, st.sets(paths, min_size=1, max_size=3), st.text(max_size=12))
def test_a_record_of_somebody_else_yields_nothing_whatever_is_permitted(record, chosen, who):
    assume(who != parts.NUMBER)
    assert cut({**record, "who": who}, chosen) is None
