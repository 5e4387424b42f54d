"""Restoring: what a database lost is put back from the guard's lines, and never wider."""

import pytest

from audit.disclosures import RootKey
from audit.guard import Restriction
from audit.journal import MAX_CONTENT, Content, sealed, unsealed
from consent.model import State
from consent.recovered import Restricted, restoring
from consent.rows import facts, record_key, record_of, record_writes
from gateway.recovery.restoring import Restorer, Unknown
from kernel.clock import Micros
from kernel.effect import Moment
from kernel.entry import Concerned, EntryType
from kernel.errors import Refusal
from kernel.names import ConsentId, ReceiptId, Subject, SubjectRef
from tests.contract.ledger_stage import Counting
from tests.unit.consent.parts import record

ROOT = RootKey("k1", b"r" * 32)
PERSON = Concerned(SubjectRef("0" * 32), Subject("resident-number", "RN-0000001"))
RESTORER = Restorer(ROOT, None, Counting(), None)
AT = Moment(Micros(99), 7)


def line(kind: EntryType, index: int = 5, content: Content | None = None, **header: str):
    kept = b"" if content is None else sealed(ROOT, "gw/audit/log", index, content)
    told = {"type": kind.value, "time": "2026-11-22T00:00:00.000000Z", **header}
    return Restriction(index, b"h" * 32, told, "gw/audit/log", kept)


def changes(*lines: Restriction, given_up: frozenset[int] = frozenset()):
    return RESTORER.changes(lines, given_up)


def test_a_lock_of_the_first_form_which_names_nobody_stops_the_recovery_until_it_is_given_up():
    lock = line(EntryType.BLOCK_SET)
    with pytest.raises(Unknown) as unknown:
        changes(lock)
    assert unknown.value.indexes == (5,)
    assert changes(lock, given_up=frozenset({5})) == []


def test_a_line_sealed_under_another_key_stops_the_recovery():
    content = Content((PERSON,), {"request": {"kind": "self"}})
    other = sealed(RootKey("k2", b"s" * 32), "gw/audit/log", 5, content)
    with pytest.raises(Unknown):
        changes(Restriction(5, b"", {"type": "block.set", "time": ""}, "gw/audit/log", other))


def test_a_lock_is_about_whom_its_sealed_part_names():
    (change,) = changes(
        line(EntryType.BLOCK_SET, 5, Content((PERSON,), {"request": {"kind": "court"}}))
    )
    (key,) = change.effect.reads
    (write,) = change.effect.apply(
        {key: {"subject_ref": PERSON.ref, "kinds": "self", "since": 1}}, AT
    )
    assert write.row["kinds"] == "court self"
    assert change.entry.concerned == (PERSON,)


def test_a_consent_of_the_first_form_is_ended_by_its_id_alone():
    held = record(state=State.GIVEN)
    (change,) = changes(
        line(EntryType.CONSENT_WITHDRAWN, consent=held.id, agreement="a", agreement_revision="r")
    )
    assert after(held, change.effect).state is State.WITHDRAWN


def test_a_policy_of_another_kind_than_a_restriction_is_not_made_up():
    with pytest.raises(Unknown):
        changes(line(EntryType.POLICY_ACTIVATED, policy="b" * 64))


def after(held, effect):
    (own, *_) = effect.apply({record_key(held.id): record_writes(held)[0].row}, AT)
    return record_of(own.row)


def narrowed(*fields: str | None) -> Restricted:
    granted = None if fields == (None,) else facts({"population/residents": list(fields)})
    return Restricted(EntryType.CONSENT_NARROWED, ConsentId("co_1"), ReceiptId("rc_1"), granted)


def test_a_narrowing_leaves_what_both_the_record_and_the_lost_entry_allow():
    held = record(state=State.GIVEN, granted=facts({"population/residents": ["/a", "/b"]}))
    kept = after(held, restoring(narrowed("/b", "/c")))
    assert kept.granted == facts({"population/residents": ["/b"]})
    assert kept.state is State.GIVEN


@pytest.mark.parametrize("fields", [("/c",), (None,)])
def test_a_narrowing_that_leaves_nothing_or_is_not_known_pauses_the_consent(fields):
    held = record(state=State.GIVEN, granted=facts({"population/residents": ["/a"]}))
    assert after(held, restoring(narrowed(*fields))).state is State.SUSPENDED


def test_a_consent_that_ended_stays_as_it_ended():
    held = record(state=State.WITHDRAWN)
    with pytest.raises(Refusal):
        after(held, restoring(narrowed("/a")))


def test_of_what_is_too_long_for_a_line_the_people_are_kept():
    long = Content((PERSON,), {"request": {"kind": "x" * MAX_CONTENT}})
    told = unsealed(ROOT, line(EntryType.BLOCK_SET, 5, long))
    assert (told.people, told.disclosures, told.whole) == ((PERSON,), {}, False)
