"""Journal: each step of an exchange as one entry, open to all only in its header."""

from dataclasses import replace

import pytest

from consent.rows import block_key
from gateway.exchanges import key_of
from gateway.model import Stage, Transform, TransformKind
from kernel.canonical import canonical
from kernel.clock import SECOND
from kernel.entry import EntryType
from kernel.errors import Exact, Outdated, Reason, Refusal, about_the_person
from kernel.names import Subject
from tests.unit.gateway import parts

UNKNOWN = Refusal(Reason.FIELD_UNKNOWN, "Item 0 of `fields` cannot be asked for.")
HEADER = {
    "exchange": "ex_1",
    "consumer": "family-benefits",
    "provider": "population",
    "service": "population/residents",
    "agreement": "family-allowance",
    "agreement_revision": "a" * 64,
    "purpose": "dpv:ServiceProvision",
    "basis": "consent",
    "policy": parts.POLICY,
    "consent": "co_1",
}
ASKED = {
    "actor": {"client": "fb-1", "user": "clerk-9"},
    "request": {
        "agreement": "family-allowance",
        "service": "population/residents",
        "fields": [parts.FAMILY, parts.GIVEN],
        "case": "FA-7",
    },
    "input": {"at": 1},
    "consents": ["co_1"],
}


@pytest.fixture
def ledger():
    return parts.Ledger()


@pytest.fixture
def journal(ledger):
    return parts.journal(ledger)


def by_law(docket):
    """Return a docket that rests on a law, so that a release needs no consent row."""
    docket.agreement, docket.consent = parts.BY_LAW, None
    return docket


def decided(journal, docket):
    return journal.decision(docket, parts.permit(consent=docket.consent))


def test_an_exchange_opens_with_a_name_of_its_own_and_nothing_written(journal, ledger):
    docket = journal.open(parts.CALLER, parts.ASK)
    assert (docket.exchange, docket.stage) == ("ex_1", Stage.OPENED)
    assert (docket.caller, docket.ask) == (parts.CALLER, parts.ASK)
    assert ledger.entries == []


def test_a_person_is_known_by_pseudonym_and_subject(journal):
    assert journal.person(parts.AMINA) == parts.CONCERNED


def test_a_decision_is_one_entry_before_anything_is_fetched(journal, ledger):
    docket = parts.docket()
    warrant = decided(journal, docket)
    (entry,) = ledger.entries
    assert entry.type is EntryType.EXCHANGE_DECISION
    assert entry.header == {**HEADER, "decision": "permit"}
    assert entry.disclosures == {**ASKED, "response": {"fields": [parts.FAMILY, parts.GIVEN]}}
    assert entry.concerned == (parts.CONCERNED,)
    assert (entry.epoch, entry.control, entry.restricts) == (3, False, False)
    assert ledger.rows[key_of("ex_1")]["state"] == "open"
    assert docket.stage is Stage.DECIDED
    assert (warrant.exchange, warrant.ask, warrant.epoch) == ("ex_1", parts.ASK, 3)
    assert (warrant.permit, warrant.person) == (parts.permit(), parts.CONCERNED)


def test_the_header_names_nobody(journal, ledger):
    decided(journal, parts.docket())
    text = canonical(ledger.entries[0].header).decode()
    for told in (parts.NUMBER, "clerk-9", "FA-7", parts.FAMILY, parts.CONCERNED.ref):
        assert told not in text


@pytest.mark.parametrize("lacks", ["person", "agreement", "service"])
def test_a_decision_on_an_incomplete_request_is_refused(journal, ledger, lacks):
    with pytest.raises(Refusal, match="internal"):
        journal.decision(parts.docket(**{lacks: None}), parts.permit())
    assert ledger.asked == 0


def test_a_decision_that_is_outdated_or_not_durable_makes_no_warrant(journal, ledger):
    docket = parts.docket()
    ledger.epoch = 4
    with pytest.raises(Outdated):
        decided(journal, docket)
    ledger.failures = [Refusal(Reason.LEDGER_UNAVAILABLE, "")]
    with pytest.raises(Refusal, match=r"ledger\.unavailable"):
        decided(journal, docket)
    assert docket.stage is Stage.OPENED


def test_a_release_is_one_entry_and_its_receipt_says_where_it_stands(journal, ledger):
    docket = by_law(parts.docket())
    receipt = journal.release(docket, decided(journal, docket), parts.SEALED, ())
    assert docket.stage is Stage.CLOSED
    entry = ledger.entries[1]
    assert entry.type is EntryType.EXCHANGE_RELEASE
    assert "decision" not in entry.header
    assert "consent" not in entry.header
    assert entry.header["basis"] == "statutory"
    assert entry.disclosures["response"] == {
        "fields": [parts.FAMILY, parts.GIVEN],
        "sealed_sha256": "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M",
    }
    assert "consents" not in entry.disclosures
    assert ledger.rows[key_of("ex_1")]["state"] == "released"
    assert receipt.jws == f"1:{parts.NOW // SECOND}:/name/family,/name/given"


def test_a_release_concerns_the_others_too_and_names_the_kinds_of_answers(journal, ledger):
    docket = by_law(parts.docket())
    year = {parts.GIVEN: Transform(TransformKind.YEAR, {})}
    permit = replace(parts.permit(consent=None), transforms=year)
    warrant = journal.decision(docket, permit)
    child = Subject("resident-number", parts.CHILD)
    journal.release(docket, warrant, parts.SEALED, (child,))
    decision, release = ledger.entries
    assert [one.subject for one in decision.concerned] == [parts.AMINA]
    assert [one.subject for one in release.concerned] == [parts.AMINA, child]
    for entry in (decision, release):
        assert entry.disclosures["response"]["fields"] == [parts.FAMILY, parts.GIVEN]
        assert entry.disclosures["response"]["answers"] == {parts.GIVEN: "year"}


def test_a_release_that_its_effect_refuses_is_a_refusal_in_the_same_place(journal, ledger):
    docket = by_law(parts.docket())
    warrant = decided(journal, docket)
    ledger.rows[block_key(parts.CONCERNED.ref)] = {"kinds": "lock"}
    with pytest.raises(Refusal) as refusal:
        journal.release(docket, warrant, parts.SEALED, ())
    assert refusal.value.exact is Exact.SUBJECT_BLOCKED
    assert ledger.told() == [
        ("exchange.decision", None),
        ("exchange.refusal", "subject.not_released"),
    ]
    assert ledger.entries[1].disclosures["response"]["exact"] == "subject.blocked"
    assert ledger.rows[key_of("ex_1")]["state"] == "refused"
    journal.refuse(docket, refusal.value, None)
    assert len(ledger.entries) == 2


def test_a_release_under_consent_uses_the_warrants_consent(journal, ledger):
    docket = parts.docket()
    warrant = decided(journal, docket)
    with pytest.raises(Refusal) as refusal:
        journal.release(docket, warrant, parts.SEALED, ())
    assert refusal.value.exact is Exact.CONSENT_ABSENT


def test_a_release_that_is_not_durable_leaves_the_end_to_the_sweep(journal, ledger):
    docket = by_law(parts.docket())
    warrant = decided(journal, docket)
    failure = Refusal(Reason.LEDGER_UNAVAILABLE, "")
    ledger.failures = [failure]
    with pytest.raises(Refusal):
        journal.release(docket, warrant, parts.SEALED, ())
    assert docket.stage is Stage.DECIDED
    asked = ledger.asked
    journal.refuse(docket, failure, None)
    assert ledger.asked == asked


def test_a_release_that_is_outdated_can_be_tried_again(journal, ledger):
    docket = by_law(parts.docket())
    warrant = decided(journal, docket)
    ledger.epoch = 4
    with pytest.raises(Outdated):
        journal.release(docket, warrant, parts.SEALED, ())
    assert docket.stage is Stage.DECIDED
    docket.caller = replace(docket.caller, epoch=4)
    assert journal.release(docket, warrant, parts.SEALED, ()).jws


def test_a_refusal_before_the_decision_is_the_exchanges_only_entry(journal, ledger):
    docket = parts.docket()
    journal.refuse(docket, about_the_person(Exact.CONSENT_WITHDRAWN), 3)
    (entry,) = ledger.entries
    assert entry.type is EntryType.EXCHANGE_REFUSAL
    assert entry.header == {**HEADER, "decision": "deny"}
    assert entry.disclosures["response"] == {
        "reason": "subject.not_released",
        "exact": "consent.withdrawn",
    }
    assert (entry.concerned, entry.epoch) == ((parts.CONCERNED,), 3)
    assert ledger.rows[key_of("ex_1")]["state"] == "refused"
    assert docket.stage is Stage.CLOSED


def test_a_refusal_says_no_more_than_was_known(journal, ledger):
    docket = parts.docket(
        person=None, agreement=None, service=None, consent=None, policy=None, input=None
    )
    journal.refuse(docket, UNKNOWN, None)
    (entry,) = ledger.entries
    assert entry.header == {
        "exchange": "ex_1",
        "consumer": "family-benefits",
        "decision": "deny",
    }
    assert entry.concerned == ()
    assert entry.disclosures == {
        "actor": ASKED["actor"],
        "request": ASKED["request"],
        "response": {"reason": "field.unknown", "exact": None},
    }


def test_a_refusal_after_the_decision_closes_the_exchange_without_a_second_decision(
    journal, ledger
):
    docket = parts.docket()
    decided(journal, docket)
    journal.refuse(docket, Refusal(Reason.SOURCE_TIMEOUT, ""), None)
    assert ledger.entries[1].header == HEADER
    assert ledger.rows[key_of("ex_1")]["state"] == "refused"


def test_a_refusal_after_the_decision_that_names_nobody_concerns_nobody(journal, ledger):
    docket = parts.docket()
    decided(journal, docket)
    docket.person = None
    journal.refuse(docket, Refusal(Reason.SOURCE_TIMEOUT, ""), None)
    assert ledger.entries[1].concerned == ()


def test_a_refusal_is_written_once(journal, ledger):
    docket = parts.docket()
    journal.refuse(docket, UNKNOWN, None)
    journal.refuse(docket, UNKNOWN, None)
    assert len(ledger.entries) == 1


def test_a_ledger_that_just_failed_is_not_asked_again(journal, ledger):
    docket = parts.docket()
    journal.refuse(docket, Refusal(Reason.LEDGER_UNAVAILABLE, ""), None)
    assert ledger.asked == 0
    assert docket.stage is Stage.OPENED
