"""Consent acts: one entry and its effect on the rows, from the record as it was seen."""

import pytest

from consent.acts import written
from consent.model import Act, Choice, Declined, Kind, Stale, State
from consent.rows import record_key, record_of, record_writes, slot_key
from kernel.entry import EntryType
from kernel.names import ConsentId
from tests.unit.consent import parts

FRESH = ConsentId("co_fresh")
LATER = parts.START + 2 * parts.DAY


@pytest.fixture
def tables():
    return parts.Tables()


def current(tables):
    """Return the record that the slot names, as the store reads it."""
    slot = tables.rows.get(slot_key(parts.REF, parts.AGREEMENT))
    return record_of(tables.rows[record_key(slot["consent"])]) if slot else None


def act(tables, what, at=parts.START, fresh=FRESH):
    """Carry an act out on the rows, and return its entry and the record after it."""
    entry, effect = written(what, current(tables), fresh)
    tables.commit(effect, at)
    return entry, current(tables)


def test_giving_makes_a_record_of_exactly_what_was_chosen(tables):
    entry, held = act(tables, parts.giving((parts.INCOME, parts.TOTAL), days=7, uses=2))
    assert entry.type is EntryType.CONSENT_GIVEN
    assert (held.id, held.state, held.term, held.epoch) == (FRESH, State.GIVEN, 1, 1)
    assert held.granted == {(parts.INCOME, parts.TOTAL)}
    assert (held.valid_from, held.valid_until) == (parts.START, parts.START + 7 * parts.DAY)
    assert (held.use_limit, held.since) == (2, parts.START)
    assert (held.subject_ref, held.identifier) == (parts.REF, b"sealed identifier")


def test_the_entry_says_the_agreement_openly_and_the_words_to_those_entitled(tables):
    entry, _ = act(tables, parts.giving((parts.RESIDENTS, parts.FAMILY), days=7, uses=2))
    assert entry.header == {
        "consumer": "family-benefits",
        "agreement": "family-allowance",
        "agreement_revision": parts.REVISION,
        "purpose": "dpv:ServiceProvision",
        "basis": "consent",
        "consent": FRESH,
    }
    assert entry.disclosures == {
        "actor": {"method": "counter", "clerk": "clerk-1"},
        "request": {
            "act": "give",
            "fields": {"population/residents": ["/name/family"]},
            "valid_days": 7,
            "uses": 2,
        },
    }
    (concerned,) = entry.concerned
    assert (concerned.ref, concerned.subject) == (parts.REF, parts.AMINA.subject)
    assert not entry.restricts
    assert not entry.control


def test_refusing_makes_a_record_that_grants_nothing(tables):
    entry, held = act(tables, parts.refusing())
    assert entry.type is EntryType.CONSENT_REFUSED
    assert entry.disclosures["request"] == {"act": "refuse"}
    assert (held.state, held.granted, held.valid_from, held.valid_until) == (
        State.REFUSED,
        frozenset(),
        parts.START,
        parts.START,
    )


def test_giving_after_a_refusal_goes_on_with_the_same_record(tables):
    act(tables, parts.refusing())
    entry, held = act(tables, parts.giving(), LATER, ConsentId("co_other"))
    assert entry.header["consent"] == held.id == FRESH
    assert (held.state, held.epoch, held.since) == (State.GIVEN, 2, parts.START)
    assert held.valid_from == LATER


def test_giving_again_renews_the_terms_of_the_same_record(tables):
    act(tables, parts.giving(uses=1))
    narrower = parts.giving((parts.INCOME, parts.TOTAL), days=1, uses=5)
    entry, held = act(tables, narrower, LATER, ConsentId("co_other"))
    assert entry.type is EntryType.CONSENT_RENEWED
    assert (held.id, held.state, held.term, held.epoch) == (FRESH, State.RENEWED, 2, 2)
    assert held.granted == {(parts.INCOME, parts.TOTAL)}
    assert (held.valid_from, held.valid_until) == (LATER, LATER + parts.DAY)
    assert (held.use_limit, held.since) == (5, parts.START)


def test_withdrawing_ends_the_record_and_restricts(tables):
    act(tables, parts.giving())
    entry, held = act(tables, parts.withdrawing(), LATER)
    assert entry.type is EntryType.CONSENT_WITHDRAWN
    assert entry.restricts
    assert entry.disclosures["request"] == {"act": "withdraw"}
    assert (held.id, held.state, held.epoch, held.term) == (FRESH, State.WITHDRAWN, 2, 1)


@pytest.mark.parametrize("what", [parts.giving(), parts.refusing()])
def test_after_a_withdrawal_another_act_makes_a_new_record(tables, what):
    act(tables, parts.giving())
    act(tables, parts.withdrawing())
    entry, held = act(tables, what, LATER, ConsentId("co_second"))
    assert entry.header["consent"] == held.id == "co_second"
    assert (held.term, held.epoch, held.since) == (1, 1, LATER)
    assert {row["state"] for row in tables.table("consent")} == {"ConsentWithdrawn", held.state}
    (slot,) = tables.table("consent_slot")
    assert slot["consent"] == "co_second"


def test_every_act_leaves_one_event_with_the_place_of_its_entry(tables):
    act(tables, parts.giving())
    act(tables, parts.giving(), LATER)
    act(tables, parts.withdrawing(), LATER + 1)
    assert tables.table("consent_event") == [
        {
            "consent": FRESH,
            "epoch": epoch,
            "event_time": at,
            "event_state": state,
            "event_type": kind,
            "method": "counter",
            "index": epoch,
        }
        for epoch, at, state, kind in [
            (1, parts.START, "ConsentGiven", "consent.given"),
            (2, LATER, "RenewedConsentGiven", "consent.renewed"),
            (3, LATER + 1, "ConsentWithdrawn", "consent.withdrawn"),
        ]
    ]


def test_a_choice_that_the_rules_decline_is_not_written():
    with pytest.raises(Declined):
        written(parts.giving(days=10_000), None, FRESH)


@pytest.mark.parametrize(
    "what",
    [
        Act(Kind.GIVE, parts.AMINA, parts.TERMS, parts.COUNTER),
        Act(Kind.REFUSE, parts.AMINA, parts.TERMS, parts.COUNTER, Choice(parts.OFFERED, 1, None)),
        Act(Kind.WITHDRAW, parts.AMINA, parts.TERMS, parts.COUNTER, Choice(parts.OFFERED, 1, 1)),
    ],
)
def test_to_give_is_to_choose_and_nothing_else_takes_a_choice(what):
    with pytest.raises(Declined, match=r"policy\.denied"):
        written(what, parts.record(), FRESH)


def test_an_act_on_a_record_that_was_not_there_when_it_was_made_is_stale(tables):
    first, second = (written(parts.giving(), None, ConsentId(name)) for name in ("co_1", "co_2"))
    tables.commit(first[1])
    with pytest.raises(Stale):
        tables.commit(second[1])
    assert [row["id"] for row in tables.table("consent")] == ["co_1"]


def test_an_act_on_a_record_that_moved_on_is_stale(tables):
    act(tables, parts.giving())
    _, withdrawal = written(parts.withdrawing(), current(tables), FRESH)
    _, renewal = written(parts.giving(), current(tables), FRESH)
    tables.commit(renewal)
    with pytest.raises(Stale):
        tables.commit(withdrawal)
    assert current(tables).state is State.RENEWED


def test_an_act_on_a_record_that_another_replaced_is_stale(tables):
    act(tables, parts.giving())
    act(tables, parts.withdrawing())
    _, late = written(parts.giving(), current(tables), ConsentId("co_late"))
    act(tables, parts.giving(), LATER, ConsentId("co_second"))
    with pytest.raises(Stale):
        tables.commit(late)
    assert current(tables).id == "co_second"


@pytest.mark.parametrize("lost", ["slot", "record"])
def test_an_act_on_rows_that_are_gone_is_stale(tables, lost):
    seen = parts.record()
    record_write, slot_write = record_writes(seen)
    tables.put([slot_write] if lost == "record" else [record_write])
    with pytest.raises(Stale):
        tables.commit(written(parts.withdrawing(), seen, FRESH)[1])


def test_nothing_of_a_person_is_shown_by_an_act():
    assert "RN-1234566" not in f"{parts.giving()!r} {parts.AMINA!r}"
