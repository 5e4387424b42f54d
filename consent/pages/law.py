"""Law: sharing that needs no consent: which law, who, which facts; and how to object to it."""

from dataclasses import dataclass

from werkzeug.wrappers import Response

from consent.cases import MAX_TEXT, CaseKind, CaseStore
from consent.offer import Directory, Offer
from consent.pages.frame import Visit
from consent.pages.writing import LONGER, TEXT, About, Written, opened, written
from kernel.errors import Reason, Refusal
from kernel.names import AgreementId


@dataclass(frozen=True, slots=True)
class RequiredByLaw:
    """What offices may ask each other about everybody, because a law says so."""

    directory: Directory
    cases: CaseStore

    def required_by_law(self, visit: Visit) -> Response:
        """GET /required-by-law: every agreement that rests on a law."""
        offers = self.directory.offers(visit.language.tag)
        statutory = sorted(
            (offer for offer in offers if not offer.by_consent),
            key=lambda offer: (not offer.in_force, offer.agency_name.text, offer.title.text),
        )
        return visit.page("law.html", offers=statutory)

    def objection_page(self, visit: Visit, agreement: str) -> Response:
        """GET /required-by-law/{agreement}/object: ask what the reader objects to."""
        return self._page(visit, self._offer(visit, agreement))

    def object_by_law(self, visit: Visit, agreement: str) -> Response:
        """POST /required-by-law/{agreement}/object: open a case about the agreement."""
        offer = self._offer(visit, agreement)
        about = About(CaseKind.OBJECTION, offer.terms.agreement, offer.terms.agency)
        sent = written(visit.form.take(TEXT, longer=LONGER))
        case = opened(self.cases, visit.person, about, sent)
        if isinstance(case, Written):
            return self._page(visit, offer, case, 400)
        return visit.go(f"/cases/{case.id}")

    def _page(
        self, visit: Visit, offer: Offer, sent: Written | None = None, status: int = 200
    ) -> Response:
        return visit.page(
            "law_object.html", status, offer=offer, sent=sent or Written(), most=MAX_TEXT
        )

    def _offer(self, visit: Visit, agreement: str) -> Offer:
        offer = self.directory.offer(AgreementId(agreement), visit.language.tag)
        if offer is None or offer.by_consent:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is no such agreement by law.")
        return offer
