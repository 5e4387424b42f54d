"""Home: what needs the reader now, what ends soon, and what happened lately."""

from dataclasses import dataclass

from werkzeug.wrappers import Response

from consent.model import ConsentRequest, RequestState, Standing
from consent.offer import Offer
from consent.pages.consents import Shelf
from consent.pages.deciding import DAY
from consent.pages.frame import Visit
from consent.pages.listing import Row, days
from consent.pages.seen import NotWhole, PeopleLog
from consent.pages.telling import Teller

SOON = 14 * DAY
LATELY = 5


@dataclass(frozen=True, slots=True, repr=False)
class Open:
    """A request that waits for an answer."""

    request: ConsentRequest
    offer: Offer


@dataclass(frozen=True, slots=True)
class Home:
    """The first page after signing in."""

    shelf: Shelf
    people: PeopleLog

    def home(self, visit: Visit) -> Response:
        """GET /home: what needs you, and what changed."""
        held = self.shelf.all(visit)
        return visit.page(
            "home.html",
            requests=self._open(visit),
            again=[one for one in held if one.standing is Standing.NEEDS_RECONFIRMATION],
            soon=[
                one
                for one in held
                if one.standing is Standing.GIVEN and one.record.valid_until < visit.at + SOON
            ],
            active=sum(one.standing is Standing.GIVEN for one in held),
            rows=self._lately(visit),
            locked="self" in self.shelf.store.blocks(visit.person.ref),
        )

    def _lately(self, visit: Visit) -> list[Row] | None:
        """Return the newest lines of the reader's list, or None where it is not whole."""
        ref, teller = visit.person.ref, Teller(self.shelf.directory, visit.language.tag)
        try:
            newest = tuple(self.people.newest(ref, self.people.count(ref), 2 * LATELY))
        except NotWhole:
            return None
        return [row for day in days(newest, teller) for row in day.rows][:LATELY]

    def _open(self, visit: Visit) -> list[Open]:
        waiting = []
        for request in self.shelf.store.requests(visit.person.ref):
            offer = self.shelf.directory.offer(request.agreement, visit.language.tag)
            if request.state is RequestState.OPEN and offer is not None and offer.in_force:
                waiting.append(Open(request, offer))
        return waiting
