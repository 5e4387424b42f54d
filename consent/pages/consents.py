"""Consents: everything a person allowed, put off or refused, and each with its whole story."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from werkzeug.wrappers import Response

from consent.model import Act, Declined, Happened, Kind, Record, Standing, Terms, Use
from consent.offer import Directory, Fact, Level, Offer, Words
from consent.pages.facts import Office, by_office, facts_of
from consent.pages.form import malformed
from consent.pages.frame import Visit
from consent.pages.matter import means
from consent.pages.wording import Tag, standing_tag
from consent.rules import kept_terms
from consent.store import ConsentStore
from kernel.errors import Reason, Refusal
from kernel.names import ConsentId, ReceiptId

ACTIVE = frozenset({Standing.GIVEN, Standing.SUSPENDED, Standing.NEEDS_RECONFIRMATION})
WAITING = frozenset({Standing.REQUESTED, Standing.DEFERRED})
_Line = TypeVar("_Line")
RENEWABLE = frozenset(
    {Standing.GIVEN, Standing.EXPIRED, Standing.EXHAUSTED, Standing.NEEDS_RECONFIRMATION}
)
STOPPABLE = ACTIVE | {Standing.EXPIRED, Standing.EXHAUSTED}
SHOWS = ("active", "ended", "refused", "all")
MOST_LISTED = 50
"""Lines of one kind on a page: consents, uses, events; the rest is on the next, or in the list of
everything that happened."""
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Held:
    """A record as a page lists it."""

    record: Record
    offer: Offer | None
    standing: Standing
    title: Words
    agency: Words

    @property
    def tag(self) -> Tag:
        """Return what its standing is called."""
        return standing_tag(self.standing)

    @property
    def group(self) -> str:
        """Return under which filter it stands."""
        if self.standing in ACTIVE | WAITING:
            return "active"
        return "refused" if self.standing is Standing.REFUSED else "ended"

    @property
    def terms(self) -> Terms:
        """Return the agreement's terms, or what is left of them."""
        return self.offer.terms if self.offer else kept_terms(self.record)

    @property
    def renewable(self) -> bool:
        """Say whether a new yes may follow without being asked."""
        offer = self.offer
        offered = offer is not None and offer.in_force and not offer.paused and offer.by_consent
        return offered and self.standing in RENEWABLE


@dataclass(frozen=True, slots=True)
class Shelf:
    """Reads a person's records for pages."""

    store: ConsentStore
    directory: Directory

    def all(self, visit: Visit) -> Sequence[Held]:
        """Return the reader's records, the newest first."""
        return [self.held(visit, one) for one in reversed(self.store.records(visit.person.ref))]

    def one(self, visit: Visit, consent: str) -> Held:
        """Return a record of the reader's, or raise `Refusal` also where it is another's."""
        record = self.store.record(visit.person.ref, ConsentId(consent))
        if record is None:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "You have no such consent.")
        return self.held(visit, record)

    def held(self, visit: Visit, record: Record) -> Held:
        """Return a record with its agreement's words and its standing."""
        language = visit.language.tag
        offer = self.directory.offer(record.agreement, language)
        revision = offer.terms.revision if offer and offer.in_force else None
        standing = self.store.standing(record, revision, visit.at)
        title = offer.title if offer else Words(record.agreement, "en")
        agency = self.directory.agency_name(record.agency, language)
        return Held(record, offer, standing, title, agency)

    def facts(self, visit: Visit, held: Held) -> tuple[Fact, ...]:
        """Return what was granted."""
        granted = held.record.granted
        return facts_of(self.directory, held.offer, granted, visit.language.tag)

    def uses(self, visit: Visit, uses: Sequence[Use]) -> Sequence[tuple[Use, Words, Words]]:
        """Return the newest uses, each with who got something and what."""
        language, known = visit.language.tag, self.directory
        return [
            (
                use,
                known.agency_name(use.agency, language),
                known.service_title(use.service, language),
            )
            for use in newest(uses)
        ]

    def act(self, visit: Visit, held: Held, kind: Kind) -> Act:
        """Return an act of the reader about the very consent that a page showed; to stop, it does
        not matter what else became of it meanwhile."""
        record = held.record
        after = None if kind is Kind.WITHDRAW else (record.id, record.epoch)
        return Act(kind, visit.person, held.terms, means(visit), after=after)


@dataclass(frozen=True, slots=True)
class Consents:
    """The list, and the page of one consent."""

    shelf: Shelf

    def consents_page(self, visit: Visit) -> Response:
        """GET /consents: active, ended, refused."""
        asked = visit.asked("show")
        show = asked if asked in SHOWS else "active"
        held = self.shelf.all(visit)
        counts = {name: sum(name in {one.group, "all"} for one in held) for name in SHOWS}
        shown = [one for one in held if show in {one.group, "all"}]
        after = _after(visit)
        until = after + MOST_LISTED
        return visit.page(
            "consents.html",
            held=shown[after:until],
            show=show,
            counts=counts,
            after=after,
            older=until if until < len(shown) else None,
        )

    def consent_page(self, visit: Visit, consent: str) -> Response:
        """GET /consents/{id}: facts, terms, uses, and everything that happened."""
        held = self.shelf.one(visit, consent)
        events = self.shelf.store.events(held.record.id)
        uses = self.shelf.store.uses(held.record.id)
        return visit.page(
            "consent.html",
            held=held,
            offices=self._offices(visit, held),
            events=newest(events),
            happened=len(events),
            uses=self.shelf.uses(visit, uses),
            count=len(uses),
            can_stop=held.standing in STOPPABLE,
            done=_done(events, visit.asked("receipt")),
        )

    def change_consent(self, visit: Visit, consent: str) -> Response:
        """POST /consents/{id}: pause, or go on."""
        held = self.shelf.one(visit, consent)
        kinds = {"pause": Kind.SUSPEND, "resume": Kind.RESUME}
        if (kind := kinds.get(visit.form.take("act").one("act"))) is None:
            raise malformed("The form holds nothing that the page offers.")
        page = f"/consents/{held.record.id}"
        level = held.offer.level if held.offer else Level.SUBSTANTIAL
        if kind is Kind.RESUME and not visit.allows(level):
            return visit.sign_in(level, page)
        try:
            done = self.shelf.store.carry_out(self.shelf.act(visit, held, kind))
        except Declined:  # done already, a moment ago
            return visit.go(page)
        return visit.go(f"{page}?receipt={done.receipt}")

    def _offices(self, visit: Visit, held: Held) -> tuple[Office, ...]:
        return by_office(self.shelf.facts(visit, held))


def newest(lines: Sequence[_Line]) -> Sequence[_Line]:
    """Return the newest of lines that stand in the order in which they happened."""
    return lines[: -MOST_LISTED - 1 : -1]


def _after(visit: Visit) -> int:
    """Return how many consents the pages before this one listed."""
    text = visit.asked("after")
    whole = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    return int(text) if whole else 0


def _done(events: Sequence[Happened], receipt: str) -> Happened | None:
    """Return what was done just now, if the address names it and nothing happened since."""
    last = events[-1] if events else None
    return last if last is not None and last.receipt == ReceiptId(receipt) else None
