"""Consent rules: which act may follow which, what a record means, and what may be chosen."""

from dataclasses import replace

import pytest

from consent.model import Choice, Declined, FindingState, Kind, State
from consent.rules import FINAL, MAX_VALID_DAYS, check, exact, finding, following
from kernel.errors import Exact, Reason
from tests.unit.consent import parts

FACT = (parts.RESIDENTS, parts.FAMILY)
UNTIL = parts.START + 30 * parts.DAY


MAY = [
    (None, Kind.GIVE, State.GIVEN),
    (State.REFUSED, Kind.GIVE, State.GIVEN),
    (State.WITHDRAWN, Kind.GIVE, State.GIVEN),
    (State.GIVEN, Kind.GIVE, State.RENEWED),
    (State.RENEWED, Kind.GIVE, State.RENEWED),
    (None, Kind.REFUSE, State.REFUSED),
    (State.WITHDRAWN, Kind.REFUSE, State.REFUSED),
    (State.GIVEN, Kind.WITHDRAW, State.WITHDRAWN),
    (State.RENEWED, Kind.WITHDRAW, State.WITHDRAWN),
]
MAY_NOT = [
    (State.REFUSED, Kind.REFUSE, "This was refused already."),
    (State.GIVEN, Kind.REFUSE, "A consent stands: withdraw it instead."),
    (State.RENEWED, Kind.REFUSE, "A consent stands: withdraw it instead."),
    (None, Kind.WITHDRAW, "There is no consent to withdraw."),
    (State.REFUSED, Kind.WITHDRAW, "There is no consent to withdraw."),
    (State.WITHDRAWN, Kind.WITHDRAW, "There is no consent to withdraw."),
]


@pytest.mark.parametrize(("current", "kind", "after"), MAY)
def test_an_act_that_may_follow_leads_to_its_state(current, kind, after):
    assert following(current, kind) is after


@pytest.mark.parametrize(("current", "kind", "why"), MAY_NOT)
def test_an_act_that_may_not_follow_is_declined_in_plain_words(current, kind, why):
    with pytest.raises(Declined) as declined:
        following(current, kind)
    assert declined.value.detail == why
    assert declined.value.reason is Reason.POLICY_DENIED


def test_every_state_and_act_is_decided_one_way_or_the_other():
    assert len(MAY) + len(MAY_NOT) == (len(State) + 1) * len(Kind)
    assert not {case[:2] for case in MAY} & {case[:2] for case in MAY_NOT}


def test_only_a_withdrawal_is_final():
    assert {State.WITHDRAWN} == FINAL


def test_no_record_is_a_finding_too():
    found = finding(None, 0, parts.REVISION, parts.START)
    assert (found.state, found.consent, found.granted) == (FindingState.ABSENT, None, frozenset())


@pytest.mark.parametrize(
    ("state", "means"),
    [
        (State.GIVEN, FindingState.GIVEN),
        (State.RENEWED, FindingState.RENEWED),
        (State.REFUSED, FindingState.REFUSED),
        (State.WITHDRAWN, FindingState.WITHDRAWN),
    ],
)
def test_a_record_means_its_state_and_only_a_standing_one_grants(state, means):
    found = finding(parts.record(state), 0, parts.REVISION, parts.START)
    assert (found.state, found.consent) == (means, "co_1")
    assert bool(found.granted) is (exact(means) is None)


@pytest.mark.parametrize(
    ("at", "means"),
    [
        (parts.START - 1, FindingState.ABSENT),
        (parts.START, FindingState.GIVEN),
        (UNTIL - 1, FindingState.GIVEN),
        (UNTIL, FindingState.EXPIRED),
        (UNTIL + parts.DAY, FindingState.EXPIRED),
    ],
)
def test_validity_begins_with_its_first_moment_and_ends_before_its_last(at, means):
    assert finding(parts.record(), 0, parts.REVISION, at).state is means


@pytest.mark.parametrize(
    ("limit", "uses", "means"),
    [
        (None, 10**6, FindingState.GIVEN),
        (1, 0, FindingState.GIVEN),
        (1, 1, FindingState.EXHAUSTED),
        (3, 2, FindingState.GIVEN),
        (3, 4, FindingState.EXHAUSTED),
    ],
)
def test_a_use_limit_counts_down_to_exhausted(limit, uses, means):
    held = parts.record(use_limit=limit)
    assert finding(held, uses, parts.REVISION, parts.START).state is means


def test_consent_to_another_revision_of_the_agreement_is_no_consent():
    found = finding(parts.record(), 0, parts.OTHER_REVISION, parts.START)
    assert (found.state, found.granted) == (FindingState.ABSENT, frozenset())
    assert found.consent == "co_1"


@pytest.mark.parametrize("state", [State.REFUSED, State.WITHDRAWN])
def test_a_no_stays_the_answer_whatever_else_has_run_out(state):
    held = parts.record(state, use_limit=1)
    for revision in (parts.REVISION, parts.OTHER_REVISION):
        for at in (parts.START - 1, UNTIL):
            assert (
                finding(held, 5, revision, at).state.value
                == state.value.removeprefix("Consent").lower()
            )


def test_expired_comes_before_used_up():
    held = parts.record(use_limit=1)
    assert finding(held, 1, parts.REVISION, UNTIL).state is FindingState.EXPIRED


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (FindingState.GIVEN, None),
        (FindingState.RENEWED, None),
        (FindingState.NOT_APPLICABLE, None),
        (FindingState.ABSENT, Exact.CONSENT_ABSENT),
        (FindingState.REFUSED, Exact.CONSENT_REFUSED),
        (FindingState.WITHDRAWN, Exact.CONSENT_WITHDRAWN),
        (FindingState.EXPIRED, Exact.CONSENT_EXPIRED),
        (FindingState.EXHAUSTED, Exact.CONSENT_EXHAUSTED),
    ],
)
def test_every_finding_that_permits_nothing_has_its_exact_reason(state, reason):
    assert exact(state) is reason


def test_every_finding_is_one_of_those_above():
    assert len(FindingState) == 8


LIMITED = replace(parts.TERMS, max_valid_days=10, max_uses=3)


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (Choice(frozenset(), 5, 1), "Choose at least one fact, or refuse."),
        (
            Choice(frozenset({FACT, ("tax/income", "/debts")}), 5, 1),
            "The agreement does not offer tax/income#/debts.",
        ),
        (Choice(frozenset({FACT}), 0, 1), "The agreement allows 1 to 10 days."),
        (Choice(frozenset({FACT}), -1, 1), "The agreement allows 1 to 10 days."),
        (Choice(frozenset({FACT}), 11, 1), "The agreement allows 1 to 10 days."),
        (Choice(frozenset({FACT}), 5, 0), "A use limit is at least 1."),
        (Choice(frozenset({FACT}), 5, -3), "A use limit is at least 1."),
        (Choice(frozenset({FACT}), 5, 4), "The agreement allows at most 3 uses."),
        (Choice(frozenset({FACT}), 5, None), "The agreement allows at most 3 uses."),
    ],
)
def test_a_choice_beyond_the_terms_is_declined_in_plain_words(choice, why):
    with pytest.raises(Declined) as declined:
        check(choice, LIMITED)
    assert declined.value.detail == why


@pytest.mark.parametrize(
    "choice",
    [
        Choice(frozenset({FACT}), 1, 1),
        Choice(frozenset({FACT}), 10, 3),
        Choice(parts.OFFERED, 10, 3),
    ],
)
def test_a_choice_within_the_terms_stands(choice):
    check(choice, LIMITED)


def test_without_a_ceiling_on_uses_any_limit_or_none_stands():
    check(Choice(parts.OFFERED, 365, None), parts.TERMS)
    check(Choice(parts.OFFERED, 365, 10**6), parts.TERMS)


def test_no_consent_is_endless_whatever_the_agreement_says():
    endless = replace(parts.TERMS, max_valid_days=10**6)
    check(Choice(parts.OFFERED, MAX_VALID_DAYS, None), endless)
    with pytest.raises(Declined) as declined:
        check(Choice(parts.OFFERED, MAX_VALID_DAYS + 1, None), endless)
    assert declined.value.detail == f"The agreement allows 1 to {MAX_VALID_DAYS} days."
