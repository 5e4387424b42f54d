"""The demo has two hundred residents; a country of tests has more, and says when they are out."""

import itertools
from types import SimpleNamespace

import pytest

from gateway.demo.sources.residents import COUNT, make
from tests.country import PEOPLE, RunningCountry


def test_the_demo_has_two_hundred_residents_and_a_larger_country_begins_with_them():
    demo, larger = make("causeway"), make("causeway", PEOPLE)
    assert len(demo) == COUNT == 200
    assert len(larger) == PEOPLE
    assert larger[:COUNT] == demo
    numbers = [one.number for person in larger for one in (person, *person.children)]
    assert len(set(numbers)) == len(numbers)


def test_a_country_whose_residents_are_all_taken_says_so():
    country = SimpleNamespace(sources=SimpleNamespace(people=make("causeway", 3)))
    held = RunningCountry(country, None, taken=itertools.count(2))
    assert held.resident().number
    with pytest.raises(AssertionError, match="all 3 residents are taken"):
        held.resident()
