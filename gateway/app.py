"""App: the composition root; the one place where the rooms are told of each other."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from flask import Flask

from adapters.model import SourceAddress
from audit.ledger import Ledger
from crypto.seal import seal
from gateway.journal import Journal
from gateway.log import configure, fault
from gateway.metrics import Metrics
from gateway.pages import PublicViews
from gateway.pipeline import Pipeline
from gateway.released import ReleasedExchanges
from gateway.rooms import Rooms, bring_into_force, open_rooms
from gateway.routes import ROUTES, View
from gateway.settings import Settings
from gateway.sources import Sources
from gateway.sweep import Sweep
from gateway.views import AgencyViews
from gateway.web import Front, application
from identity.assertion import Assertions
from identity.authenticate import Authenticator
from identity.dpop import Proofs
from identity.replay import EmbeddedReplay
from identity.server import Checks, OAuthViews
from identity.tokens import Tokens
from kernel.canonical import Json
from kernel.errors import Refusal
from kernel.keyvalue import KeyValue, boot_id

SWEEP_EVERY = 15.0


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


def build(settings: Settings) -> Flask:
    """Return the WSGI application of the settings, with its ledger open and its sweep running."""
    configure(settings.log_level)
    rooms = open_rooms(settings)
    bring_into_force(rooms)
    app = compose(rooms)
    sweep = Sweep(rooms.database, rooms.ledger, rooms.pseudonyms.open, rooms.clock)
    threading.Thread(target=_sweep, args=(sweep,), name="sweep", daemon=True).start()
    app.extensions["causeway"] = rooms
    return app


def compose(rooms: Rooms) -> Flask:
    """Return the application over opened rooms."""
    settings, clock, chance = rooms.settings, rooms.clock, rooms.chance
    store = KeyValue.open(
        settings.state_dir / "short-lived", clock, boot_id(), rooms.keys.first_use
    )
    replay = EmbeddedReplay(store)
    proofs = Proofs(settings.public_url, replay, clock)
    tokens = Tokens(settings.public_url, settings.public_url, rooms.keys.token, clock, chance)
    authenticate = Authenticator(rooms.clients, tokens, proofs)
    log = Log(rooms.ledger, rooms.signer.name, rooms.signer.vkey)
    addresses = {
        name: SourceAddress(name, one.url, one.secret, one.timeout)
        for name, one in settings.sources.items()
    }
    pipeline = Pipeline(
        authenticate=authenticate,
        control=rooms.control,
        consents=rooms.consents,
        journal=Journal(rooms.ledger, rooms.pseudonyms, rooms.sign, chance),
        fetch=Sources(addresses, clock),
        seal=lambda extract, to: seal(extract, to, settings.public_url),
        clock=clock,
        report=fault,
    )
    released = ReleasedExchanges(rooms.database, log, rooms.sign)
    assertions = Assertions(
        settings.public_url, lambda client_id: rooms.clients.find(client_id)[0], replay, clock
    )
    warn = structlog.get_logger().warning
    oauth = OAuthViews(Checks(assertions, proofs, tokens, warn), rooms.keys.token_jwks())
    metrics = Metrics()
    agency = AgencyViews(pipeline, authenticate, rooms.control, released, log)
    public = PublicViews(rooms.keys.receipt_jwks, log, metrics, lambda: unready(rooms))
    front = Front(settings.public_url, clock, chance, metrics, fault)
    return application(front, _views(oauth.by_name(), agency, public))


def unready(rooms: Rooms) -> list[str]:
    """Name what keeps the gateway from serving."""
    missing = []
    if rooms.ledger.fault is not None:
        missing.append(f"ledger: {rooms.ledger.fault}")
    try:
        rooms.control.now()
    except Refusal as refusal:
        missing.append(f"policies: {refusal.detail}")
    if not rooms.engine.healthy():
        missing.append("policies: the engine does not answer")
    return missing


def _views(oauth: Mapping[str, View], agency: AgencyViews, public: PublicViews) -> dict[str, View]:
    views = dict(oauth)
    for route in ROUTES:
        for holder in (agency, public):
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
