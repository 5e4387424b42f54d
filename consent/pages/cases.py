"""Cases: what the reader wrote to the privacy officers, how far it came, and the answer."""

from dataclasses import dataclass

from werkzeug.wrappers import Response

from consent.cases import Case, CaseKind, CaseStore
from consent.offer import Directory, Words
from consent.pages.detail import Detail, detail
from consent.pages.frame import Visit
from consent.pages.seen import PeopleLog
from consent.pages.telling import Teller
from kernel.errors import Reason, Refusal
from kernel.names import AgreementId, CaseId

_MAX_DIGITS = 15


@dataclass(frozen=True, slots=True, repr=False)
class CaseTexts:
    """What stands about a case in the ledger: both texts, and what it is about."""

    said: str
    answer: str | None
    entry: Detail | None
    """The entry that a report is about."""
    agreement: Words | None
    """The agreement that an objection is about."""


def texts(case: Case, people: PeopleLog, teller: Teller) -> CaseTexts:
    """Return a case's texts, read from the entries that concern its person."""
    opening = people.at(case.ref, case.opening)
    closing = None if case.closing is None else people.at(case.ref, case.closing)
    about = None
    if case.kind is CaseKind.REPORT and case.about.isdecimal() and len(case.about) <= _MAX_DIGITS:
        about = people.at(case.ref, int(case.about))
    return CaseTexts(
        said=(opening.said("request", "text") if opening else None) or "",
        answer=closing.said("response", "text") if closing else None,
        entry=detail(about, teller) if about else None,
        agreement=_agreement(case, teller),
    )


def _agreement(case: Case, teller: Teller) -> Words | None:
    if case.kind is not CaseKind.OBJECTION:
        return None
    offer = teller.directory.offer(AgreementId(case.about), teller.language)
    return offer.title if offer else Words(case.about, "en")


@dataclass(frozen=True, slots=True)
class OwnCases:
    """The reader's cases."""

    people: PeopleLog
    directory: Directory
    store: CaseStore

    def own_cases(self, visit: Visit) -> Response:
        """GET /cases: every case of the reader, newest first."""
        teller = Teller(self.directory, visit.language.tag)
        cases = self.store.of(visit.person.ref)
        names = {case.agency: teller.agency(case.agency) for case in cases}
        return visit.page("cases.html", cases=cases, names=names)

    def own_case(self, visit: Visit, case: str) -> Response:
        """GET /cases/{case}: one case with both texts."""
        found = self.store.one(visit.person.ref, CaseId(case))
        if found is None:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is no such case of this person.")
        told = texts(found, self.people, Teller(self.directory, visit.language.tag))
        return visit.page("case.html", case=found, told=told)
