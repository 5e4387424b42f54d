"""Consent rows: a record goes into the tables and comes back the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.model import Happened, Record, Stale, State
from consent.rows import (
    block_key,
    count_key,
    event_of,
    event_writes,
    grants,
    record_key,
    record_of,
    record_writes,
)
from kernel.errors import Reason
from tests.unit.consent import parts

moments = st.integers(0, 2**52)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
plain = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)
records = st.builds(
    Record,
    id=words,
    subject_ref=words,
    agreement=words,
    revision=words,
    agency=words,
    purpose=words,
    state=st.sampled_from(State),
    granted=st.frozensets(st.tuples(plain, words), max_size=6),
    valid_from=moments,
    valid_until=moments,
    use_limit=st.none() | st.integers(1, 1000),
    term=st.integers(1, 99),
    epoch=st.integers(1, 99),
    since=moments,
    identifier=st.binary(max_size=20),
    notice=st.none() | words,
    language=st.none() | words,
)


@given(records)
def test_a_record_comes_back_as_it_was_written(record):
    write, slot = record_writes(record)
    assert write.key == record_key(record.id)
    assert record_of(write.row) == record
    assert slot.key.values == (record.subject_ref, record.agreement)
    assert slot.row["consent"] == record.id


events = st.builds(
    Happened,
    consent=words,
    epoch=st.integers(1, 99),
    time=moments,
    state=st.sampled_from(State),
    type=words,
    method=words,
    level=st.none() | words,
    index=moments,
    revision=words,
    agency=words,
    purpose=words,
    granted=st.frozensets(st.tuples(plain, words), max_size=6),
    valid_from=moments,
    valid_until=moments,
    use_limit=st.none() | st.integers(1, 1000),
    notice=st.none() | words,
    language=st.none() | words,
    receipt=words,
)


@given(events)
def test_an_event_comes_back_as_it_was_written_and_its_receipt_leads_to_it(event):
    write, receipt = event_writes(event)
    assert write.key == ("consent_event", (event.consent, event.epoch))
    assert event_of(write.row) == event
    assert receipt.row == {"id": event.receipt, "consent": event.consent, "epoch": event.epoch}


def test_granted_facts_are_written_by_service_in_one_order():
    assert grants(parts.OFFERED) == {
        "population/residents": ["/children/*/birth_date", "/name/family"],
        "tax/income": ["/income/total"],
    }
    text = record_writes(parts.record())[0].row["granted"]
    assert text == (
        '{"population/residents":["/children/*/birth_date","/name/family"],'
        '"tax/income":["/income/total"]}'
    )


def test_a_row_with_text_for_a_number_is_refused_not_guessed():
    row = {**record_writes(parts.record())[0].row, "valid_until": "never"}
    with pytest.raises(TypeError, match="text where a number belongs"):
        record_of(row)


def test_a_row_with_a_state_that_nobody_knows_is_refused_not_guessed():
    row = {**record_writes(parts.record())[0].row, "state": "ConsentMaybe"}
    with pytest.raises(ValueError, match="ConsentMaybe"):
        record_of(row)


def test_a_row_without_an_encrypted_identifier_holds_an_empty_one():
    row = {**record_writes(parts.record())[0].row, "identifier": None}
    assert record_of(row).identifier == b""


def test_keys_name_the_tables_that_they_belong_to():
    assert record_key(parts.record().id) == ("consent", ("co_1",))
    assert block_key(parts.REF) == ("block", (parts.REF,))
    assert count_key(parts.record().id, parts.INCOME) == ("consent_count", ("co_1", "tax/income"))


def test_a_stale_act_is_told_as_something_to_try_again():
    assert Stale().reason is Reason.LEDGER_UNAVAILABLE
