"""Disclosures at rest open only with the right key, for the right person, in the right place."""

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit import person
from audit.disclosures import Place, RootKey, Unreadable, seal, unseal
from audit.model import BadLedger
from audit.person import activity
from kernel.clock import Deadline
from tests.contract import ledger_stage as stage

ROOT = RootKey("k1", b"r" * 32)
PLACE = Place("gateway.example/audit/1", 7, "ab" * 16)
SEALED = seal(ROOT, b"s" * 32, PLACE, b"n" * 12, ["first", "second"])


def test_they_open_in_their_place_with_their_keys():
    assert unseal(ROOT, b"s" * 32, PLACE, SEALED) == ["first", "second"]
    nobody = Place(PLACE.origin, 7, "")
    sealed = seal(ROOT, b"", nobody, b"n" * 12, ["only"])
    assert unseal(ROOT, b"", nobody, sealed) == ["only"]


@pytest.mark.parametrize(
    ("root", "secret", "place", "sealed"),
    [
        (RootKey("k1", b"x" * 32), b"s" * 32, PLACE, SEALED),
        (RootKey("k2", b"r" * 32), b"s" * 32, PLACE, SEALED),
        (ROOT, b"t" * 32, PLACE, SEALED),
        (ROOT, b"", PLACE, SEALED),
        (ROOT, b"s" * 32, Place("other.example", 7, PLACE.person), SEALED),
        (ROOT, b"s" * 32, Place(PLACE.origin, 8, PLACE.person), SEALED),
        (ROOT, b"s" * 32, Place(PLACE.origin, 7, "cd" * 16), SEALED),
        (ROOT, b"s" * 32, PLACE, SEALED[:-1]),
        (ROOT, b"s" * 32, PLACE, SEALED[:6]),
        (ROOT, b"s" * 32, PLACE, b""),
        (ROOT, b"s" * 32, PLACE, SEALED[:-1] + bytes([SEALED[-1] ^ 1])),
    ],
)
def test_they_open_nowhere_else(root, secret, place, sealed):
    with pytest.raises(Unreadable):
        unseal(root, secret, place, sealed)


@pytest.mark.parametrize(("name", "key"), [("", b"r" * 32), ("é", b"r" * 32), ("k", b"r" * 31)])
def test_a_root_key_has_32_bytes_and_a_short_ascii_id(name, key):
    with pytest.raises(ValueError, match="root key"):
        RootKey(name, key)


def test_a_persons_key_is_hkdf_of_rfc_5869_with_their_secret_as_the_context():
    info = b"causeway disclosures of one person v1" + b"s" * 32
    expected = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(b"r" * 32)
    assert ROOT.derive(b"s" * 32) == expected
    assert ROOT.derive(b"") != ROOT.derive(b"t" * 32) != expected


def test_a_key_has_no_repr():
    assert "rrr" not in repr(ROOT)


@pytest.fixture
def log(tmp_path):
    with stage.Stage(tmp_path).open() as log:
        for n in range(3):
            log.ledger.append(stage.decision(f"ex_{n}", stage.person(1), stage.person(2)))
        yield log


def change(log, statement: str) -> None:
    with log.database.sequence(Deadline.within(10, log.clock)) as writer:
        writer.execute(statement)


def listed(log, root: RootKey = ROOT, n: int = 1):
    return list(activity(log.database.read(), root, stage.person(n).ref))


def test_a_person_sees_their_own_name_and_not_the_other_persons(log):
    for each in listed(log):
        assert each.disclosures["subject"]["value"] == "RN-0000001"
        assert each.disclosures.keys() == {"subject", "actor", "input"}
        assert each.header["type"] == "exchange.decision"


@pytest.mark.parametrize(
    "statement",
    [
        'DELETE FROM ledger_body WHERE "index" = 2',
        'DELETE FROM ledger_body WHERE "index" = 3',
        'DELETE FROM ledger_leaf WHERE "index" = 2',
        "UPDATE ledger_body SET number = 9 WHERE number = 3",
    ],
)
def test_a_gap_in_the_list_is_found(log, statement):
    change(log, statement)
    with pytest.raises(BadLedger, match="gap"):
        listed(log)


def test_a_list_longer_than_a_page_is_whole(log, monkeypatch):
    monkeypatch.setattr(person, "_CHUNK", 2)
    assert [each.number for each in listed(log)] == [1, 2, 3]


def test_disclosures_of_another_key_or_another_leaf_are_found(log):
    with pytest.raises(BadLedger, match="do not open"):
        listed(log, RootKey("k1", b"x" * 32))
    change(
        log,
        'UPDATE ledger_leaf SET leaf = (SELECT leaf FROM ledger_leaf WHERE "index" = 3)'
        ' WHERE "index" = 2',
    )
    with pytest.raises(BadLedger, match="not the one in its leaf"):
        listed(log)


def test_what_was_erased_for_one_person_stays_for_the_other(log):
    change(log, f"DELETE FROM person WHERE ref = '{stage.person(1).ref}'")
    change(log, f"DELETE FROM ledger_body WHERE person = '{stage.person(1).ref}'")
    assert listed(log) == []
    assert len(listed(log, n=2)) == 3
