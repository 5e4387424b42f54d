"""The download is a ZIP made piece by piece, whose manifest names and signs every file."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from hashlib import sha256

import pytest

from consent.pages.archive import Manifest, Part, archive
from consent.pages.everything import cell


def signed(told) -> str:
    return "signed:" + json.dumps(told, sort_keys=True)


def opened(parts: list[Part]) -> zipfile.ZipFile:
    pieces = archive(parts, Manifest({"made": "now"}, signed))
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


def test_the_archive_holds_each_part_whole():
    found = opened([Part("a.txt", [b"one ", b"two"]), Part("b/c.txt", [])])
    assert found.testzip() is None
    assert found.namelist() == ["a.txt", "b/c.txt", "manifest.json", "manifest.jwt"]
    assert (found.read("a.txt"), found.read("b/c.txt")) == (b"one two", b"")


def test_the_manifest_names_the_hash_of_each_part_and_is_signed():
    found = opened([Part("a.txt", [b"one"]), Part("b.txt", [b"two"])])
    manifest = json.loads(found.read("manifest.json"))
    assert manifest == {
        "made": "now",
        "sha256": {
            "a.txt": sha256(b"one").hexdigest(),
            "b.txt": sha256(b"two").hexdigest(),
        },
    }
    assert found.read("manifest.jwt").decode().strip() == signed(manifest)


def test_no_more_than_a_piece_is_held_while_it_is_made():
    made = 0

    def pieces() -> Iterator[bytes]:
        nonlocal made
        for _ in range(200):
            made += 1
            yield os.urandom(32 * 1024)

    largest = taken = 0
    for piece in archive([Part("big", pieces())], Manifest({}, signed)):
        largest, taken = max(largest, len(piece)), taken + 1
    assert made == 200
    assert taken > 10
    assert largest < 3 * 64 * 1024


def test_a_part_is_made_only_when_its_turn_comes():
    began: list[str] = []

    def pieces(name: str) -> Iterator[bytes]:
        began.append(name)
        yield from (os.urandom(40_000) for _ in range(30))

    running = archive([Part(name, pieces(name)) for name in ("one", "two")], Manifest({}, signed))
    next(running)
    assert began == ["one"]
    assert b"".join(running)
    assert began == ["one", "two"]


@pytest.mark.parametrize("first", [*"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"])
def test_a_cell_that_a_spreadsheet_would_compute_is_made_text(first):
    assert cell(f"{first}1+1") == f"'{first}1+1"


@pytest.mark.parametrize("text", ["", "a", "a=b", " =1", "'x", "1"])
def test_any_other_cell_is_left_as_it_is(text):
    assert cell(text) == text
