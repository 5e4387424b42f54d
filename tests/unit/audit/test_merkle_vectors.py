"""The published vectors of RFC 6962 proofs, and our own proofs under the verifier's eyes."""

import json
from base64 import b64decode
from pathlib import Path

import pytest

from audit import merkle
from audit.verify_tree import Defect, check_consistency, check_inclusion

VECTORS = json.loads(
    (Path(__file__).parents[2] / "assets" / "rfc6962-vectors.json").read_text(encoding="utf-8")
)


def hashes(values: list[str] | None) -> list[bytes]:
    return [b64decode(value) for value in values or []]


def test_all_196_published_vectors_are_there():
    assert len(VECTORS["inclusion"]) + len(VECTORS["consistency"]) == 196


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda vector: vector["name"])
def test_the_verifier_agrees_with_the_published_inclusion_vector(vector):
    def check() -> None:
        leaf, root = b64decode(vector["leafHash"]), b64decode(vector["root"])
        path = hashes(vector["proof"])
        check_inclusion(vector["leafIdx"], vector["treeSize"], leaf, path, root)

    if vector["wantErr"]:
        with pytest.raises(Defect):
            check()
    else:
        check()


@pytest.mark.parametrize("vector", VECTORS["consistency"], ids=lambda vector: vector["name"])
def test_the_verifier_agrees_with_the_published_consistency_vector(vector):
    def check() -> None:
        roots = (b64decode(vector["root1"]), b64decode(vector["root2"]))
        check_consistency((vector["size1"], vector["size2"]), roots, hashes(vector["proof"]))

    if vector["wantErr"]:
        with pytest.raises(Defect):
            check()
    else:
        check()


# The tree of the published vectors (RFC 6962 test data of Certificate Transparency).
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]


def grown(size: int) -> merkle.Growth:
    growth = merkle.Growth(0, [])
    growth.extend(map(merkle.leaf_hash, LEAVES[:size]))
    return growth


def good(kind: str) -> list[dict]:
    return [vector for vector in VECTORS[kind] if vector["name"].endswith("happy-path")]


@pytest.mark.parametrize("vector", good("inclusion"), ids=lambda vector: vector["name"])
def test_the_writer_makes_the_published_inclusion_proof(vector):
    growth = grown(vector["treeSize"])
    assert growth.root() == b64decode(vector["root"])
    assert growth.inclusion(vector["leafIdx"]) == hashes(vector["proof"])


@pytest.mark.parametrize("vector", good("consistency"), ids=lambda vector: vector["name"])
def test_the_writer_makes_the_published_consistency_proof(vector):
    growth = grown(vector["size2"])
    made = merkle.consistency(vector["size1"], vector["size2"], growth.subtree)
    assert made == hashes(vector["proof"])


def test_the_empty_tree_and_the_empty_leaf_have_the_hashes_of_rfc_6962():
    assert merkle.EMPTY.hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert merkle.leaf_hash(b"").hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert merkle.Growth(0, []).root() == merkle.EMPTY


def test_there_is_no_proof_outside_the_tree():
    growth = grown(3)
    for index in (-1, 3):
        with pytest.raises(IndexError):
            growth.inclusion(index)
    for old in (0, 4):
        with pytest.raises(IndexError):
            merkle.consistency(old, 3, growth.subtree)
    with pytest.raises(ValueError, match="edge"):
        merkle.Growth(3, [merkle.EMPTY])


def test_what_was_there_before_is_known_by_its_edge_alone():
    growth = merkle.Growth(3, grown(3).edge())
    with pytest.raises(KeyError):
        growth.subtree(0, 1)
