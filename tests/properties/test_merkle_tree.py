"""The Merkle code against the definition in RFC 6962, and proofs that anything forged breaks."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import merkle
from audit.export import tile_path as written_path
from audit.verify import tile_path as read_path
from audit.verify_tree import Defect, check_consistency, check_inclusion

HASHES = [merkle.leaf_hash(n.to_bytes(4, "big")) for n in range(600)]
sizes = st.integers(1, len(HASHES))


def naive(hashes: list[bytes]) -> bytes:
    """Return MTH as RFC 6962 §2.1 defines it."""
    if not hashes:
        return sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(b"\x01" + naive(hashes[:split]) + naive(hashes[split:])).digest()


def subtree(start: int, end: int) -> bytes:
    return naive(HASHES[start:end])


@given(st.lists(st.integers(0, 90), max_size=6))
@settings(deadline=None)
def test_a_tree_that_grows_in_batches_has_the_root_of_the_definition(batches):
    edge, size = [], 0
    for count in batches:
        growth = merkle.Growth(size, edge)
        growth.extend(HASHES[size : size + count])
        size, edge = growth.size, growth.edge()
        assert growth.root() == naive(HASHES[:size])
    assert edge == [naive(HASHES[start:end]) for start, end in merkle.parts(size)]


@given(sizes, st.data())
@settings(deadline=None)
def test_every_inclusion_proof_verifies_and_no_forged_one_does(size, data):
    index = data.draw(st.integers(0, size - 1))
    root = naive(HASHES[:size])
    path = merkle.inclusion(index, size, subtree)
    check_inclusion(index, size, HASHES[index], path, root)
    forged = data.draw(st.sampled_from(["leaf", "index", "root", "drop", "add", "flip"]))
    leaf, place, top, steps = HASHES[index], index, root, list(path)
    if forged == "leaf":
        leaf = merkle.leaf_hash(b"forged")
    elif forged == "index":
        place = data.draw(st.integers(0, 2 * size).filter(lambda other: other != index))
    elif forged == "root":
        top = merkle.leaf_hash(b"forged")
    elif forged == "drop" and steps:
        steps.pop(data.draw(st.integers(0, len(steps) - 1)))
    elif forged == "flip" and steps:
        at = data.draw(st.integers(0, len(steps) - 1))
        steps[at] = merkle.leaf_hash(steps[at])
    else:
        steps.append(HASHES[0])
    with pytest.raises(Defect):
        check_inclusion(place, size, leaf, steps, top)


@given(sizes, st.data())
@settings(deadline=None)
def test_every_consistency_proof_verifies_and_no_forged_one_does(new, data):
    old = data.draw(st.integers(1, new))
    roots = (naive(HASHES[:old]), naive(HASHES[:new]))
    path = merkle.consistency(old, new, subtree)
    check_consistency((old, new), roots, path)
    forged = data.draw(st.sampled_from(["old", "new", "drop", "add"]))
    if forged == "old":
        roots = (merkle.leaf_hash(b"forged"), roots[1])
    elif forged == "new":
        roots = (roots[0], merkle.leaf_hash(b"forged"))
    elif forged == "drop" and path:
        path.pop(data.draw(st.integers(0, len(path) - 1)))
    else:
        path.append(HASHES[0])
    with pytest.raises(Defect):
        check_consistency((old, new), roots, path)


@given(st.integers(1, 400), st.integers(1, 150))
@settings(max_examples=30, deadline=None)
def test_a_batch_proves_its_own_entries_from_the_edge_before_it(before, count):
    growth = merkle.Growth(before, [naive(HASHES[a:b]) for a, b in merkle.parts(before)])
    growth.extend(HASHES[before : before + count])
    for index in range(before, before + count):
        assert growth.inclusion(index) == merkle.inclusion(index, growth.size, subtree)


@given(st.integers(0, 10**12), st.integers(1, 256))
def test_writer_and_verifier_name_a_tile_alike(n, width):
    assert written_path("entries", n, width) == read_path("entries", n, width)


def test_tiles_are_named_as_c2sp_says():
    assert read_path(1, 1234067) == "tile/1/x001/x234/067"
    assert read_path("entries", 5, 7) == "tile/entries/005.p/7"
