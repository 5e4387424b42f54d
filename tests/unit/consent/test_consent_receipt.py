"""Consent receipts: the claims of TS 27560 about one event, the same at any time."""

from dataclasses import replace

import pytest

from consent.model import Kind
from consent.receipt import receipt_claims
from consent.rows import event_of
from kernel.canonical import canonical
from tests.unit.consent import parts


def told(*acts):
    """Carry acts out and return the claims about each, made when all is over."""
    tables = parts.Tables()
    for number, act in enumerate(acts):
        tables.act(act, parts.START + number)
    return [
        receipt_claims(event, tables.current(), parts.notice() if event.notice else None)
        for event in map(event_of, tables.table("consent_event"))
    ]


def test_a_receipt_says_who_may_learn_what_for_which_purpose_and_until_when():
    (claims,) = told(replace(parts.giving(uses=3), means=parts.PAGE, notice=parts.notice()))
    assert claims == {
        "iat": 1_795_000_000,
        "schema_version": "ISO/IEC TS 27560:2023",
        "receipt_id": "rc_1",
        "record_id": "co_fresh",
        "pii_principal_id": "co_fresh",
        "language": "en",
        "privacy_notice": {"sha256": parts.notice().digest, "language": "en"},
        "purposes": [
            {
                "purpose": "dpv:ServiceProvision",
                "lawful_basis": "consent",
                "agreement": "family-allowance",
                "agreement_revision": parts.REVISION,
                "pii_information": [
                    {
                        "service": "population/residents",
                        "pii_attribute_id": "/children/*/birth_date",
                    },
                    {"service": "population/residents", "pii_attribute_id": "/name/family"},
                    {"service": "tax/income", "pii_attribute_id": "/income/total"},
                ],
                "pii_controllers": ["population", "tax"],
                "recipient_third_parties": ["family-benefits"],
                "validity": {
                    "from": "2026-11-18T11:06:40.000000Z",
                    "until": "2026-12-18T11:06:40.000000Z",
                },
                "use_limit": 3,
                "withdrawal_method": "/consents/co_fresh",
            }
        ],
        "party_identification": [
            {"party_id": "population", "party_role": "pii_controller"},
            {"party_id": "tax", "party_role": "pii_controller"},
            {"party_id": "family-benefits", "party_role": "recipient_third_party"},
        ],
        "events": [
            {
                "event_time": "2026-11-18T11:06:40.000000Z",
                "event_state": "ConsentGiven",
                "event_type": "consent.given",
                "entity_id": "co_fresh",
                "indication_method": "web",
                "evidence_level": "substantial",
            }
        ],
        "log": {"index": 1},
    }


def test_a_refusal_has_a_receipt_too_in_which_nothing_is_shared():
    (claims,) = told(parts.refusing())
    (purpose,), (event,) = claims["purposes"], claims["events"]
    assert (purpose["pii_information"], purpose["pii_controllers"]) == ([], [])
    assert (event["event_state"], event["event_type"]) == ("ConsentRefused", "consent.refused")
    assert claims["privacy_notice"] is None


@pytest.mark.parametrize(
    ("kind", "entity"), [(Kind.REVOKE, "family-benefits"), (Kind.INVALIDATE, "authority")]
)
def test_a_receipt_says_when_it_was_not_the_person_who_acted(kind, entity):
    _, claims = told(parts.giving(), parts.saying(kind))
    assert claims["events"][0]["entity_id"] == entity


def test_what_comes_later_changes_no_receipt_of_what_was_before():
    before = told(parts.giving(uses=1))[0]
    later = replace(parts.TERMS, revision=parts.OTHER_REVISION, purpose="dpv:Marketing")
    after = told(
        parts.giving(uses=1),
        parts.giving((parts.INCOME, parts.TOTAL), terms=later),
        parts.withdrawing(later),
    )
    assert canonical(after[0]) == canonical(before)
    assert after[1]["purposes"][0]["purpose"] == "dpv:Marketing"


def test_a_receipt_names_nobody():
    (claims,) = told(parts.giving())
    text = canonical(claims)
    assert parts.AMINA.subject.value.encode() not in text
    assert parts.REF.encode() not in text
