"""Rotation: what is published beside the key that signs; the directory opens at any moment."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from crypto import rotation
from crypto.keyfile import KeyRefused
from crypto.keys import DAY, ROTATED, KeyRing
from kernel.chance import SystemChance
from kernel.clock import Micros, SystemClock

CHANCE, CLOCK = SystemChance(), SystemClock()
KEK = bytes(range(32))
NOW = Micros(1_800_000_000_000_000)


@pytest.fixture(params=[None, KEK], ids=["clear", "sealed"])
def kek(request):
    return request.param


@pytest.fixture
def directory(tmp_path: Path, kek):
    opened(tmp_path / "keys", kek)
    return tmp_path / "keys"


def opened(directory, kek):
    return KeyRing.open(directory, CHANCE, CLOCK, kek)


def rotated(directory, kek, name="token", now=NOW, **how):
    """Make the next key and let it sign; return the two names."""
    ring = opened(directory, kek)
    before = getattr(ring, name).kid
    following = rotation.make_next(ring, name, kek, CHANCE, now)
    rotation.promote(ring, name, kek, CHANCE, now, **how)
    return before, following.kid


def published(ring, name):
    return [key["kid"] for key in getattr(ring, f"{name}_jwks")()["keys"]]


@pytest.mark.parametrize("name", ROTATED)
def test_the_next_key_is_published_and_does_not_sign(directory, kek, name):
    before = getattr(opened(directory, kek), name)
    following = rotation.make_next(opened(directory, kek), name, kek, CHANCE, NOW)
    ring = opened(directory, kek)
    assert getattr(ring, name).kid == before.kid != following.kid
    assert published(ring, name) == [before.kid, following.kid]
    (beside,) = ring.beside[name]
    assert beside.until is None
    assert [one.state for one in ring.entries if one.name == name] == ["active", "next"]
    found = rotation.next_of(ring, name, kek)
    assert found is not None
    assert found.kid == following.kid


@pytest.mark.parametrize("name", ROTATED)
def test_then_it_signs_and_the_public_half_of_the_one_before_stays(directory, kek, name):
    before, after = rotated(directory, kek, name)
    ring = opened(directory, kek)
    assert published(ring, name) == [after, before]
    (beside,) = ring.beside[name]
    assert beside.until == NOW + DAY
    assert not {"d"} & {member for key in ring.token_jwks()["keys"] for member in key}
    assert rotation.next_of(ring, name, kek) is None
    assert [one.state for one in ring.entries if one.name == name] == ["active", "retired"]


def test_nothing_private_is_left_of_a_key_that_retired(tmp_path):
    directory = tmp_path / "keys"
    opened(directory, None)
    secret = json.loads((directory / "token.json").read_text())["private"]["d"]
    rotated(directory, None)
    assert all(secret not in file.read_text() for file in directory.iterdir())


def test_of_one_that_was_stolen_nothing_is_published(directory, kek):
    _, after = rotated(directory, kek, keep=False)
    assert published(opened(directory, kek), "token") == [after]


def test_each_that_signed_receipts_stays_among_those_published(directory, kek):
    kids = [rotated(directory, kek, "receipt")[0] for _ in range(3)]
    ring = opened(directory, kek)
    assert published(ring, "receipt")[0] == ring.receipt.kid
    assert sorted(published(ring, "receipt")[1:]) == sorted(kids)


def test_a_key_that_was_to_be_next_gives_its_place_to_another(directory, kek):
    first = rotation.make_next(opened(directory, kek), "token", kek, CHANCE, NOW)
    second = rotation.make_next(opened(directory, kek), "token", kek, CHANCE, NOW)
    assert published(opened(directory, kek), "token")[1:] == [second.kid] != [first.kid]


def test_without_a_next_key_nothing_is_promoted(directory, kek):
    ring = opened(directory, kek)
    with pytest.raises(KeyRefused, match=r"token\.next\.json is missing"):
        rotation.promote(ring, "token", kek, CHANCE, NOW)
    assert published(opened(directory, kek), "token") == [ring.token.kid]


@pytest.mark.parametrize("last", range(6))
def test_a_rotation_that_breaks_off_anywhere_can_be_asked_for_again(
    directory, kek, last, monkeypatch
):
    """It puts two files in their places and takes three names away: each may be its last act."""
    ring, acts = opened(directory, kek), 0
    following = rotation.make_next(ring, "token", kek, CHANCE, NOW)

    def breaking(act):
        def done(*given, **named):
            nonlocal acts
            acts += 1
            if acts > last:
                raise OSError(5, "broke off")
            return act(*given, **named)

        return done

    with monkeypatch.context() as patched, suppress(OSError):
        for name in ("replace", "unlink"):
            patched.setattr(Path, name, breaking(getattr(Path, name)))
        rotation.promote(ring, "token", kek, CHANCE, NOW)
    assert acts > last or acts == 5
    between = opened(directory, kek)
    assert set(published(between, "token")) == {ring.token.kid, following.kid}
    if (directory / "token.next.json").exists():
        rotation.promote(between, "token", kek, CHANCE, NOW)
    assert published(opened(directory, kek), "token") == [following.kid, ring.token.kid]


def test_a_retired_key_under_a_name_that_is_not_its_own_stops_the_start(tmp_path):
    directory = tmp_path / "keys"
    opened(directory, None)
    before, _ = rotated(directory, None)
    path = directory / f"token.{before}.json"
    path.write_text(path.read_text().replace(f'"kid":"{before}"', f'"kid":"{"A" * 43}"'))
    with pytest.raises(KeyRefused, match="under its own kid"):
        opened(directory, None)


def test_two_sealed_files_of_one_signer_cannot_be_exchanged(tmp_path):
    directory = tmp_path / "keys"
    opened(directory, KEK)
    rotation.make_next(opened(directory, KEK), "token", KEK, CHANCE, NOW)
    shutil.copy(directory / "token.next.json", directory / "token.json")
    with pytest.raises(KeyRefused, match=r"token\.json does not open"):
        opened(directory, KEK)
