"""Listing: a stretch of a person's list as rows by day, a decision folded into its outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from consent.offer import Directory, Words
from consent.pages.detail import moment_of
from consent.pages.seen import Seen
from consent.pages.telling import Teller, tag
from consent.pages.wording import Tag
from kernel.clock import SECOND, Micros
from kernel.entry import EntryType
from kernel.names import AgencyId

DAY = 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    number: int
    at: Micros
    sentence: str
    tag: Tag
    decision: int | None
    """The number of the decision that came before this outcome, which needs no line of its own."""


@dataclass(frozen=True, slots=True)
class Day:
    """The lines of one day (UTC), newest first."""

    at: Micros
    rows: tuple[Row, ...]


def days(entries: Sequence[Seen], teller: Teller) -> tuple[Day, ...]:
    """Return entries, newest first, as lines by day; every entry stands in one of them."""
    decisions = {
        seen.text("exchange"): seen.number
        for seen in entries
        if seen.type is EntryType.EXCHANGE_DECISION
    }
    ended = {
        seen.text("exchange")
        for seen in entries
        if seen.type in {EntryType.EXCHANGE_RELEASE, EntryType.EXCHANGE_REFUSAL}
    }
    rows = [
        Row(
            number=seen.number,
            at=moment_of(seen),
            sentence=teller.sentence(seen),
            tag=tag(seen),
            decision=None
            if seen.type is EntryType.EXCHANGE_DECISION
            else decisions.get(seen.text("exchange") or "-"),
        )
        for seen in entries
        if not (seen.type is EntryType.EXCHANGE_DECISION and seen.text("exchange") in ended)
    ]
    return tuple(
        Day(Micros(day * DAY), tuple(lines))
        for day, lines in groupby(rows, key=lambda row: row.at // DAY)
    )


def agencies(directory: Directory, language: str) -> tuple[tuple[AgencyId, Words], ...]:
    """Return the agencies that may ask about people, by name."""
    found = {offer.terms.agency: offer.agency_name for offer in directory.offers(language)}
    return tuple(sorted(found.items(), key=lambda item: item[1].text))
