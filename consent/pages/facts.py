"""Facts as a page shows them: grouped by the office that holds them, chosen one by one."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from consent.model import Choice, Grant, Terms
from consent.offer import Directory, Fact, Offer, Words

_CODE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){0,159})-(full|month|once)")
EVERYTHING = "all"
A_MONTH = 30


@dataclass(frozen=True, slots=True)
class Office:
    """An office that would answer, and what it would be asked."""

    name: Words
    facts: tuple[Fact, ...]


def by_office(facts: Iterable[Fact]) -> tuple[Office, ...]:
    """Return the facts by the office that holds them, in their order."""
    held: dict[str, list[Fact]] = {}
    for fact in facts:
        held.setdefault(fact.provider_name.text, []).append(fact)
    return tuple(Office(told[0].provider_name, tuple(told)) for told in held.values())


def facts_of(
    directory: Directory, offer: Offer | None, grants: frozenset[Grant], language: str
) -> tuple[Fact, ...]:
    """Return granted facts in the words of the offer, or of the catalogue where it has them no
    longer."""
    offered = {fact.grant: fact for fact in offer.facts} if offer else {}
    gone = [_gone(directory, grant, language) for grant in sorted(grants - offered.keys())]
    return (*(fact for grant, fact in offered.items() if grant in grants), *gone)


def _gone(directory: Directory, grant: Grant, language: str) -> Fact:
    service, field = grant
    return Fact(
        grant=grant,
        title=directory.fact_title(service, field, language),
        question=None,
        answer=None,
        optional=True,
        about=directory.about(service, field),
        provider=directory.provider(service),
        provider_name=directory.agency_name(directory.provider(service), language),
    )


class Span(StrEnum):
    """For how long a person allows something."""

    FULL = "full"
    MONTH = "month"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class Picked:
    """Which of the facts on a page a person picked, and for how long."""

    places: tuple[int, ...]
    span: Span

    @property
    def code(self) -> str:
        """Return the part of an address that says so; the way back keeps it."""
        return f"{'.'.join(map(str, self.places))}-{self.span.value}"

    def choice(self, facts: Sequence[Fact], terms: Terms) -> Choice:
        """Return what that allows under the terms."""
        granted = frozenset(facts[place].grant for place in self.places)
        if self.span is Span.FULL:
            return Choice(granted, terms.max_valid_days, terms.max_uses)
        days = min(A_MONTH, terms.max_valid_days)
        return Choice(granted, days, 1 if self.span is Span.ONCE else terms.max_uses)


def picked(code: str, facts: Sequence[Fact]) -> Picked | None:
    """Return what an address says was picked, or None where it cannot be that."""
    if code == EVERYTHING:
        return Picked(tuple(range(len(facts))), Span.FULL)
    if (match := _CODE.fullmatch(code)) is None:
        return None
    places = tuple(int(place) for place in match[1].split("."))
    found = Picked(places, Span(match[2]))
    if list(places) != sorted({*places}) or places[-1] >= len(facts) or found.code != code:
        return None
    return found


def lacking(facts: Sequence[Fact], places: Sequence[int], required: frozenset[Grant]) -> list[int]:
    """Return the places of what was left out although an office answers nothing without it."""
    services = {facts[place].grant[0] for place in places}
    return [
        place
        for place, fact in enumerate(facts)
        if fact.grant in required and fact.grant[0] in services and place not in places
    ]
