"""Consent rules: what a record means to the policies and to its person, and what may be chosen."""

from dataclasses import replace

import pytest

from consent.model import Asking, Choice, Declined, FindingState, Standing, State
from consent.rules import (
    MAX_VALID_DAYS,
    check,
    check_narrowing,
    exact,
    finding,
    kept_terms,
    standing,
)
from kernel.errors import Exact
from tests.unit.consent import parts

FACT = (parts.RESIDENTS, parts.FAMILY)
BORN = (parts.RESIDENTS, parts.BORN)
TOTAL = (parts.INCOME, parts.TOTAL)
UNTIL = parts.START + 30 * parts.DAY


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
        (State.REVOKED, FindingState.WITHDRAWN),
        (State.INVALIDATED, FindingState.WITHDRAWN),
        (State.SUSPENDED, FindingState.SUSPENDED),
        (State.REQUESTED, FindingState.ABSENT),
        (State.DEFERRED, FindingState.ABSENT),
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
        (FindingState.SUSPENDED, Exact.CONSENT_SUSPENDED),
    ],
)
def test_every_finding_that_permits_nothing_has_its_exact_reason(state, reason):
    assert exact(state) is reason


def test_every_state_and_every_finding_stands_in_the_tables_above():
    assert {finding(parts.record(state), 0, parts.REVISION, UNTIL).state for state in State} == {
        FindingState.EXPIRED,
        FindingState.REFUSED,
        FindingState.WITHDRAWN,
        FindingState.SUSPENDED,
        FindingState.ABSENT,
    }
    assert len(FindingState) == 9


ONCE = {"use_limit": 1}


@pytest.mark.parametrize(
    ("state", "changes", "uses", "at", "means"),
    [
        (State.REQUESTED, {}, {}, UNTIL - 1, Standing.REQUESTED),
        (State.REQUESTED, {}, {}, UNTIL, Standing.REQUEST_EXPIRED),
        (State.DEFERRED, {}, {}, UNTIL - 1, Standing.DEFERRED),
        (State.DEFERRED, {}, {}, UNTIL, Standing.REQUEST_EXPIRED),
        (State.GIVEN, {}, {}, UNTIL - 1, Standing.GIVEN),
        (State.RENEWED, {}, {}, UNTIL - 1, Standing.GIVEN),
        (State.GIVEN, {}, {}, UNTIL, Standing.EXPIRED),
        (State.RENEWED, {"revision": parts.OTHER_REVISION}, {}, UNTIL, Standing.EXPIRED),
        (State.GIVEN, ONCE, {}, parts.START, Standing.GIVEN),
        (State.GIVEN, ONCE, {parts.RESIDENTS: 1}, parts.START, Standing.GIVEN),
        (
            State.GIVEN,
            ONCE,
            {parts.RESIDENTS: 1, parts.INCOME: 1},
            parts.START,
            Standing.EXHAUSTED,
        ),
        (
            State.GIVEN,
            {"revision": parts.OTHER_REVISION},
            {},
            parts.START,
            Standing.NEEDS_RECONFIRMATION,
        ),
        (State.SUSPENDED, {}, {}, parts.START, Standing.SUSPENDED),
        (State.SUSPENDED, {}, {}, UNTIL, Standing.SUSPENDED),
        (State.REFUSED, {}, {}, UNTIL, Standing.REFUSED),
        (State.WITHDRAWN, {}, {}, UNTIL, Standing.WITHDRAWN),
        (State.REVOKED, {}, {}, UNTIL, Standing.REVOKED),
        (State.INVALIDATED, {}, {}, UNTIL, Standing.INVALIDATED),
    ],
)
def test_a_record_stands_to_its_person_as_state_time_uses_and_agreement_say(
    state, changes, uses, at, means
):
    assert standing(parts.record(state, **changes), uses, parts.REVISION, at) is means


def test_a_consent_whose_agreement_is_gone_needs_reconfirmation():
    assert standing(parts.record(), {}, None, parts.START) is Standing.NEEDS_RECONFIRMATION


@pytest.mark.parametrize("remaining", [{FACT, BORN}, {FACT}, {TOTAL}, {FACT, TOTAL}])
def test_narrowing_keeps_some_facts_and_what_each_service_needs(remaining):
    check_narrowing(frozenset(remaining), parts.record(), parts.TERMS)


@pytest.mark.parametrize(
    ("remaining", "why"),
    [
        (set(), "Keep at least one fact, or withdraw."),
        (
            {FACT, BORN, TOTAL},
            "To narrow is to take facts away: choose some of those that are shared.",
        ),
        (
            {FACT, ("tax/income", "/debts")},
            "To narrow is to take facts away: choose some of those that are shared.",
        ),
        (
            {BORN, TOTAL},
            "Without /name/family, population/residents can answer nothing: keep it, or drop both.",
        ),
    ],
)
def test_narrowing_never_widens_nor_leaves_a_service_without_what_it_needs(remaining, why):
    with pytest.raises(Declined) as declined:
        check_narrowing(frozenset(remaining), parts.record(), parts.TERMS)
    assert declined.value.detail == why


def test_a_required_fact_that_was_never_granted_is_not_asked_for_in_narrowing():
    held = parts.record(granted=frozenset({BORN, TOTAL}))
    check_narrowing(frozenset({BORN}), held, parts.TERMS)


def test_a_consent_whose_agreement_is_gone_keeps_terms_under_which_nothing_is_offered():
    terms = kept_terms(parts.record())
    assert (terms.agreement, terms.revision, terms.agency, terms.purpose) == (
        parts.AGREEMENT,
        parts.REVISION,
        parts.AGENCY,
        parts.PURPOSE,
    )
    assert (terms.offered, terms.asking) == (frozenset(), Asking(0, 0, 0))
    with pytest.raises(Declined):
        check(Choice(frozenset({FACT}), 1, 1), terms)


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
