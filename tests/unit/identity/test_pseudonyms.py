import hashlib
import hmac
from typing import Any

import pytest

from identity.pseudonyms import NotOurs, Pseudonyms
from kernel.chance import SystemChance
from kernel.names import Subject, SubjectRef

ROOT, OTHER = bytes(range(32)), bytes(range(1, 33))
AMINA = Subject("resident-number", "RN-1234567")


def pseudonyms(root: Any = ROOT) -> Pseudonyms:
    return Pseudonyms(root, SystemChance())


def test_a_ref_is_the_first_half_of_a_keyed_hash_over_scheme_and_value() -> None:
    mac = hmac.new(ROOT, b"resident-number\0RN-1234567", hashlib.sha256).hexdigest()
    assert pseudonyms().ref(AMINA) == mac[:32]


def test_persons_schemes_and_roots_have_different_refs() -> None:
    subjects = [AMINA, Subject("resident-number", "RN-7654321"), Subject("tax", "RN-1234567")]
    refs = {pseudonyms().ref(subject) for subject in subjects} | {pseudonyms(OTHER).ref(AMINA)}
    assert len(refs) == 4


def test_a_sealed_identifier_opens_for_its_person_alone() -> None:
    one = pseudonyms()
    sealed = one.seal(AMINA)
    assert one.open(sealed, one.ref(AMINA)) == AMINA
    assert b"1234567" not in sealed
    assert sealed != one.seal(AMINA)
    for text, ref, under in (
        (sealed, SubjectRef("0" * 32), one),
        (sealed, one.ref(AMINA), pseudonyms(OTHER)),
        (sealed[:-1], one.ref(AMINA), one),
        (b"\0" + sealed[1:] if sealed[0] else b"\1" + sealed[1:], one.ref(AMINA), one),
        (b"", one.ref(AMINA), one),
    ):
        with pytest.raises(NotOurs):
            under.open(text, ref)


def test_bytes_that_hold_no_identifier_are_not_ours() -> None:
    one = pseudonyms()
    ref = one.ref(AMINA)
    nonce = bytes(12)
    with pytest.raises(NotOurs):
        one.open(nonce + one._cipher.encrypt(nonce, b'{"scheme":7}', ref.encode()), ref)


def test_a_sealed_text_opens_for_its_person_alone_and_is_no_identifier() -> None:
    one = pseudonyms()
    ref = one.ref(AMINA)
    sealed = one.seal_text("case 7, Amina", ref)
    assert one.open_text(sealed, ref) == "case 7, Amina"
    assert b"Amina" not in sealed
    with pytest.raises(NotOurs):
        one.open_text(sealed, SubjectRef("0" * 32))
    with pytest.raises(NotOurs):
        one.open(sealed, ref)
    with pytest.raises(NotOurs):
        one.open_text(one.seal(AMINA), ref)
