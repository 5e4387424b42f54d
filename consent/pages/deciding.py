"""Deciding: yes to all, choose, check the answers, confirm; no page of it changes anything alone.

What was chosen stands in the address of the page that checks it, so signing in once more, a lost
session or a way back never make anybody choose again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from flask_babel import gettext as _
from werkzeug.wrappers import Response

from consent.model import Acknowledgement, Act, Declined, Kind, Overtaken
from consent.pages.facts import EVERYTHING, Picked, Span, by_office, lacking, picked
from consent.pages.frame import Visit
from consent.pages.matter import Matter
from kernel.clock import SECOND, Micros
from kernel.errors import Reason, Refusal

DAY = 86_400 * SECOND
Errors = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Deciding:
    """The steps from a question to an answer, the same for a request and for a renewal."""

    carry_out: Callable[[Act], Acknowledgement]

    def choose_page(self, visit: Visit, matter: Matter) -> Response:
        """Show each fact with a box that nobody ticked."""
        self._must_wait(visit, matter)
        return self._choosing(visit, matter, [], (), "")

    def chosen(self, visit: Visit, matter: Matter) -> Response:
        """Go on to the check, or say what is missing."""
        self._must_wait(visit, matter)
        taken = visit.form.take("span", many=("fact",))
        names = {str(place): place for place in range(len(matter.facts))}
        given, span = taken.all("fact"), taken.one("span")
        if not {*given} <= names.keys() or span not in {"", *Span}:
            raise Refusal(Reason.REQUEST_MALFORMED, "The form names what the page does not offer.")
        places = tuple(sorted({names[one] for one in given}))
        if errors := _missing(matter, places, span):
            return self._choosing(visit, matter, errors, places, span)
        return visit.go(f"{matter.base}/check/{Picked(places, Span(span)).code}")

    def check_page(self, visit: Visit, matter: Matter, code: str) -> Response:
        """Show what a yes would say, before it is said."""
        self._must_wait(visit, matter)
        return self._checking(visit, matter, code, changed=False)

    def confirmed(
        self, visit: Visit, matter: Matter, code: str
    ) -> Acknowledgement | Response | None:
        """Say yes to what the reader checked; or sign them in once more first, or show the page
        again where it says something else by now. None: another answer came first."""
        seen = visit.form.take("notice", "version")
        choice = self._picked(matter, code)
        if not visit.allows(matter.offer.level):
            return visit.sign_in(matter.offer.level, f"{matter.base}/check/{code}")
        if seen.one("notice") != matter.offer.notice.digest:
            return self._checking(visit, matter, code, changed=True)
        if seen.one("version") != matter.version:  # the places name other facts by now
            return None
        try:
            return self.carry_out(matter.act(Kind.GIVE, visit, choice))
        except Overtaken:  # the same form was sent twice, or the answer was given elsewhere
            return None

    def said(self, visit: Visit, matter: Matter, kind: Kind, seen: str) -> None:
        """Say no, or later; once is enough. A no is kept with the notice that was seen; it counts
        as well where the text is another by now."""
        act = matter.act(kind, visit)
        if seen != matter.offer.notice.digest:
            act = replace(act, notice=None)
        try:
            self.carry_out(act)
        except Declined:  # said already, a moment ago
            return

    def _must_wait(self, visit: Visit, matter: Matter) -> None:
        if not matter.waits(visit.at):
            raise Refusal(Reason.REQUEST_NOT_FOUND, "Nobody waits for an answer here any more.")

    def _picked(self, matter: Matter, code: str) -> Picked:
        if (choice := picked(code, matter.facts)) is None:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is no such choice.")
        return choice

    def _choosing(
        self, visit: Visit, matter: Matter, errors: Errors, places: tuple[int, ...], span: str
    ) -> Response:
        return visit.page(
            "choose.html",
            400 if errors else 200,
            matter=matter,
            required=matter.offer.terms.required,
            errors=errors,
            places=places,
            span=span,
            ends=_ends(matter, visit.at),
        )

    def _checking(self, visit: Visit, matter: Matter, code: str, *, changed: bool) -> Response:
        choice = self._picked(matter, code)
        terms = choice.choice(matter.facts, matter.offer.terms)
        return visit.page(
            "check.html",
            409 if changed else 200,
            matter=matter,
            offices=by_office(matter.facts[place] for place in choice.places),
            left=matter.left(terms.granted),
            choice=terms,
            until=Micros(visit.at + terms.valid_days * DAY),
            everything=code == EVERYTHING,
            code=code,
            changed=changed,
            enough=visit.allows(matter.offer.level),
        )


def _missing(matter: Matter, places: tuple[int, ...], span: str) -> Errors:
    errors: Errors = []
    if not places:
        errors.append((_("Choose at least one fact. Or go back and say no."), "fact-0"))
    for place in lacking(matter.facts, places, matter.offer.terms.required):
        fact = matter.facts[place]
        asked = (fact.question or fact.title).text
        text = _("This office answers nothing without “%(fact)s”. Choose it too.", fact=asked)
        errors.append((text, f"fact-{place}"))
    if not span:
        errors.append((_("Choose for how long."), "span-full"))
    return errors


def _ends(matter: Matter, at: Micros) -> Micros:
    return Micros(at + matter.offer.terms.max_valid_days * DAY)
