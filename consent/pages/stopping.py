"""Stopping: a person takes a consent back, or a part of it; never harder than giving it was."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask_babel import gettext as _
from werkzeug.wrappers import Response

from consent.model import Choice, Declined, Grant, Kind, State
from consent.offer import Fact
from consent.pages.consents import STOPPABLE, Held, Shelf
from consent.pages.facts import by_office, lacking
from consent.pages.frame import Visit
from kernel.errors import Reason, Refusal

_STOPPED = frozenset({State.WITHDRAWN, State.REVOKED, State.INVALIDATED})


@dataclass(frozen=True, slots=True)
class Stopping:
    """The pages that take something back."""

    shelf: Shelf

    def stop_page(self, visit: Visit, consent: str) -> Response:
        """GET /consents/{id}/stop: what stopping means, before it is done."""
        held = self.shelf.one(visit, consent)
        if held.record.state in _STOPPED:
            return visit.go(_stopped(held))
        self._stands(held)
        uses = self.shelf.store.uses(held.record.id)
        return visit.page("stop.html", held=held, count=len(uses))

    def stop(self, visit: Visit, consent: str) -> Response:
        """POST /consents/{id}/stop: from the acknowledgement on nothing leaves under it (P2)."""
        held = self.shelf.one(visit, consent)
        visit.form.take()
        if held.record.state not in _STOPPED:
            self._stands(held)
            try:
                self.shelf.store.carry_out(self.shelf.act(visit, held, Kind.WITHDRAW))
            except Declined:  # stopped already, a moment ago
                return visit.go(_stopped(held))
        return visit.go(_stopped(held))

    def stopped_page(self, visit: Visit, consent: str) -> Response:
        """GET /consents/{id}/stopped: since when, and every use before that."""
        held = self.shelf.one(visit, consent)
        if held.record.state not in _STOPPED:
            return visit.go(f"/consents/{held.record.id}")
        uses = self.shelf.store.uses(held.record.id)
        events = self.shelf.store.events(held.record.id)
        return visit.page(
            "stopped.html",
            held=held,
            event=next(one for one in reversed(events) if one.state in _STOPPED),
            uses=self.shelf.uses(visit, uses),
            count=len(uses),
        )

    def narrow_page(self, visit: Visit, consent: str) -> Response:
        """GET /consents/{id}/narrow: each shared fact, to be kept or taken away."""
        held = self.shelf.one(visit, consent)
        self._stands(held)
        return self._narrowing(visit, held, [], ())

    def narrow(self, visit: Visit, consent: str) -> Response:
        """POST /consents/{id}/narrow: what was ticked is taken away, at once."""
        held = self.shelf.one(visit, consent)
        taken = visit.form.take(many=("fact",)).all("fact")
        self._stands(held)
        facts = self.shelf.facts(visit, held)
        names = {"#".join(fact.grant): place for place, fact in enumerate(facts)}
        page = f"/consents/{held.record.id}"
        if not {*taken} <= names.keys():  # taken away already, a moment ago
            return visit.go(page)
        away = tuple(sorted(names[one] for one in {*taken}))
        keep = [place for place in range(len(facts)) if place not in away]
        errors = _wrong(facts, away, keep, held.terms.required)
        if errors:
            return self._narrowing(visit, held, errors, away)
        act = self.shelf.act(visit, held, Kind.NARROW)
        choice = Choice(frozenset(facts[place].grant for place in keep), 0, None)
        try:
            done = self.shelf.store.carry_out(replace(act, choice=choice))
        except Declined:  # done already, a moment ago
            return visit.go(page)
        return visit.go(f"{page}?receipt={done.receipt}")

    def _narrowing(
        self, visit: Visit, held: Held, errors: list[tuple[str, str]], away: tuple[int, ...]
    ) -> Response:
        facts = self.shelf.facts(visit, held)
        return visit.page(
            "narrow.html",
            400 if errors else 200,
            held=held,
            offices=by_office(facts),
            places={fact.grant: place for place, fact in enumerate(facts)},
            required=held.terms.required,
            errors=errors,
            away=away,
        )

    def _stands(self, held: Held) -> None:
        if held.standing not in STOPPABLE:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is no consent that stands.")


def _stopped(held: Held) -> str:
    return f"/consents/{held.record.id}/stopped"


def _wrong(
    facts: Sequence[Fact], away: Sequence[int], keep: Sequence[int], required: frozenset[Grant]
) -> list[tuple[str, str]]:
    """Return what keeps a person from taking these facts away."""
    if not away:
        return [(_("Tick what you want to take away."), "fact-0")]
    if not keep:
        return [(_("To take everything away, stop the consent instead."), "fact-0")]
    errors = []
    for place in lacking(facts, keep, required):
        asked = (facts[place].question or facts[place].title).text
        text = _(
            "Without “%(fact)s” this office answers nothing. Keep it, or drop all.", fact=asked
        )
        errors.append((text, f"fact-{place}"))
    return errors
