"""Documents: receipts, the directory, and the terms that an agreement offers a person."""

from dataclasses import replace

from crypto import base64url
from gateway.http.directory import agreement_document, service_document
from gateway.model import Agreed, Transform, TransformKind
from gateway.receipts import Place, located, receipt_claims
from gateway.stops import NONE, Stops
from gateway.terms import terms_of
from tests.unit.gateway import parts


def described(agreement, stops=NONE):
    return agreement_document(agreement, {parts.SERVICE.id: parts.SERVICE}, stops)


def test_a_receipt_says_what_was_released_to_whom_and_why():
    claims = receipt_claims("fb-1", parts.warrant(parts.GIVEN, parts.FAMILY), parts.SEALED)
    assert claims == {
        "aud": "fb-1",
        "exchange": "ex_1",
        "agreement": "family-allowance",
        "agreement_revision": "a" * 64,
        "service": "population/residents",
        "purpose": "dpv:ServiceProvision",
        "basis": "consent",
        "fields": [parts.FAMILY, parts.GIVEN],
        "policy": parts.POLICY,
        "consent": "co_1",
        "sealed_sha256": base64url.encode(parts.SEALED.sha256),
    }
    assert parts.NUMBER not in str(claims)


def test_a_receipt_says_who_signs_and_where_the_release_is_logged():
    place = Place("gateway.example/audit/log", 7, b"\xff" * 32, "proof")
    assert located({"iat": 1}, "https://gateway.example", place) == {
        "iat": 1,
        "iss": "https://gateway.example",
        "log": {
            "origin": "gateway.example/audit/log",
            "index": 7,
            "leaf": "_" * 42 + "8",
            "proof": "proof",
        },
    }


def test_a_service_is_described_without_where_its_source_is():
    assert service_document(parts.SERVICE) == {
        "id": "population/residents",
        "provider": "population",
        "title": {"en": "Residents"},
        "fields": [
            {
                "field": pointer,
                "title": {"en": pointer},
                "category": "identity",
                "about": "child" if pointer == parts.BORN else "subject",
            }
            for pointer in parts.FIELDS
        ],
    }


def test_an_agreement_is_described_with_its_basis_and_its_fields():
    document = described(parts.BY_LAW)
    assert (document["basis"], document["authority"]) == ("statutory", "maintenance-act")
    assert document["services"] == {
        "population/residents": [
            {"field": parts.FAMILY, "optional": False},
            {"field": parts.GIVEN, "optional": True},
        ]
    }
    assert document["valid_until"].startswith("2027-11-18T")


def test_a_receipt_names_the_fields_of_which_only_an_answer_left():
    year = Transform(TransformKind.YEAR, {})
    permit = replace(parts.permit(parts.FAMILY, parts.BORN), transforms={parts.BORN: year})
    claims = receipt_claims("fb-1", parts.warrant(permit=permit), parts.SEALED)
    assert claims["answers"] == {parts.BORN: "year"}
    assert claims["fields"] == [parts.BORN, parts.FAMILY]


def test_an_agreement_is_described_with_what_is_stopped_of_it():
    told = {"since": "2026-11-18T11:06:40.000000Z", "reason": "Wrong names came."}
    row = (parts.NOW, "Wrong names came.", 7)
    nothing = described(parts.AGREEMENT)
    assert (nothing["stopped"], nothing["services_stopped"]) == (None, {})
    for name in (("agreement", "family-allowance"), ("agency", "family-benefits")):
        document = described(parts.AGREEMENT, Stops.of([(*name, *row)]))
        assert (document["stopped"], document["services_stopped"]) == (told, {})
    document = described(parts.AGREEMENT, Stops.of([("source", "population", *row)]))
    assert document["stopped"] is None
    assert document["services_stopped"] == {"population/residents": told}
    others = [("agreement", "child-maintenance"), ("agency", "population"), ("source", "tax")]
    assert described(parts.AGREEMENT, Stops.of([(*one, *row) for one in others])) == nothing


def test_an_agreement_is_described_with_its_questions():
    band = Transform(TransformKind.BAND, {"edges": [1, 6]})
    agreed = Agreed(optional=True, transform=band, question={"en": "How old?"})
    agreement = replace(parts.AGREEMENT, services={parts.SERVICE.id: {parts.BORN: agreed}})
    assert described(agreement)["services"] == {
        "population/residents": [
            {
                "field": parts.BORN,
                "optional": True,
                "transform": {"kind": "band", "edges": [1, 6]},
                "question": {"en": "How old?"},
            }
        ]
    }


def test_an_agreement_is_described_with_what_a_person_is_told_and_how_often_they_are_asked():
    document = described(parts.AGREEMENT)
    assert document["if_refused"] == {"en": "We ask you for papers."}
    assert document["instead"] == {"en": "You can bring papers."}
    assert (document["retention_days"], document["evidence_level"]) == (30, "substantial")
    assert document["asking"] == {"open_days": 14, "again_after_days": 30, "per_day": 100}
    assert described(parts.BY_LAW)["asking"] is None


def test_an_agreement_offers_all_of_its_facts_within_its_ceilings():
    agreement = replace(parts.AGREEMENT, max_uses=5)
    terms = terms_of(agreement)
    assert terms.offered == {
        ("population/residents", parts.FAMILY),
        ("population/residents", parts.GIVEN),
    }
    assert (terms.agreement, terms.revision, terms.agency, terms.purpose) == (
        "family-allowance",
        "a" * 64,
        "family-benefits",
        "dpv:ServiceProvision",
    )
    assert (terms.max_valid_days, terms.max_uses) == (365, 5)
