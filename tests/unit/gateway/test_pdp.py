"""The decision point grants no more than was asked, agreed and granted, whatever an engine says."""

import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Agreed, Ask, Basis, Decision, Obligation, Transform, TransformKind
from gateway.policy.cases import Found
from gateway.policy.decision import canonical_decision, read_decision, read_input
from gateway.policy.pdp import PRECEDENCE, DecisionPoint, Facts, question
from kernel.clock import Micros
from kernel.errors import Exact, Reason, Refusal
from kernel.names import AgreementId, ConsentId, Pointer, Revision, ServiceId, Subject
from tests.policies.repository import NOW, catalogue

CATALOGUE = catalogue()
ALLOWANCE = CATALOGUE.agreements[AgreementId("family-allowance")]
LETTERS = CATALOGUE.agreements[AgreementId("tax-correspondence")]
RESIDENTS = CATALOGUE.services[ServiceId("population/residents")]
FAMILY, GIVEN = Pointer("/name/family"), Pointer("/name/given")
POSTCODE, PHONE = Pointer("/address/postcode"), Pointer("/phone")
REVISION = Revision("r")
DONE = (Obligation("record"), Obligation("seal"))
REFUSED = Decision(allow=False, reasons=("policy.denied",), fields=(), obligations=())


@dataclass
class Answering:
    """An engine that answers what the test says, and remembers what it was asked."""

    decision: Decision
    asked: bytes = b""
    revision: str = ""

    def decide(self, input: bytes, revision: Revision) -> Decision:
        self.asked, self.revision = input, revision
        return self.decision


def yes(*fields: Pointer, obligations: tuple[Obligation, ...] = DONE) -> Decision:
    return Decision(allow=True, reasons=(), fields=fields, obligations=obligations)


def facts(
    *fields: Pointer, granted: tuple[Pointer, ...] = (), state: str = "given", **others: object
) -> Facts:
    stated = Facts(
        requester=ALLOWANCE.agency,
        agreement=ALLOWANCE,
        service=RESIDENTS,
        ask=Ask(ALLOWANCE.id, RESIDENTS.id, Subject("resident-number", "RN-1"), fields, "c", None),
        finding=Found(
            state, ConsentId("cr_1"), frozenset((RESIDENTS.id, field) for field in granted)
        ),
        blocks=frozenset(),
        authority=None,
        at=NOW,
    )
    return replace(stated, **others)


def by_law(*fields: Pointer, **others: object) -> Facts:
    return facts(
        *fields,
        requester=LETTERS.agency,
        agreement=LETTERS,
        authority=CATALOGUE.authority_of(LETTERS),
        **others,
    )


def refusal(stated: Facts, decision: Decision) -> Refusal:
    with pytest.raises(Refusal) as caught:
        DecisionPoint(Answering(decision), REVISION).decide(question(stated))
    return caught.value


def test_a_permit_names_fields_revision_consent_and_the_input_that_was_decided_on() -> None:
    engine = Answering(yes(POSTCODE, FAMILY))
    asked = question(facts(FAMILY, POSTCODE, granted=(FAMILY, POSTCODE)))
    permit = DecisionPoint(engine, REVISION).decide(asked)
    assert permit.fields == {FAMILY, POSTCODE}
    assert permit.withheld == ()
    assert (permit.policy, permit.consent) == (REVISION, "cr_1")
    assert permit.input == asked.input == engine.asked
    assert engine.revision == REVISION


def test_an_optional_field_that_is_not_granted_is_withheld() -> None:
    stated = facts(POSTCODE, FAMILY, granted=(FAMILY,))
    permit = DecisionPoint(Answering(yes(POSTCODE, FAMILY)), REVISION).decide(question(stated))
    assert (permit.fields, permit.withheld) == ({FAMILY}, (POSTCODE,))


def test_an_optional_field_that_the_rules_leave_out_is_withheld() -> None:
    stated = facts(POSTCODE, FAMILY, granted=(FAMILY, POSTCODE))
    permit = DecisionPoint(Answering(yes(FAMILY)), REVISION).decide(question(stated))
    assert (permit.fields, permit.withheld) == ({FAMILY}, (POSTCODE,))


@pytest.mark.parametrize(
    "granted", [(), (GIVEN,), (POSTCODE,)], ids=["nothing", "another", "an optional one"]
)
def test_a_required_field_that_is_not_granted_refuses_the_whole(
    granted: tuple[Pointer, ...],
) -> None:
    refused = refusal(facts(FAMILY, POSTCODE, granted=granted), yes(FAMILY, POSTCODE))
    assert (refused.reason, refused.exact) == (Reason.SUBJECT_NOT_RELEASED, Exact.CONSENT_FIELD)


def test_a_field_that_was_never_agreed_is_never_permitted() -> None:
    refused = refusal(facts(FAMILY, PHONE, granted=(FAMILY, PHONE)), yes(FAMILY, PHONE))
    assert refused.exact is Exact.CONSENT_FIELD


@pytest.mark.parametrize(
    "state", ["absent", "refused", "withdrawn", "expired", "exhausted", "suspended", "other"]
)
def test_no_rule_turns_a_consent_that_does_not_stand_into_a_permit(state: str) -> None:
    stated = facts(FAMILY, granted=(FAMILY,), state=state)
    assert refusal(stated, yes(FAMILY)).exact is Exact.CONSENT_FIELD


def test_a_law_grants_what_its_categories_name_and_no_consent_is_noted() -> None:
    permit = DecisionPoint(Answering(yes(POSTCODE)), REVISION).decide(question(by_law(POSTCODE)))
    assert (permit.fields, permit.consent) == ({POSTCODE}, None)


def test_a_field_that_the_law_does_not_name_refuses_the_whole() -> None:
    assert refusal(by_law(FAMILY, PHONE), yes(FAMILY, PHONE)).reason is Reason.POLICY_DENIED


def test_without_its_law_an_agreement_on_law_carries_nothing() -> None:
    stated = by_law(FAMILY)
    assert refusal(replace(stated, authority=None), yes(FAMILY)).reason is Reason.POLICY_DENIED


def test_neither_basis_is_looked_at_under_the_other() -> None:
    law = CATALOGUE.authority_of(LETTERS)
    consent = json.loads(question(facts(FAMILY, granted=(FAMILY,), authority=law)).input)
    assert (consent["authority"], consent["consent"]["state"]) == (None, "given")
    statutory = json.loads(question(by_law(FAMILY, granted=(FAMILY,), state="given")).input)
    assert statutory["consent"] == {"state": "not_applicable", "fields": {}}
    assert statutory["authority"]["fields"] == {"/name/family": True}


def test_the_only_time_a_rule_sees_is_the_whole_minute() -> None:
    within = facts(FAMILY, at=Micros(NOW + 59_999_999))
    assert json.loads(question(within).input)["at"] == NOW // 1_000_000
    assert question(within).input == question(facts(FAMILY)).input


def test_the_input_names_nobody() -> None:
    one = facts(FAMILY)
    other = replace(one, ask=replace(one.ask, subject=Subject("x", "RN-2"), case="another case"))
    assert question(one).input == question(other).input


@pytest.mark.parametrize("reason", PRECEDENCE)
def test_each_reason_is_told_as_the_public_may_know_it(reason: Reason | Exact) -> None:
    refused = refusal(facts(FAMILY), replace(REFUSED, reasons=(reason.value,)))
    if isinstance(reason, Exact):
        assert (refused.reason, refused.exact) == (Reason.SUBJECT_NOT_RELEASED, reason)
    else:
        assert (refused.reason, refused.exact) == (reason, None)
    assert refused.detail.endswith(".")


def test_all_refusals_about_the_person_read_the_same() -> None:
    told = {
        refusal(facts(FAMILY), replace(REFUSED, reasons=(exact.value,))).detail
        for exact in PRECEDENCE
        if isinstance(exact, Exact)
    }
    assert len(told) == 1


def test_the_first_reason_in_the_public_order_is_the_answer() -> None:
    for place, first in enumerate(PRECEDENCE):
        reasons = tuple(sorted(reason.value for reason in PRECEDENCE[place:]))
        refused = refusal(facts(FAMILY), replace(REFUSED, reasons=reasons))
        assert first in {refused.reason, refused.exact}


@pytest.mark.parametrize(
    "decision",
    [
        replace(REFUSED, reasons=()),
        replace(REFUSED, reasons=("policy.denied", "made.up")),
        replace(REFUSED, reasons=("internal",)),
        replace(REFUSED, reasons=("subject.unknown",)),
        replace(yes(FAMILY), reasons=("policy.denied",)),
        yes(FAMILY, obligations=(Obligation("notify"),)),
        yes(FAMILY, obligations=(*DONE, Obligation("forget"))),
    ],
)
def test_an_answer_that_nobody_understands_is_no_answer(decision: Decision) -> None:
    refused = refusal(facts(FAMILY, granted=(FAMILY,)), decision)
    assert refused.reason is Reason.POLICY_UNAVAILABLE


INCOME = CATALOGUE.services[ServiceId("tax/income")]
YEAR, TOTAL = Pointer("/income/year"), Pointer("/income/total")
ANSWERED = (*DONE, Obligation("transform"))


def of_income(*fields: Pointer) -> Facts:
    granted = Found("given", ConsentId("cr_1"), frozenset((INCOME.id, field) for field in fields))
    return facts(*fields, service=INCOME, finding=granted)


def test_a_permit_carries_the_agreed_transforms_of_the_released_fields_and_no_other() -> None:
    decision = yes(YEAR, TOTAL, obligations=ANSWERED)
    permit = DecisionPoint(Answering(decision), REVISION).decide(question(of_income(YEAR, TOTAL)))
    agreed = ALLOWANCE.services[INCOME.id][TOTAL].transform
    assert agreed == Transform(TransformKind.YES_NO, {"below": 60000})
    assert permit.transforms == {TOTAL: agreed}
    plain = DecisionPoint(Answering(yes(YEAR)), REVISION).decide(question(of_income(YEAR, TOTAL)))
    assert (plain.fields, plain.transforms) == ({YEAR}, {})


def test_rules_that_release_a_fact_without_obliging_to_its_answer_are_no_answer() -> None:
    refused = refusal(of_income(YEAR, TOTAL), yes(YEAR, TOTAL))
    assert refused.reason is Reason.POLICY_UNAVAILABLE


def test_the_input_says_which_agreed_facts_travel_as_which_kind_of_answer() -> None:
    stated = json.loads(question(of_income(YEAR)).input)["agreement"]
    assert stated["transforms"] == {TOTAL: "yes_no"}
    assert stated["required"] == {YEAR: True}
    assert stated["optional"] == {TOTAL: True}


POINTERS = st.sampled_from([FAMILY, GIVEN, POSTCODE, PHONE, Pointer("/children/*/birth_date")])


@given(
    asked=st.lists(POINTERS, min_size=1, unique=True),
    granted=st.lists(POINTERS, unique=True),
    allowed=st.lists(POINTERS, unique=True),
    agreed=st.dictionaries(POINTERS, st.builds(Agreed, st.booleans())),
    basis=st.sampled_from(Basis),
    state=st.sampled_from(["given", "renewed", "withdrawn", "absent"]),
)
def test_a_permit_is_never_wider_than_asked_agreed_granted_and_allowed(
    asked: list[Pointer],
    granted: list[Pointer],
    allowed: list[Pointer],
    agreed: dict[Pointer, Agreed],
    basis: Basis,
    state: str,
) -> None:
    agreement = replace(ALLOWANCE, basis=basis, services={RESIDENTS.id: agreed})
    law = CATALOGUE.authority_of(LETTERS)
    stated = facts(*asked, granted=tuple(granted), state=state, agreement=agreement, authority=law)
    try:
        permit = DecisionPoint(Answering(yes(*allowed, obligations=ANSWERED)), REVISION).decide(
            question(stated)
        )
    except Refusal:
        return
    by_basis = set(granted)
    if basis is Basis.STATUTORY:
        by_basis = {p for p in asked if RESIDENTS.fields[p].category in law.categories}
    else:
        assert state in {"given", "renewed"}
    assert permit.fields
    assert permit.fields <= set(asked) & set(agreed) & by_basis & set(allowed)
    assert {p for p in asked if not (p in agreed and agreed[p].optional)} <= permit.fields
    assert set(permit.withheld) == set(asked) - permit.fields


def test_a_decision_has_one_form_in_bytes() -> None:
    value = {
        "reasons": [],
        "obligations": [{"type": "record"}],
        "fields": ["/a", "/b"],
        "allow": True,
    }
    told = b'{"allow":true,"fields":["/a","/b"],"obligations":[{"type":"record"}],"reasons":[]}'
    assert canonical_decision(read_decision(value)) == told


@pytest.mark.parametrize("input", [b'{"a":"\\u0000"}', b'{"a":"\\""}', b"[", b'{"a":1,"a":1}'])
def test_an_input_is_plain_json_without_escapes(input: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_input(input)
