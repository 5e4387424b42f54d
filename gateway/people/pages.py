"""Pages for people, residents and officers: put together, and put behind their audience."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from consent.model import Person
from consent.offer import Level
from consent.pages.consents import Consents, Shelf
from consent.pages.deciding import Deciding
from consent.pages.frame import Frame
from consent.pages.home import Home
from consent.pages.ports import Reader, SignReceipt
from consent.pages.receipts import Receipts
from consent.pages.renewing import Renewing
from consent.pages.requests import Requests
from consent.pages.settings import SettingsPages
from consent.pages.start import Start
from consent.pages.stopping import Stopping
from consent.receipt import TYPE
from crypto.jose import sign
from gateway.http.routes import PAGES, Audience, View
from gateway.people.offers import Offers
from gateway.people.seeing import people_log, seeing
from gateway.rooms import Rooms
from identity.model import Level as SignedInAt
from identity.model import Realm, SignedIn
from identity.pseudonyms import Pseudonyms
from identity.sessions import Sessions
from kernel.clock import SECOND, Clock

FRESH = 300
"""Seconds for which a sign-in at the level high counts as that."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Tells the pages who is signed in."""

    sessions: Sessions
    pseudonyms: Pseudonyms
    clock: Clock

    def find(self, realm: str, cookie: str) -> Reader | None:
        """Return the reader to whom a session's cookie belongs, or None where there is none."""
        session = self.sessions.find(Realm(realm), cookie)
        if session is None:
            return None
        who, named = session.who, self.pseudonyms
        subject = who.person
        person = Person(subject, named.ref(subject), named.seal(subject)) if subject else None
        return Reader(realm, person, who.sub, self._level(who), session.csrf)

    def _level(self, who: SignedIn) -> Level:
        """Return the level of a sign-in: high is high only while it is fresh (RFC 9470 §4)."""
        age = self.clock.now() // SECOND - who.auth_time
        stale = who.level is SignedInAt.HIGH and age > FRESH
        return Level.SUBSTANTIAL if stale else Level(who.level.name.lower())


def frame_of(rooms: Rooms, sessions: Sessions) -> Frame:
    """Return the frame of all pages."""
    parts = map(urlsplit, sorted({*rooms.settings.signin.issuers.values()}))
    return Frame(
        public_url=rooms.settings.public_url,
        signin_origins=tuple(f"{one.scheme}://{one.netloc}" for one in parts),
        find=Readers(sessions, rooms.pseudonyms, rooms.clock).find,
        clock=rooms.clock,
    )


def page_views(frame: Frame, rooms: Rooms, offers: Offers) -> dict[str, View]:
    """Return every page's view, reached only by its audience."""
    guards: Mapping[Audience, Callable[[View], View]] = {
        Audience.RESIDENT: frame.for_resident,
        Audience.OFFICER: frame.for_officer,
        Audience.VISITOR: frame.for_visitor,
    }
    views: dict[str, View] = {"asset": frame.assets.asset}
    holders = _holders(rooms, offers)
    for route in PAGES:
        for holder in holders:
            if (view := getattr(holder, route.view, None)) is not None:
                views[route.view] = guards[route.audience](view)
    return views


def _holders(rooms: Rooms, offers: Offers) -> Sequence[object]:
    """Return the pages; each has a method for each of its views in the table of routes."""
    store = rooms.consents
    deciding, shelf = Deciding(store.carry_out), Shelf(store, offers)
    return (
        Start(),
        Home(shelf, people_log(rooms)),
        Requests(store, offers, deciding, rooms.pseudonyms.open_text),
        Consents(shelf),
        Stopping(shelf),
        Renewing(shelf, deciding),
        Receipts(shelf, rooms.settings.public_url, _signing(rooms)),
        SettingsPages(store),
        *seeing(rooms, offers, _signing(rooms)),
    )


def _signing(rooms: Rooms) -> SignReceipt:
    """Return what signs consent receipts, in the gateway's name."""
    issuer = rooms.settings.public_url
    return lambda claims: sign({"iss": issuer, **claims}, TYPE, rooms.keys.receipt)
