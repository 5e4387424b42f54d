"""Activity: the reader's own list, page by page, and one page for every entry in it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask_babel import gettext as _
from werkzeug.wrappers import Response

from consent.cases import MAX_TEXT, CaseKind, CaseStore
from consent.offer import Directory
from consent.pages.detail import detail, moment
from consent.pages.frame import Visit
from consent.pages.listing import agencies, days
from consent.pages.seen import NotWhole, Only, Outcome, PeopleLog, Seen
from consent.pages.telling import Teller
from consent.pages.writing import LONGER, TEXT, About, Written, opened, written
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId

_MAX_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Activity:
    """Who saw what: releases, refusals, officers' looks, choices, requests, locks, cases."""

    people: PeopleLog
    directory: Directory
    cases: CaseStore

    def activity(self, visit: Visit) -> Response:
        """GET /activity: the newest entries, or those before a number, of an agency or a kind."""
        only = Only(_agency(visit), _outcome(visit))
        try:
            stretch = self.people.page(visit.person.ref, _before(visit), only)
        except NotWhole:
            return visit.page("activity_broken.html", 500)
        language = visit.language.tag
        return visit.page(
            "activity.html",
            days=days(stretch.entries, Teller(self.directory, language)),
            stretch=stretch,
            recovered=moment(stretch.recovered) if stretch.recovered else None,
            only=only,
            agencies=agencies(self.directory, language),
            outcomes=_outcomes(),
            newest=_address(only, None),
            older=_address(only, stretch.before) if stretch.before else None,
        )

    def activity_entry(self, visit: Visit, number: str) -> Response:
        """GET /activity/{number}: one entry."""
        seen = self._seen(visit, number)
        return visit.page(
            "activity_entry.html", entry=detail(seen, Teller(self.directory, visit.language.tag))
        )

    def evidence_file(self, visit: Visit, number: str) -> Response:
        """GET /activity/{number}/evidence: the file that proves the entry."""
        seen = self._seen(visit, number)
        content = self.people.evidence(visit.person.ref, seen.number)
        if content is None:
            raise _not_there()
        answer = Response(content, content_type="application/json")
        name = f"evidence-{seen.number}.json"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    def report_page(self, visit: Visit, number: str) -> Response:
        """GET /activity/{number}/report: ask what the reader does not recognise."""
        return self._reporting(visit, self._seen(visit, number))

    def report_entry(self, visit: Visit, number: str) -> Response:
        """POST /activity/{number}/report: open a case about the entry."""
        seen = self._seen(visit, number)
        about = About(CaseKind.REPORT, str(seen.index), AgencyId(seen.text("consumer")))
        sent = written(visit.form.take(TEXT, longer=LONGER))
        case = opened(self.cases, visit.person, about, sent)
        if isinstance(case, Written):
            return self._reporting(visit, seen, case, 400)
        return visit.go(f"/cases/{case.id}")

    def _reporting(
        self, visit: Visit, seen: Seen, sent: Written | None = None, status: int = 200
    ) -> Response:
        shown = detail(seen, Teller(self.directory, visit.language.tag))
        return visit.page(
            "activity_report.html", status, entry=shown, sent=sent or Written(), most=MAX_TEXT
        )

    def _seen(self, visit: Visit, number: str) -> Seen:
        found = None
        if number.isascii() and number.isdecimal() and len(number) <= _MAX_DIGITS:
            found = self.people.one(visit.person.ref, int(number))
        if found is None or str(found.number) != number:
            raise _not_there()
        return found


def _not_there() -> Refusal:
    return Refusal(Reason.REQUEST_NOT_FOUND, "There is no entry of this number in this list.")


def _agency(visit: Visit) -> AgencyId | None:
    return AgencyId(text) if (text := visit.asked("agency")) else None


def _outcome(visit: Visit) -> Outcome | None:
    text = visit.asked("outcome")
    return Outcome(text) if text in {one.value for one in Outcome} else None


def _before(visit: Visit) -> int | None:
    text = visit.asked("before")
    whole = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    return int(text) if whole else None


def _address(only: Only, before: int | None) -> str:
    """Return the address of a stretch of the list."""
    parts = {"agency": only.agency, "outcome": only.outcome, "before": before}
    query = urlencode({name: part for name, part in parts.items() if part is not None})
    return f"/activity?{query}" if query else "/activity"


def _outcomes() -> tuple[tuple[Outcome, str], ...]:
    return (
        (Outcome.SHARED, _("Facts that were shared")),
        (Outcome.REFUSED, _("Requests that were refused")),
        (Outcome.LOOKED, _("Looks and downloads")),
        (Outcome.DECIDED, _("Your consents")),
        (Outcome.ASKED, _("Questions to you")),
        (Outcome.LOCKED, _("Locks")),
        (Outcome.CASES, _("Cases")),
    )
