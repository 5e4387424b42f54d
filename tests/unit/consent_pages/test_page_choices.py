"""What a person chose stands in an address; no other spelling of a choice is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.model import Asking, Terms
from consent.offer import Fact, Words
from consent.pages.facts import Picked, Span, by_office, lacking, picked
from kernel.names import AgencyId, AgreementId, Pointer, Revision, ServiceId

COUNT = 5


def fact(place: int) -> Fact:
    service = ServiceId("tax/income" if place < 2 else "population/residents")
    office = "Tax" if place < 2 else "Population"
    return Fact(
        grant=(service, Pointer(f"/field/{place}")),
        title=Words(f"Field {place}", "en"),
        question=None,
        answer=None,
        optional=place % 2 == 1,
        about="subject",
        provider=AgencyId(office.lower()),
        provider_name=Words(office, "en"),
    )


FACTS = tuple(fact(place) for place in range(COUNT))
REQUIRED = frozenset(one.grant for one in FACTS if not one.optional)


def terms(days: int = 365, uses: int | None = None) -> Terms:
    return Terms(
        agreement=AgreementId("a"),
        revision=Revision("0" * 64),
        agency=AgencyId("asker"),
        purpose="dpv:ServiceProvision",
        offered=frozenset(one.grant for one in FACTS),
        required=REQUIRED,
        max_valid_days=days,
        max_uses=uses,
        asking=Asking(14, 30, 100),
    )


@given(st.sets(st.integers(0, COUNT - 1), min_size=1), st.sampled_from(Span))
def test_an_address_gives_back_what_was_chosen(places: set[int], span: Span):
    chosen = Picked(tuple(sorted(places)), span)
    assert picked(chosen.code, FACTS) == chosen
    granted = chosen.choice(FACTS, terms()).granted
    assert granted == {FACTS[place].grant for place in places}


@given(st.text(max_size=20))
def test_no_other_text_is_a_choice_beyond_the_facts(code: str):
    found = picked(code, FACTS)
    assert found is None or (found.places and found.places[-1] < COUNT)
    assert found is None or code in {found.code, "all"}


@pytest.mark.parametrize(
    "code", ["1.0-full", "0.0-full", "00-full", "5-full", "٣-full", "0-full\n"]
)
def test_a_choice_has_one_spelling(code: str):
    assert picked(code, FACTS) is None


def test_all_is_everything_for_the_whole_time():
    chosen = picked("all", FACTS)
    assert chosen is not None
    choice = chosen.choice(FACTS, terms(365, 7))
    assert choice.granted == {one.grant for one in FACTS}
    assert (choice.valid_days, choice.uses) == (365, 7)


def test_once_is_one_use_within_a_month_at_most():
    assert Picked((0,), Span.ONCE).choice(FACTS, terms(365)).uses == 1
    assert Picked((0,), Span.ONCE).choice(FACTS, terms(365)).valid_days == 30
    assert Picked((0,), Span.MONTH).choice(FACTS, terms(10, 3)).valid_days == 10
    assert Picked((0,), Span.MONTH).choice(FACTS, terms(10, 3)).uses == 3


def test_what_an_office_cannot_answer_without_is_named():
    assert lacking(FACTS, (1,), REQUIRED) == [0]
    assert lacking(FACTS, (0, 1), REQUIRED) == []
    assert lacking(FACTS, (3,), REQUIRED) == [2, 4]
    assert lacking(FACTS, (), REQUIRED) == []


def test_facts_stand_under_the_office_that_holds_them():
    offices = by_office(FACTS)
    assert [(one.name.text, len(one.facts)) for one in offices] == [("Tax", 2), ("Population", 3)]
