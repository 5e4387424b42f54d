"""Renewing: an old yes that ended, or whose agreement changed, gets a new one."""

from dataclasses import dataclass

from werkzeug.wrappers import Response

from consent.pages.consents import Shelf
from consent.pages.deciding import Deciding
from consent.pages.frame import Visit
from consent.pages.matter import Matter
from kernel.errors import Reason, Refusal


@dataclass(frozen=True, slots=True)
class Renewing:
    """The pages of a new yes; they offer what was granted before and nothing more."""

    shelf: Shelf
    deciding: Deciding

    def renew_page(self, visit: Visit, consent: str) -> Response:
        """GET /consents/{id}/renew: fact by fact, as if it were the first time."""
        return self.deciding.choose_page(visit, self._matter(visit, consent))

    def renew_chosen(self, visit: Visit, consent: str) -> Response:
        """POST /consents/{id}/renew: on to the check."""
        return self.deciding.chosen(visit, self._matter(visit, consent))

    def renew_check(self, visit: Visit, consent: str, choice: str) -> Response:
        """GET /consents/{id}/renew/check/{choice}: what a yes would say."""
        return self.deciding.check_page(visit, self._matter(visit, consent), choice)

    def renew(self, visit: Visit, consent: str, choice: str) -> Response:
        """POST /consents/{id}/renew/check/{choice}: yes again."""
        matter = self._matter(visit, consent)
        done = self.deciding.confirmed(visit, matter, choice)
        if isinstance(done, Response):
            return done
        if done is None:
            return visit.go(f"/consents/{consent}")
        return visit.go(f"/consents/{done.consent}?receipt={done.receipt}")

    def _matter(self, visit: Visit, consent: str) -> Matter:
        held = self.shelf.one(visit, consent)
        offer = held.offer
        if offer is None or not held.renewable:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "This consent cannot be given again.")
        return Matter(
            base=f"/consents/{held.record.id}/renew",
            offer=offer,
            facts=tuple(fact for fact in offer.facts if fact.grant in held.record.granted),
            record=held.record,
        )
