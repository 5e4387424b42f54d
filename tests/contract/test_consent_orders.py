"""What an authority orders, in the store: who may set which block, and whose consents stand."""

from dataclasses import replace

import pytest

from consent.blocks import BlockKind, Order
from consent.model import Declined, Kind
from kernel.entry import EntryType
from kernel.names import AgreementId, ConsentId
from tests.contract import ledger_stage as stage
from tests.contract.consent_office import Office
from tests.unit.consent import parts

NONE = ConsentId("")


@pytest.fixture
def clock():
    return stage.Set()


@pytest.fixture
def office(place, clock):
    with stage.Stage(place, clock=clock).open() as log:
        yield Office(log)


def order(kind=BlockKind.COURT, reason="Order 7/26.", *, lift=False):
    return Order(kind, "o-1", reason, lift)


def test_an_order_adds_to_the_blocks_and_lifts_one_alone(office):
    office.store.lock(parts.AMINA, parts.PAGE)
    first = office.store.ordered(parts.AMINA, order())
    office.store.ordered(parts.AMINA, order(BlockKind.PROTECTED))
    assert office.store.blocks(parts.REF) == {"self", "court", "protected"}
    lifted = office.store.ordered(parts.AMINA, order(lift=True))
    assert office.store.blocks(parts.REF) == {"self", "protected"}
    assert lifted.index > first.index
    assert office.log.ledger.entry(first.index)


@pytest.mark.parametrize("lift", [False, True])
def test_the_persons_own_lock_is_not_an_authoritys(office, lift):
    if lift:
        office.store.lock(parts.AMINA, parts.PAGE)
    size = office.log.ledger.size
    with pytest.raises(Declined, match=r"."):
        office.store.ordered(parts.AMINA, order(BlockKind.SELF, lift=lift))
    assert office.log.ledger.size == size


@pytest.mark.parametrize("reason", ["", " \n", "x" * 501, "a\u202eb"])
def test_an_order_without_a_reason_that_can_be_kept_is_none(office, reason):
    with pytest.raises(Declined):
        office.store.ordered(parts.AMINA, order(reason=reason))
    assert office.store.blocks(parts.REF) == frozenset()


def test_an_order_given_twice_is_declined_the_second_time(office):
    with pytest.raises(Declined):
        office.store.ordered(parts.AMINA, order(lift=True))
    office.store.ordered(parts.AMINA, order())
    with pytest.raises(Declined):
        office.store.ordered(parts.AMINA, order())


def test_consents_that_stand_are_found_page_by_page_whosever_they_are(office, clock):
    people = [replace(parts.AMINA, ref=stage.SubjectRef(f"{n:032x}")) for n in range(7)]
    given = [office.act(replace(parts.giving(days=30), person=one)).consent for one in people]
    office.act(replace(parts.saying(Kind.SUSPEND), person=people[0]))
    office.act(replace(parts.giving(days=30), person=people[1]))
    office.act(replace(parts.withdrawing(), person=people[2]))
    office.act(replace(parts.saying(Kind.INVALIDATE), person=people[3]))
    office.act(replace(parts.refusing(), person=parts.AMINA))
    meals = replace(parts.TERMS, agreement=AgreementId("school-meals"))
    office.act(replace(parts.giving(terms=meals), person=people[2]))
    standing = sorted({*given} - {given[2], given[3]})

    found, after = [], NONE
    while page := office.store.under(parts.AGREEMENT, after, 2):
        assert len(page) <= 2
        after = page[-1].id
        found += [one.id for one in page]
    assert found == standing
    assert office.store.count_under(parts.AGREEMENT) == len(standing)

    clock.at += 31 * parts.DAY
    assert office.store.under(parts.AGREEMENT, NONE, 9) == []
    assert office.store.count_under(parts.AGREEMENT) == 0
    assert office.store.ever_under(parts.AGREEMENT)
    assert not office.store.ever_under(AgreementId("nothing"))


@pytest.mark.parametrize("reason", ["", "x" * 501, "a\x07b"])
def test_an_authority_acts_only_with_a_reason_that_can_be_kept(office, reason):
    office.act(parts.giving())
    with pytest.raises(Declined):
        office.act(replace(parts.saying(Kind.INVALIDATE), reason=reason))
    with pytest.raises(Declined, match=r"."):
        office.act(replace(parts.saying(Kind.INVALIDATE), reason=None))
    with pytest.raises(Declined):
        office.act(replace(parts.withdrawing(), reason="Because."))
    assert office.act(parts.saying(Kind.INVALIDATE)).state == "ConsentInvalidated"
    assert EntryType.CONSENT_INVALIDATED in {
        one.type for one in office.store.events(office.store.records(parts.REF)[0].id)
    }
