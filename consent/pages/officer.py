"""Officer: the cases that wait, and one case: the look is written down before anything shows."""

from dataclasses import dataclass

from flask_babel import gettext as _
from werkzeug.wrappers import Response

from consent.cases import MAX_TEXT, Case, CaseState, CaseStore
from consent.declined import Declined
from consent.offer import Directory
from consent.pages.cases import texts
from consent.pages.frame import Visit
from consent.pages.seen import PeopleLog
from consent.pages.telling import Teller
from consent.pages.writing import LONGER, TEXT, Written, written
from kernel.canonical import Json
from kernel.entry import Concerned, Entry, EntryType, Ledger
from kernel.errors import Reason, Refusal
from kernel.names import CaseId

MOST_SHOWN = 100
OUTCOMES = (CaseState.UPHELD, CaseState.DISMISSED, CaseState.ANSWERED)
_OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Officer:
    """What a privacy officer sees: never more of a person than their case and its entry."""

    people: PeopleLog
    directory: Directory
    store: CaseStore
    ledger: Ledger

    def officer_queue(self, visit: Visit) -> Response:
        """GET /officer: the open cases, those that wait longest first, without their texts."""
        cases = self.store.queue(CaseState.OPEN, MOST_SHOWN)
        teller = Teller(self.directory, visit.language.tag)
        names = {case.agency: teller.agency(case.agency) for case in cases}
        return visit.page(
            "officer.html",
            cases=cases,
            names=names,
            most=MOST_SHOWN,
            halts=self.directory.halts(),
            halted={"agreement": _("Agreement"), "agency": _("Agency"), "source": _("Source")},
        )

    def officer_case(self, visit: Visit, case: str) -> Response:
        """GET /officer/cases/{case}: write the look down for the person, then show the case."""
        return self._page(visit, self._case(case))

    def officer_answer(self, visit: Visit, case: str) -> Response:
        """POST /officer/cases/{case}: answer it for good."""
        found = self._case(case)
        taken = visit.form.take(TEXT, _OUTCOME, longer=LONGER)
        sent = written(taken, str(_("Write an answer.")))
        outcome = taken.one(_OUTCOME)
        problems = [(str(_("Choose what you decided.")), f"{_OUTCOME}-{OUTCOMES[0].value}")]
        if outcome in OUTCOMES:
            problems = []
        if problems or sent.error:
            return self._page(visit, found, sent, (*problems, *sent.errors), outcome)
        try:
            self.store.answer(found, visit.reader.officer, CaseState(outcome), sent.text)
        except Declined:
            return visit.page("officer_too_late.html", 409, case=found)
        return visit.go("/officer")

    def _page(
        self,
        visit: Visit,
        case: Case,
        sent: Written | None = None,
        errors: tuple[tuple[str, str], ...] = (),
        outcome: str = "",
    ) -> Response:
        self._look(visit, case)
        told = texts(case, self.people, Teller(self.directory, visit.language.tag))
        return visit.page(
            "officer_case.html",
            400 if errors else 200,
            case=case,
            told=told,
            sent=sent or Written(),
            errors=errors,
            chosen=outcome,
            most=MAX_TEXT,
        )

    def _look(self, visit: Visit, case: Case) -> None:
        """Write down that this officer reads the case; where that fails, nothing is shown."""
        opening = self.people.at(case.ref, case.opening)
        subject = opening.subject if opening else None
        if subject is None:
            raise Refusal(Reason.INTERNAL, "The case's own entry cannot be read.")
        officer: dict[str, Json] = {"officer": visit.reader.officer}
        self.ledger.append(
            Entry(
                EntryType.ACCESS_VIEW,
                {"case": case.id},
                {"actor": officer},
                (Concerned(case.ref, subject),),
            )
        )

    def _case(self, case: str) -> Case:
        if (found := self.store.get(CaseId(case))) is None:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is no such case.")
        return found
