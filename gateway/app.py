"""App: the composition root; the one place where the rooms are told of each other."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from flask import Flask

from adapters.model import SourceAddress
from audit.ledger import Ledger
from consent.pages.language import install
from crypto.seal import seal
from gateway.door import front_door
from gateway.http.asking_views import AskingViews
from gateway.http.bundles import Bundles, BundleViews
from gateway.http.developers import DeveloperViews
from gateway.http.express import Express
from gateway.http.intake import THREADS
from gateway.http.pages import PublicViews
from gateway.http.routes import API, HERE, View
from gateway.http.views import AgencyViews
from gateway.http.web import Front, application
from gateway.instruments import Instruments, Pools
from gateway.journal import Journal
from gateway.load.fibres import AT_ONCE, Fibres
from gateway.load.gates import Gates
from gateway.load.limits import LimitedAuthenticate, Limits
from gateway.observing.log import configure, fault
from gateway.people.offers import Offers
from gateway.people.pages import frame_of, page_views
from gateway.people.signin import sign_in
from gateway.pipeline import Pipeline
from gateway.policy.preparing import Preparing
from gateway.ports import Authenticate
from gateway.readiness import unasked, unready
from gateway.recovery.sweep import Sweep
from gateway.released import ReleasedExchanges
from gateway.rooms import Rooms, fill, open_rooms
from gateway.serving.heart import Heart
from gateway.serving.hosts import Hosts
from gateway.serving.worker import Worker
from gateway.setup.collector import Collector
from gateway.setup.forwarded import Operators
from gateway.setup.settings import Settings
from gateway.short_lived import ShortLived, short_lived
from gateway.sources import Sources
from identity.authenticate import Authenticator
from kernel.canonical import Json
from kernel.names import Subject
from kernel.waits import OwnThread, Waits

GC_THRESHOLDS = (50_000, 20, 50)


@dataclass(frozen=True, slots=True)
class Log:
    """The ledger's public side."""

    ledger: Ledger

    @property
    def origin(self) -> str:
        """Return the log's origin."""
        return self.ledger.signer.name

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
        return self.ledger.signer.vkey


def build(
    settings: Settings,
    waits: Waits | None = None,
    worker: Worker | None = None,
    pools: Pools | None = None,
) -> Flask:
    """Return the WSGI application of the settings, with its ledger open and its sweep running,
    until the worker's end; `waits` is how requests wait for a source or the ledger."""
    configure(settings.log_level)
    worker = worker or Worker()
    collector = Collector(settings.otlp_url, settings.otlp_share)
    engine = "embedded" if settings.opa_url is None else "opa"
    instruments = Instruments.of(worker, engine, collector, pools)
    rooms = open_rooms(settings, waits, instruments)
    # Closing the last connection of a SQLite file checkpoints it: that is done under the lock.
    worker.at_end.callback(rooms.close)
    fill(rooms)  # a worker that is started anew changes nothing
    sweep = Sweep(rooms.database, rooms.ledger, rooms.pseudonyms.open, rooms.clock)
    worker.at_end.callback(sweep.begin())
    app = compose(rooms, waits, worker, instruments)
    preparing = Preparing(rooms.places, rooms.control, rooms.engine)
    worker.at_end.callback(preparing.begin())
    heart = Heart(Hosts(rooms.database, rooms.clock), worker, preparing.ready)
    worker.at_end.callback(heart.stop)
    heart.start()
    _settle_garbage_collection()
    return app


def _settle_garbage_collection() -> None:
    """Leave what was made at the start out of every later collection: it took a fifth of the CPU
    of an exchange."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def compose(
    rooms: Rooms,
    waits: Waits | None = None,
    worker: Worker | None = None,
    instruments: Instruments | None = None,
) -> Flask:
    """Return the application over opened rooms."""
    instruments = instruments or Instruments()
    kept = instruments.short_lived(short_lived(rooms, waits))
    door, limits = front_door(rooms, kept.replay), limits_of(rooms, kept)
    gates = gates_of(rooms, AT_ONCE if isinstance(waits, Fibres) else THREADS)
    authenticate = LimitedAuthenticate(door.authenticate, limits)
    log = Log(rooms.ledger)
    released = ReleasedExchanges(rooms.database, log, rooms.sign)
    pipeline = pipeline_of(rooms, door.authenticate, limits, gates, waits, instruments)
    operators = Operators(rooms.settings.trusted_proxies, rooms.settings.metrics_from)
    missing = partial(unready, rooms, kept.fault, worker.leaving if worker else lambda: False)
    gauges = instruments.gauges(rooms, gates, missing)
    if worker:
        worker.at_end.callback(gauges.begin())
    agency = AgencyViews(pipeline, authenticate, rooms.control, released, log)
    public = PublicViews(
        rooms.keys.receipt_jwks,
        log,
        instruments.metrics,
        missing,
        lambda: unasked(gates),
        operators,
    )
    signin = sign_in(rooms, kept, lambda value: named(rooms, value))
    offers = Offers(rooms.control, rooms.clock)
    frame = frame_of(rooms, signin.sessions)
    front = Front(
        public_url=rooms.settings.public_url,
        observer=instruments.observer,
        report=fault,
        page=frame.refused,
        install=install,
    )
    asking = asking_of(rooms, authenticate, offers)
    bundles = BundleViews(Bundles(rooms.control, rooms.places, rooms.keys.policy), operators)
    developers = DeveloperViews(frame.assets.address)
    views = _views(door.oauth.by_name(), agency, asking, public, developers, bundles)
    pages = {**signin.views.by_name(), **page_views(frame, rooms, offers)}
    app = application(front, {**views, **pages})
    app.wsgi_app = Express(pipeline, front, app.wsgi_app)  # type: ignore[assignment,method-assign] # as Flask documents middleware
    return app


def named(rooms: Rooms, value: str) -> Subject:
    """Return the person of an identifier in the deployment's scheme, or raise `Refusal`."""
    catalogue = rooms.control.now().catalogue
    return catalogue.parse_subject(catalogue.scheme.id, value)


def limits_of(rooms: Rooms, kept: ShortLived) -> Limits:
    """Return the quotas of the settings."""
    return Limits(kept.rates, rooms.settings.rate_client, rooms.settings.rate_agreement)


def gates_of(rooms: Rooms, places: int = THREADS) -> Gates:
    """Return the gates before the sources that are set up, with so many places for all."""
    return Gates(rooms.settings.sources, places, rooms.clock)


def pipeline_of(
    rooms: Rooms,
    authenticate: Authenticator,
    limits: Limits,
    gates: Gates,
    waits: Waits | None = None,
    instruments: Instruments | None = None,
) -> Pipeline:
    """Return the pipeline over opened rooms."""
    instruments = instruments or Instruments()
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
        fetch=instruments.fetch(Sources(addresses, rooms.clock, gates, waits or OwnThread())),
        seal=lambda extract, to: seal(extract, to, rooms.settings.public_url),
        clock=rooms.clock,
        report=fault,
        at=instruments.observer.at,
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


def _views(oauth: Mapping[str, View], *holders: object) -> dict[str, View]:
    views = dict(oauth)
    for route in API + HERE:
        for holder in holders:
            if (view := getattr(holder, route.view, None)) is not None:
                views[route.view] = view
    return views
