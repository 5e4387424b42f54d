"""App: the composition root; the one place where the rooms are told of each other."""

import atexit
import gc
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from flask import Flask

from adapters.model import SourceAddress
from audit.ledger import Ledger
from consent.pages.language import install
from crypto.seal import seal
from gateway.asking_views import AskingViews
from gateway.circuit import State
from gateway.door import front_door
from gateway.gates import Gates
from gateway.intake import THREADS
from gateway.journal import Journal
from gateway.limits import LimitedAuthenticate, Limits
from gateway.log import configure, fault
from gateway.metrics import Metrics
from gateway.offers import Offers
from gateway.pages import PublicViews
from gateway.people import frame_of, page_views
from gateway.pipeline import Pipeline
from gateway.ports import Authenticate
from gateway.released import ReleasedExchanges
from gateway.rooms import Rooms, fill, open_rooms
from gateway.routes import API, View
from gateway.settings import Settings
from gateway.short_lived import ShortLived, short_lived
from gateway.signin import sign_in
from gateway.sources import Aside, Sources
from gateway.sweep import Sweep
from gateway.views import AgencyViews
from gateway.web import Front, application
from identity.authenticate import Authenticator
from kernel.canonical import Json
from kernel.database import StorageError
from kernel.errors import Refusal
from kernel.names import Subject

SWEEP_EVERY = 15.0
GC_THRESHOLDS = (50_000, 20, 50)


@dataclass(frozen=True, slots=True)
class Log:
    """The ledger's public side."""

    ledger: Ledger
    origin: str
    key: str

    def header(self, index: int) -> Mapping[str, Json] | None:
        """Return the open part of an entry, or None where there is none."""
        try:
            return self.ledger.entry(index)
        except IndexError:
            return None

    def proof(self, index: int) -> str:
        """Return a C2SP tlog-proof in the tree of the latest checkpoint."""
        return self.ledger.proof(index)

    def checkpoint(self) -> str:
        """Return the latest signed checkpoint."""
        return self.ledger.checkpoint()

    def vkey(self) -> str:
        """Return the verifier key of the log (C2SP signed-note)."""
        return self.key


def build(settings: Settings, aside: Aside = nullcontext) -> Flask:
    """Return the WSGI application of the settings, with its ledger open and its sweep running;
    `aside` stands around every wait for a source."""
    configure(settings.log_level)
    rooms = open_rooms(settings)
    # Closing the last connection of a SQLite file checkpoints it: that is done under the lock.
    atexit.register(rooms.close)
    fill(rooms)  # a worker that is started anew changes nothing
    sweep = Sweep(rooms.database, rooms.ledger, rooms.pseudonyms.open, rooms.clock)
    threading.Thread(target=_sweep, args=(sweep,), name="sweep", daemon=True).start()
    app = compose(rooms, aside)
    _settle_garbage_collection()
    return app


def _settle_garbage_collection() -> None:
    """Leave what was made at the start out of every later collection: it took a fifth of the CPU
    of an exchange."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def compose(rooms: Rooms, aside: Aside = nullcontext) -> Flask:
    """Return the application over opened rooms."""
    kept = short_lived(rooms)
    door, gates, limits = front_door(rooms, kept.replay), gates_of(rooms), limits_of(rooms, kept)
    authenticate = LimitedAuthenticate(door.authenticate, limits)
    log = Log(rooms.ledger, rooms.signer.name, rooms.signer.vkey)
    released = ReleasedExchanges(rooms.database, log, rooms.sign)
    pipeline = pipeline_of(rooms, door.authenticate, limits, gates, aside)
    metrics = Metrics()
    metrics.show_sources(gates)
    agency = AgencyViews(pipeline, authenticate, rooms.control, released, log)
    public = PublicViews(
        rooms.keys.receipt_jwks,
        log,
        metrics,
        lambda: unready(rooms, kept.fault),
        lambda: unasked(gates),
    )
    signin = sign_in(rooms, kept, lambda value: named(rooms, value))
    offers = Offers(rooms.control, rooms.clock)
    frame = frame_of(rooms, signin.sessions)
    front = Front(
        public_url=rooms.settings.public_url,
        clock=rooms.clock,
        chance=rooms.chance,
        metrics=metrics,
        report=fault,
        page=frame.refused,
        install=install,
    )
    asking = asking_of(rooms, authenticate, offers)
    views = _views(door.oauth.by_name(), agency, asking, public)
    pages = {**signin.views.by_name(), **page_views(frame, rooms, offers)}
    return application(front, {**views, **pages})


def named(rooms: Rooms, value: str) -> Subject:
    """Return the person of an identifier in the deployment's scheme, or raise `Refusal`."""
    catalogue = rooms.control.now().catalogue
    return catalogue.parse_subject(catalogue.scheme.id, value)


def limits_of(rooms: Rooms, kept: ShortLived) -> Limits:
    """Return the quotas of the settings."""
    return Limits(kept.rates, rooms.settings.rate_client, rooms.settings.rate_agreement)


def gates_of(rooms: Rooms) -> Gates:
    """Return the gates before the sources that are set up."""
    return Gates(rooms.settings.sources, THREADS, rooms.clock)


def pipeline_of(
    rooms: Rooms,
    authenticate: Authenticator,
    limits: Limits,
    gates: Gates,
    aside: Aside = nullcontext,
) -> Pipeline:
    """Return the pipeline over opened rooms."""
    addresses = {
        name: SourceAddress(name, one.url, one.secret, one.timeout)
        for name, one in rooms.settings.sources.items()
    }
    return Pipeline(
        authenticate=authenticate,
        ask=limits.ask,
        control=rooms.control,
        consents=rooms.consents,
        journal=Journal(rooms.ledger, rooms.pseudonyms, rooms.sign, rooms.chance),
        fetch=Sources(addresses, rooms.clock, gates, aside),
        seal=lambda extract, to: seal(extract, to, rooms.settings.public_url),
        clock=rooms.clock,
        report=fault,
    )


def asking_of(rooms: Rooms, authenticate: Authenticate, offers: Offers) -> AskingViews:
    """Return the views by which agencies ask people for consent, over opened rooms."""
    return AskingViews(
        authenticate=authenticate,
        control=rooms.control,
        requests=rooms.consents,
        offer=offers.offer,
        people=rooms.pseudonyms,
        chance=rooms.chance,
        clock=rooms.clock,
        public_url=rooms.settings.public_url,
    )


def unasked(gates: Gates) -> dict[str, str]:
    """Name the sources that are left alone for a while, and the state of their circuit."""
    return {
        name: state.value for name, state in gates.states().items() if state is not State.CLOSED
    }


def unready(rooms: Rooms, state: Callable[[], str | None]) -> list[str]:
    """Name what keeps the gateway from serving; `state` does for the short-lived state."""
    missing = []
    if rooms.ledger.fault is not None:
        missing.append(f"ledger: {rooms.ledger.fault}")
    try:
        rooms.control.now()
    except StorageError:
        missing.append("database: it cannot be read")
    except Refusal as refusal:
        missing.append(f"policies: {refusal.detail}")
    if not rooms.engine.healthy():
        missing.append("policies: the engine does not answer")
    if (lost := state()) is not None:
        missing.append(f"state: {lost}")
    return missing


def _views(oauth: Mapping[str, View], *holders: object) -> dict[str, View]:
    views = dict(oauth)
    for route in API:
        for holder in holders:
            if (view := getattr(holder, route.view, None)) is not None:
                views[route.view] = view
    return views


def _sweep(sweep: Sweep) -> None:
    pause = threading.Event()
    while not pause.wait(SWEEP_EVERY):
        try:
            sweep()
        except Refusal:
            continue  # the ledger does not serve now; the next round tries again
