"""App: the composition root; the one place where the rooms are told of each other."""

import atexit
import gc
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import structlog
from flask import Flask

from adapters.model import SourceAddress
from audit.ledger import Ledger
from consent.pages.language import install
from crypto.seal import seal
from gateway.admission import Admission
from gateway.asking_views import AskingViews
from gateway.journal import Journal
from gateway.log import configure, fault
from gateway.metrics import Metrics
from gateway.offers import Offers
from gateway.pages import PublicViews
from gateway.people import frame_of, page_views
from gateway.pipeline import Pipeline
from gateway.released import ReleasedExchanges
from gateway.rooms import Rooms, fill, open_rooms
from gateway.routes import API, View
from gateway.settings import Settings
from gateway.signin import sign_in
from gateway.sources import Aside, Sources
from gateway.sweep import Sweep
from gateway.views import AgencyViews
from gateway.web import Front, application
from identity.assertion import Assertions
from identity.authenticate import Authenticator
from identity.dpop import Proofs
from identity.replay import EmbeddedReplay, Replay
from identity.server import Checks, OAuthViews
from identity.tokens import Tokens
from kernel.canonical import Json
from kernel.errors import Refusal
from kernel.keyvalue import KeyValue, boot_id
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
    door = front_door(rooms)
    log = Log(rooms.ledger, rooms.signer.name, rooms.signer.vkey)
    released = ReleasedExchanges(rooms.database, log, rooms.sign)
    pipeline = pipeline_of(rooms, door.authenticate, aside)
    metrics = Metrics()
    agency = AgencyViews(pipeline, door.authenticate, rooms.control, released, log)
    public = PublicViews(rooms.keys.receipt_jwks, log, metrics, lambda: unready(rooms))
    signin = sign_in(rooms, door.replay, lambda value: named(rooms, value))
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
    asking = asking_of(rooms, door.authenticate, offers)
    views = _views(door.oauth.by_name(), agency, asking, public)
    pages = {**signin.views.by_name(), **page_views(frame, rooms, offers)}
    return application(front, {**views, **pages})


@dataclass(frozen=True, slots=True)
class Door:
    """The OAuth front door: who gets a token, and who is let in with it."""

    authenticate: Authenticator
    oauth: OAuthViews
    replay: Replay


def front_door(rooms: Rooms) -> Door:
    """Return the front door over opened rooms."""
    url, clock = rooms.settings.public_url, rooms.clock
    short_lived = rooms.settings.state_dir / "short-lived"
    replay = EmbeddedReplay(KeyValue.open(short_lived, clock, boot_id(), rooms.keys.first_use))
    proofs = Proofs(url, replay, clock)
    tokens = Tokens(url, url, rooms.keys.token, clock, rooms.chance)
    clients = Admission(rooms.clients, rooms.control.stops)
    assertions = Assertions(url, clients.client, replay, clock)
    checks = Checks(assertions, proofs, tokens, structlog.get_logger().warning)
    return Door(
        Authenticator(clients, tokens, proofs),
        OAuthViews(checks, rooms.keys.token_jwks()),
        replay,
    )


def named(rooms: Rooms, value: str) -> Subject:
    """Return the person of an identifier in the deployment's scheme, or raise `Refusal`."""
    catalogue = rooms.control.now().catalogue
    return catalogue.parse_subject(catalogue.scheme.id, value)


def pipeline_of(rooms: Rooms, authenticate: Authenticator, aside: Aside = nullcontext) -> Pipeline:
    """Return the pipeline over opened rooms."""
    addresses = {
        name: SourceAddress(name, one.url, one.secret, one.timeout)
        for name, one in rooms.settings.sources.items()
    }
    return Pipeline(
        authenticate=authenticate,
        control=rooms.control,
        consents=rooms.consents,
        journal=Journal(rooms.ledger, rooms.pseudonyms, rooms.sign, rooms.chance),
        fetch=Sources(addresses, rooms.clock, aside),
        seal=lambda extract, to: seal(extract, to, rooms.settings.public_url),
        clock=rooms.clock,
        report=fault,
    )


def asking_of(rooms: Rooms, authenticate: Authenticator, offers: Offers) -> AskingViews:
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


def unready(rooms: Rooms) -> list[str]:
    """Name what keeps the gateway from serving."""
    missing = []
    if rooms.ledger.fault is not None:
        missing.append(f"ledger: {rooms.ledger.fault}")
    try:
        rooms.control.now()
    except Refusal as refusal:
        missing.append(f"policies: {refusal.detail}")
    except sqlite3.Error:
        missing.append("database: it cannot be read")
    if not rooms.engine.healthy():
        missing.append("policies: the engine does not answer")
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
