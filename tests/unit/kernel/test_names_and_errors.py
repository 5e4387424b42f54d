"""Names and errors: nobody is shown, every no has a name, and a person's is always the same."""

import re
import traceback

import pytest

from kernel.effect import Effect, Key, Moment
from kernel.entry import Concerned, Entry, EntryType
from kernel.errors import Exact, Outdated, Reason, Refusal, about_the_person
from kernel.names import Subject, SubjectRef

SECRET = "RN-1234566"
AMINA = Subject("resident-number", SECRET)


def test_two_mentions_of_a_person_are_equal_and_neither_shows_the_number():
    assert Subject("resident-number", SECRET) == AMINA
    assert len({AMINA, Subject("resident-number", SECRET)}) == 1
    assert SECRET not in f"{AMINA!r} {AMINA}"


def test_an_entry_shows_neither_its_disclosures_nor_whom_it_concerns():
    concerned = Concerned(SubjectRef("f" * 32), AMINA)
    entry = Entry(EntryType.EXCHANGE_REFUSAL, {}, {"request": {"case": "C-77"}}, (concerned,))
    shown = f"{entry!r} {concerned!r}"
    assert SECRET not in shown
    assert "C-77" not in shown


def test_an_entry_is_open_to_nobody_and_controls_nothing_unless_it_says_so():
    entry = Entry(EntryType.LOG_OPENED, {"origin": "gateway.example"})
    assert (entry.disclosures, entry.concerned, entry.epoch) == ({}, (), None)
    assert (entry.control, entry.restricts) == (False, False)


@pytest.mark.parametrize("names", [Reason, Exact, EntryType])
def test_every_code_is_two_lower_case_words(names):
    assert all(re.fullmatch(r"[a-z]+(\.[a-z_]+)?", name.value) for name in names)
    assert len({name.value for name in names}) == len(names)


def test_no_exact_reason_is_a_public_one():
    assert not {one.value for one in Exact} & {one.value for one in Reason}


def test_a_refusal_says_its_reason_and_nothing_else_as_its_text():
    refusal = Refusal(Reason.FIELD_UNKNOWN, "Item 3 of `fields` cannot be asked for.")
    assert str(refusal) == "field.unknown"
    assert refusal.detail == "Item 3 of `fields` cannot be asked for."
    assert (refusal.exact, refusal.exchange) == (None, None)


@pytest.mark.parametrize("exact", list(Exact))
def test_every_reason_about_the_person_looks_the_same_from_outside(exact):
    refusal, other = about_the_person(exact), about_the_person(Exact.CONSENT_ABSENT)
    assert refusal.reason is Reason.SUBJECT_NOT_RELEASED
    assert (refusal.detail, str(refusal)) == (other.detail, str(other))
    assert refusal.exact is exact
    assert exact.value not in "".join(traceback.format_exception(refusal))


def test_outdated_is_no_refusal():
    assert not issubclass(Outdated, Refusal)


def test_effects_keys_and_moments_are_plain_values():
    key = Key("consent", ("co_1",))
    assert key == ("consent", ("co_1",))
    effect = Effect((key,), lambda rows, moment: ())
    assert effect.apply({}, Moment(1, 2)) == ()
    assert effect.reads == (key,)
