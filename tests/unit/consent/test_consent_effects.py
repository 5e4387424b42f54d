"""The effect of a release: blocks and consent are checked once more, and the use is counted."""

from dataclasses import replace

import pytest

from consent.effects import used
from consent.model import State
from consent.rows import block_key, record_writes
from kernel.effect import Key
from kernel.errors import Exact, Reason, Refusal
from kernel.names import SubjectRef
from tests.unit.consent import parts

UNTIL = parts.START + 30 * parts.DAY


def holding(**changes):
    """Return tables that hold one record."""
    tables = parts.Tables()
    tables.put(record_writes(parts.record(**changes)))
    return tables


def refused(tables, release, at=parts.START):
    """Return the exact reason for which a release is refused, having changed nothing."""
    before = dict(tables.rows)
    with pytest.raises(Refusal) as refusal:
        tables.commit(used(release), at)
    assert refusal.value.reason is Reason.SUBJECT_NOT_RELEASED
    assert tables.rows == before
    return refusal.value.exact


def block(tables, kinds, ref=parts.REF):
    tables.rows[block_key(ref)] = {"subject_ref": ref, "kinds": kinds, "since": parts.START}


def test_a_release_counts_its_use_and_keeps_it_with_its_place():
    tables = holding()
    index = tables.commit(used(parts.release(7)), parts.START + 5)
    assert tables.table("consent_count") == [
        {"consent": "co_1", "service": parts.RESIDENTS, "term": 1, "uses": 1}
    ]
    assert tables.table("consent_use") == [
        {
            "exchange": "ex_7",
            "consent": "co_1",
            "service": parts.RESIDENTS,
            "agency": parts.AGENCY,
            "at": parts.START + 5,
            "index": index,
        }
    ]


def test_the_second_use_of_a_one_time_consent_sees_the_first():
    tables = holding(use_limit=1)
    tables.commit(used(parts.release(1)))
    assert refused(tables, parts.release(2)) is Exact.CONSENT_EXHAUSTED
    assert [row["exchange"] for row in tables.table("consent_use")] == ["ex_1"]


def test_uses_are_counted_for_each_service_by_itself():
    tables = holding(use_limit=1)
    tables.commit(used(parts.release(1)))
    tables.commit(used(parts.release(2, parts.TOTAL, service=parts.INCOME)))
    assert {row["service"]: row["uses"] for row in tables.table("consent_count")} == {
        parts.RESIDENTS: 1,
        parts.INCOME: 1,
    }


def test_a_renewed_term_counts_its_uses_anew():
    tables = holding(use_limit=1)
    tables.commit(used(parts.release(1)))
    tables.act(parts.giving(uses=2))
    tables.commit(used(parts.release(2)))
    tables.commit(used(parts.release(3)))
    assert refused(tables, parts.release(4)) is Exact.CONSENT_EXHAUSTED
    assert tables.table("consent_count") == [
        {"consent": "co_1", "service": parts.RESIDENTS, "term": 2, "uses": 2}
    ]


@pytest.mark.parametrize(
    ("state", "exact"),
    [
        (State.WITHDRAWN, Exact.CONSENT_WITHDRAWN),
        (State.REVOKED, Exact.CONSENT_WITHDRAWN),
        (State.INVALIDATED, Exact.CONSENT_WITHDRAWN),
        (State.REFUSED, Exact.CONSENT_REFUSED),
        (State.SUSPENDED, Exact.CONSENT_SUSPENDED),
        (State.REQUESTED, Exact.CONSENT_ABSENT),
        (State.DEFERRED, Exact.CONSENT_ABSENT),
    ],
)
def test_a_release_after_a_no_is_refused_in_the_same_commit(state, exact):
    assert refused(holding(state=state), parts.release()) is exact


def test_a_release_without_its_record_is_refused():
    assert refused(parts.Tables(), parts.release()) is Exact.CONSENT_ABSENT


def test_a_release_under_another_revision_is_refused():
    assert refused(holding(), parts.release(revision=parts.OTHER_REVISION)) is Exact.CONSENT_ABSENT


@pytest.mark.parametrize(("at", "passes"), [(UNTIL - 1, True), (UNTIL, False)])
def test_validity_is_that_of_the_entrys_own_time(at, passes):
    tables = holding()
    if passes:
        tables.commit(used(parts.release()), at)
    else:
        assert refused(tables, parts.release(), at) is Exact.CONSENT_EXPIRED


def test_a_field_that_is_not_granted_refuses_the_whole():
    tables = holding(granted=frozenset({(parts.RESIDENTS, parts.FAMILY)}))
    tables.commit(used(parts.release(1, parts.FAMILY)))
    both = parts.release(2, parts.FAMILY, parts.BORN)
    assert refused(tables, both) is Exact.CONSENT_FIELD


def test_a_grant_to_one_service_is_none_to_another():
    tables = holding(granted=frozenset({(parts.RESIDENTS, parts.FAMILY)}))
    other = parts.release(1, parts.FAMILY, service=parts.INCOME)
    assert refused(tables, other) is Exact.CONSENT_FIELD


@pytest.mark.parametrize("kinds", ["self", "court", "court protected self"])
def test_a_block_of_any_kind_stands_before_consent(kinds):
    tables = holding(state=State.WITHDRAWN)
    block(tables, kinds)
    assert refused(tables, parts.release()) is Exact.SUBJECT_BLOCKED


@pytest.mark.parametrize("consent", [parts.release().consent, None], ids=["consent", "law"])
def test_a_block_of_somebody_whom_the_answer_names_refuses_it_and_does_not_say_whose(consent):
    tables, other = holding(), SubjectRef("0" * 32)
    release = replace(parts.release(), consent=consent, others=(other,))
    block(tables, "protected", other)
    assert refused(tables, release) is None
    block(tables, "court")
    assert refused(tables, release) is Exact.SUBJECT_BLOCKED
    block(tables, "")
    block(tables, "", other)
    tables.commit(used(release))


def test_once_the_last_block_is_lifted_nothing_stands_before_consent():
    tables = holding()
    block(tables, "")
    tables.commit(used(parts.release()))
    assert len(tables.table("consent_use")) == 1


def test_a_release_by_law_looks_at_blocks_alone_and_counts_nothing():
    tables = parts.Tables()
    effect = used(parts.release(consent=None))
    assert effect.reads == (block_key(parts.REF),)
    tables.commit(effect)
    assert tables.rows == {}
    block(tables, "self")
    assert refused(tables, parts.release(consent=None)) is Exact.SUBJECT_BLOCKED


def test_a_count_that_holds_no_number_is_refused_not_guessed():
    tables = holding(use_limit=1)
    tables.rows[Key("consent_count", ("co_1", parts.RESIDENTS))] = {"term": 1, "uses": "many"}
    with pytest.raises(TypeError, match="text where a number belongs"):
        tables.commit(used(parts.release()))
    assert tables.table("consent_use") == []
