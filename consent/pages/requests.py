"""Requests: an office asks a person, who says yes, chooses, says no, or decides later."""

from dataclasses import dataclass

from werkzeug.wrappers import Response

from consent.model import Happened, Kind, RequestState
from consent.offer import Directory
from consent.pages.deciding import DAY, Deciding
from consent.pages.facts import EVERYTHING, by_office, facts_of
from consent.pages.form import malformed
from consent.pages.frame import Visit
from consent.pages.matter import Matter
from consent.pages.ports import OpenText
from consent.store import ConsentStore
from kernel.clock import Micros
from kernel.entry import EntryType
from kernel.errors import Reason, Refusal
from kernel.names import RequestId

_ANSWERS = frozenset(
    {EntryType.CONSENT_GIVEN, EntryType.CONSENT_RENEWED, EntryType.CONSENT_REFUSED}
)


@dataclass(frozen=True, slots=True)
class Requests:
    """The pages of one request."""

    store: ConsentStore
    directory: Directory
    deciding: Deciding
    open_text: OpenText

    def request_page(self, visit: Visit, request: str) -> Response:
        """GET /requests/{id}: who asks, why, what, until when, and what a no means."""
        matter = self._matter(visit, request)
        if not _is_open(matter):
            return visit.go(f"{matter.base}/answered")
        terms = matter.offer.terms
        ends = Micros(visit.at + terms.max_valid_days * DAY)
        return visit.page("request.html", matter=matter, ends=ends, case=self._case(matter))

    def answer_request(self, visit: Visit, request: str) -> Response:
        """POST /requests/{id}: yes to all, choose, no, or later."""
        matter = self._matter(visit, request)
        taken = visit.form.take("answer", "notice")
        answer = taken.one("answer")
        if answer not in {"yes", "choose", "no", "later"}:
            raise malformed("The form holds no answer that the page offers.")
        if not _is_open(matter):
            return visit.go(f"{matter.base}/answered")
        if matter.offer.paused and answer in {"yes", "choose"}:
            return visit.go(matter.base)
        if answer == "yes":
            return visit.go(f"{matter.base}/check/{EVERYTHING}")
        if answer == "choose":
            return visit.go(f"{matter.base}/choose")
        kind = Kind.REFUSE if answer == "no" else Kind.DEFER
        self.deciding.said(visit, matter, kind, taken.one("notice"))
        return visit.go("/home" if answer == "later" else f"{matter.base}/answered")

    def choose_page(self, visit: Visit, request: str) -> Response:
        """GET /requests/{id}/choose: fact by fact."""
        matter = self._matter(visit, request)
        if matter.offer.paused:
            return visit.go(matter.base)
        return self.deciding.choose_page(visit, matter)

    def choose(self, visit: Visit, request: str) -> Response:
        """POST /requests/{id}/choose: on to the check."""
        matter = self._matter(visit, request)
        if matter.offer.paused:
            return visit.go(matter.base)
        return self.deciding.chosen(visit, matter)

    def check_page(self, visit: Visit, request: str, choice: str) -> Response:
        """GET /requests/{id}/check/{choice}: what a yes would say."""
        matter = self._matter(visit, request)
        if not matter.waits(visit.at):
            return visit.go(f"{matter.base}/answered")
        return self.deciding.check_page(visit, matter, choice)

    def give(self, visit: Visit, request: str, choice: str) -> Response:
        """POST /requests/{id}/check/{choice}: yes, once."""
        matter = self._matter(visit, request)
        if matter.waits(visit.at):
            told = self.deciding.confirmed(visit, matter, choice)
            if isinstance(told, Response):
                return told
        return visit.go(f"{matter.base}/answered")

    def answered_page(self, visit: Visit, request: str) -> Response:
        """GET /requests/{id}/answered: what was said, with the receipt and the way back."""
        matter = self._matter(visit, request)
        if _is_open(matter):
            return visit.go(matter.base)
        event = self._answer(matter)
        if event is None:
            return visit.page("request_over.html", matter=matter)
        no = event.type == EntryType.CONSENT_REFUSED
        if not no and self.store.superseded(event):  # a yes that was stopped, cut or renewed since
            return visit.go(f"/consents/{event.consent}")
        language = visit.language.tag
        shared = facts_of(self.directory, matter.offer, event.granted, language)
        return visit.page(
            "answered.html",
            matter=matter,
            event=event,
            yes=not no,
            offices=by_office(shared),
            again=no and matter.waits(visit.at),
            back=self._way_back(matter),
        )

    def _matter(self, visit: Visit, request: str) -> Matter:
        found = self.store.request(RequestId(request))
        if found is None or found.subject_ref != visit.person.ref:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "You have no such request.")
        offer = self.directory.offer(found.agreement, visit.language.tag)
        if offer is None:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "What was asked for is not offered any more.")
        return Matter(
            base=f"/requests/{found.id}",
            offer=offer,
            facts=tuple(fact for fact in offer.facts if fact.grant in found.fields),
            record=self.store.record(visit.person.ref, found.consent),
            request=found,
        )

    def _case(self, matter: Matter) -> str | None:
        """Return the office's own number of the case that it asks for, where it named one."""
        request = matter.request
        if request is None or request.case is None:
            return None
        return self.open_text(request.case, request.subject_ref)

    def _answer(self, matter: Matter) -> Happened | None:
        """Return the event that answered the request, None where it ended without one."""
        request = matter.request
        if request is None or request.state is not RequestState.ANSWERED:
            return None
        answers = (
            one
            for one in reversed(self.store.events(request.consent))
            if one.type in _ANSWERS and request.opened <= one.time < request.expires
        )
        return next(answers, None)

    def _way_back(self, matter: Matter) -> str | None:
        """Return the application's own address, if it is still one of the office's."""
        request = matter.request
        if request is None or request.return_url is None:
            return None
        known = self.directory.returns_to(request.agency, request.return_url)
        return request.return_url if known else None


def _is_open(matter: Matter) -> bool:
    request = matter.request
    open_still = request is not None and request.state is RequestState.OPEN
    return open_still and matter.offer.in_force and bool(matter.facts)
