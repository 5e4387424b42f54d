import json
import multiprocessing
import os
import shutil
import stat
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc.jwk import ECKey, OKPKey

from crypto import base64url
from crypto.keyfile import KeyRefused, key_encryption_key
from crypto.keys import KeyRing
from crypto.making import make
from kernel.chance import SystemChance
from kernel.clock import SystemClock

CHANCE, CLOCK = SystemChance(), SystemClock()
KEK = bytes(range(32))
NAMES = ("token", "receipt", "log", "pseudonym", "disclosure")
LATER = ("signin", "policy")


def opened(directory: Path, kek: Any = None) -> KeyRing:
    return KeyRing.open(directory, CHANCE, CLOCK, kek)


@pytest.fixture
def directory(tmp_path: Any) -> Path:
    return tmp_path / "state" / "keys"


def change(path: Any, **members: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))


def test_the_first_start_makes_keys_that_every_later_start_finds(directory: Path) -> None:
    first, second = opened(directory), opened(directory)
    assert first.token_jwks() == second.token_jwks()
    assert first.log.public() == second.log.public()
    assert first.pseudonym.value == second.pseudonym.value
    assert first.pseudonym.value != first.disclosure.value
    assert sorted(entry.name for entry in first.entries) == sorted((*NAMES, *LATER))
    assert first.signin_jwks() == second.signin_jwks()
    assert {entry.state for entry in first.entries} == {"active"}


def test_an_existing_empty_directory_is_filled(directory: Path) -> None:
    directory.mkdir(parents=True)
    assert opened(directory).token.algorithm == "ES256"


def test_key_files_belong_to_their_owner_alone(directory: Path) -> None:
    opened(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for file in directory.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_public_jwks_show_no_private_member_and_name_their_thumbprint(directory: Path) -> None:
    ring = opened(directory)
    for jwks, kind in ((ring.token_jwks(), ECKey), (ring.receipt_jwks(), OKPKey)):
        (key,) = jwks["keys"]
        assert not {"d", "p", "q", "k"} & key.keys()
        plain = {name: value for name, value in key.items() if name not in {"kid", "use", "alg"}}
        assert kind.import_key(plain).thumbprint() == key["kid"]


def test_no_private_member_is_in_a_repr(directory: Path) -> None:
    ring = opened(directory)
    secrets = [json.loads((directory / f"{name}.json").read_text())["private"] for name in NAMES]
    for value in (ring, ring.token, ring.log, ring.pseudonym, ring.entries):
        for secret in secrets:
            assert secret.get("d", secret.get("secret")) not in repr(value)


def test_keys_under_a_kek_are_unreadable_without_it(directory: Path) -> None:
    ring = opened(directory, KEK)
    assert opened(directory, KEK).token.kid == ring.token.kid
    secret = base64url.encode(ring.pseudonym.value)
    assert all(secret not in file.read_text() for file in directory.iterdir())
    with pytest.raises(KeyRefused, match="set GATEWAY_KEY_ENCRYPTION_KEY"):
        opened(directory)
    with pytest.raises(KeyRefused, match="does not open"):
        opened(directory, bytes(range(1, 33)))


def test_two_encrypted_files_cannot_be_exchanged(directory: Path) -> None:
    opened(directory, KEK)
    shutil.copy(directory / "pseudonym.json", directory / "disclosure.json")
    with pytest.raises(KeyRefused, match=r"disclosure\.json does not open"):
        opened(directory, KEK)


def test_a_plain_key_is_refused_where_a_kek_is_set(directory: Path) -> None:
    opened(directory)
    with pytest.raises(KeyRefused, match="not encrypted"):
        opened(directory, KEK)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_key_file_open_to_others_stops_the_start(directory: Path, mode: int) -> None:
    opened(directory)
    (directory / "log.json").chmod(mode)
    with pytest.raises(KeyRefused, match="open to other users"):
        opened(directory)


def test_a_key_directory_open_to_others_stops_the_start(directory: Path) -> None:
    opened(directory)
    directory.chmod(0o755)
    with pytest.raises(KeyRefused, match="open to other users"):
        opened(directory)


@pytest.mark.parametrize("name", NAMES)
def test_a_lost_key_is_never_made_again_in_silence(directory: Path, name: str) -> None:
    opened(directory)
    (directory / f"{name}.json").unlink()
    with pytest.raises(KeyRefused, match="missing: restore it"):
        opened(directory)


@pytest.mark.parametrize("name", LATER)
def test_a_directory_of_before_there_was_a_key_gets_it_once(directory: Path, name: str) -> None:
    before = opened(directory)
    (directory / f"{name}.json").unlink()
    again, later = opened(directory), opened(directory)
    kids = [getattr(keys, name).kid for keys in (before, again, later)]
    assert kids[0] != kids[1] == kids[2]
    assert again.token_jwks() == before.token_jwks()
    assert {path.name for path in directory.iterdir()} == {
        *(f"{name}.json" for name in (*NAMES, *LATER)),
        "unused",
    }
    assert stat.S_IMODE((directory / f"{name}.json").stat().st_mode) == 0o600


def test_a_key_that_is_added_is_sealed_like_the_others(directory: Path) -> None:
    opened(directory, KEK)
    (directory / "signin.json").unlink()
    assert opened(directory, KEK).signin.algorithm == "ES256"
    assert "private" not in json.loads((directory / "signin.json").read_text())


def test_what_proves_us_to_the_provider_shows_no_private_member(directory: Path) -> None:
    [key] = opened(directory).signin_jwks()["keys"]
    assert {"kty", "crv", "x", "y", "kid", "use", "alg"} == key.keys()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kid":"a","kid":"a"}', "\0", "7" * 20_000])
def test_a_damaged_key_file_stops_the_start(directory: Path, text: str) -> None:
    opened(directory)
    (directory / "token.json").write_text(text)
    with pytest.raises(KeyRefused, match=r"token\.json"):
        opened(directory)


def test_a_key_of_another_kind_or_kid_stops_the_start(directory: Path) -> None:
    opened(directory)
    p384 = ECKey.generate_key("P-384")
    p256 = ECKey.generate_key("P-256")
    foreign = {**OKPKey.generate_key("Ed25519").as_dict(private=True), "x": "A" * 43}
    for private, kid in (
        (p384.as_dict(private=True), p384.thumbprint()),
        (p256.as_dict(private=False), p256.thumbprint()),
        (p256.as_dict(private=True), "another"),
        (foreign, OKPKey.import_key(foreign).thumbprint()),
        ({"kty": "EC"}, "x"),
        ("text", "x"),
    ):
        change(directory / "token.json", private=private, kid=kid)
        with pytest.raises(KeyRefused, match=r"token\.json"):
            opened(directory)


def test_a_public_half_that_is_another_keys_stops_the_start(directory: Path) -> None:
    opened(directory)
    one, other = OKPKey.generate_key("Ed25519"), OKPKey.generate_key("Ed25519")
    mixed = {**one.as_dict(private=True), "x": other.as_dict()["x"]}
    change(directory / "receipt.json", private=mixed, kid=other.thumbprint())
    with pytest.raises(KeyRefused, match=r"receipt\.json"):
        opened(directory)


@pytest.mark.parametrize("secret", ["", "AAAA", base64url.encode(bytes(32)), "!", 7])
def test_a_weak_secret_stops_the_start(directory: Path, secret: Any) -> None:
    opened(directory)
    change(directory / "pseudonym.json", private={"secret": secret})
    with pytest.raises(KeyRefused, match="32 random bytes"):
        opened(directory)


@pytest.mark.parametrize("text", ["", "AAAA", base64url.encode(bytes(32)), "é" * 43])
def test_a_weak_key_encryption_key_is_refused(text: str) -> None:
    with pytest.raises(KeyRefused, match="32 random bytes"):
        key_encryption_key(text)
    assert key_encryption_key(base64url.encode(KEK) + "=\n") == KEK


def test_a_place_that_cannot_hold_keys_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(KeyRefused, match="cannot be made"):
        opened(tmp_path / "file" / "keys")


def test_an_interrupted_first_start_leaves_no_half_set(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(KeyRefused, match="disk full"):
        opened(directory)
    monkeypatch.undo()
    assert not list(directory.parent.iterdir())
    assert opened(directory).first_use()


def test_a_key_file_that_cannot_be_read_is_named(directory: Path) -> None:
    opened(directory)
    (directory / "log.json").unlink()
    (directory / "log.json").mkdir(mode=0o700)
    with pytest.raises(KeyRefused, match=r"log\.json cannot be read"):
        opened(directory)


def test_whoever_is_second_uses_the_keys_that_are_there(directory: Path) -> None:
    first = opened(directory)
    make(directory, CHANCE, CLOCK.now(), None)
    assert opened(directory).token.kid == first.token.kid
    assert [path.name for path in directory.parent.iterdir()] == ["keys"]


def test_the_log_key_signs_what_its_public_half_verifies(directory: Path) -> None:
    log = opened(directory).log
    Ed25519PublicKey.from_public_bytes(log.public()).verify(log.sign(b"head"), b"head")


def test_first_use_is_told_once(directory: Path) -> None:
    ring = opened(directory)
    assert [ring.first_use(), opened(directory).first_use(), ring.first_use()] == [
        True,
        False,
        False,
    ]


def _kid_and_first(directory: Path, barrier: Barrier, results: "Queue[Any]") -> None:
    barrier.wait()
    ring = opened(directory)
    results.put((ring.token.kid, ring.pseudonym.value, ring.first_use()))


def test_processes_that_start_together_agree_on_the_keys(directory: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=_kid_and_first, args=(directory, barrier, results)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert len({(kid, secret) for kid, secret, _ in found}) == 1
    assert [first for _, _, first in found].count(True) == 1
    assert sorted(path.name for path in directory.parent.iterdir()) == ["keys"]
