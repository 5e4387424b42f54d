"""Rooms: the parts that the server and the commands share, opened once from the settings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.registry import check
from audit.checkpoint import Signer
from audit.disclosures import RootKey
from audit.ledger import Ledger
from audit.model import Limits
from audit.writer import Keys
from consent.store import ConsentStore
from crypto.keys import KeyRing
from crypto.sign import sign_receipt
from gateway.policy.bundle import Bundle
from gateway.policy.catalogue import Catalogue
from gateway.policy.control import Control, InForce, activate
from gateway.policy.engines import EngineWatch, PreparedEngine, Unwatched, engine_for
from gateway.policy.pdp import DecisionPoint
from gateway.policy.preparing import Places
from gateway.policy.remembered import RememberingEngine
from gateway.policy.signed import are_signed, read_signed
from gateway.policy.waiting import WaitingEngine
from gateway.receipts import Place, located
from gateway.setup.production import refuse_unfit
from gateway.setup.settings import Mode, Settings
from gateway.setup.storage import guard_of, make_ready
from identity.clients import Clients
from identity.pseudonyms import Pseudonyms
from kernel.canonical import Json
from kernel.chance import Chance, SystemChance
from kernel.clock import Clock, Deadline, SystemClock
from kernel.database import Database, open_database
from kernel.waits import OwnThread, Waits

PATIENCE = 10.0


@dataclass(frozen=True, slots=True, repr=False)
class Rooms:
    """Database, ledger, keys, and what stands on them."""

    settings: Settings
    clock: Clock
    chance: Chance
    keys: KeyRing
    database: Database
    ledger: Ledger
    root: RootKey
    pseudonyms: Pseudonyms
    clients: Clients
    consents: ConsentStore
    engine: WaitingEngine
    control: Control
    places: Places

    @property
    def signer(self) -> Signer:
        """Return the log's key under the log's name now."""
        return self.ledger.signer

    def sign(self, claims: Mapping[str, Json], place: Place) -> str:
        """Return a receipt, signed (JWS, EdDSA)."""
        return sign_receipt(located(claims, self.settings.public_url, place), self.keys.receipt)

    def close(self) -> None:
        """Write what waits and let go of the database."""
        self.ledger.close()
        self.database.close(Deadline.within(PATIENCE, self.clock))


def open_rooms(
    settings: Settings, waits: Waits | None = None, watch: EngineWatch | None = None
) -> Rooms:
    """Open everything that the settings name, made at the first start where it is missing;
    `waits` is how callers wait for ledger, database and engine; `watch` measures the engine.

    Raises `BadSettings`, `KeyRefused`, `BadLedger`, `BadBundle` or `CatalogueError`, each with
    plain words for the operator.
    """
    clock, chance, waits = SystemClock(), SystemChance(), waits or OwnThread()
    refuse_unfit(settings, Deadline.within(PATIENCE, clock))
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = KeyRing.open(settings.state_dir / "keys", chance, clock, settings.key_encryption_key)
    make_ready(settings, Deadline.within(PATIENCE, clock))
    database = open_database(settings.database, waits)
    signer = Signer(origin(settings), keys.log.private)
    root = RootKey(keys.disclosure.id, keys.disclosure.value)
    guard = guard_of(settings, signer, clock)
    limits = Limits(waits=waits)
    ledger = Ledger(database, guard, Keys(signer, root), clock, chance, limits).open()
    control = Control(database, lambda bundle: prepare(bundle, engine), waits)
    watch = watch or Unwatched()
    evaluating = watch.around(engine_for(settings.opa_url, clock))
    asked = RememberingEngine(evaluating, watch.remembered, waits)
    engine = WaitingEngine(asked, control.active, clock, waits)
    return Rooms(
        settings=settings,
        clock=clock,
        chance=chance,
        keys=keys,
        database=database,
        ledger=ledger,
        root=root,
        pseudonyms=Pseudonyms(keys.pseudonym.value, chance),
        clients=Clients(database, ledger),
        consents=ConsentStore(database, ledger, chance, clock),
        engine=engine,
        control=control,
        places=Places(database, clock),
    )


@contextmanager
def opened(settings: Settings) -> Iterator[Rooms]:
    """Hold the rooms open for a command."""
    rooms = open_rooms(settings)
    try:
        yield rooms
    finally:
        rooms.close()


def origin(settings: Settings) -> str:
    """Return the log's origin: its address without a scheme (C2SP tlog-checkpoint)."""
    return f"{settings.public_url.partition('://')[2]}/audit/log"


def policies(settings: Settings, place: Path | None = None) -> Bundle:
    """Return the policies at a place, that of the settings unless another is named: a directory,
    or a file that one of the keys of the settings signed; raises `BadBundle`."""
    at = place or settings.policies
    if are_signed(at):
        return read_signed(at, settings.policy_keys)
    return Bundle.from_directory(at)


def prepare(bundle: Bundle, engine: PreparedEngine) -> InForce:
    """Return a bundle's catalogue and rules, checked and ready to use."""
    catalogue = Catalogue.load(bundle.files, check_read=check)
    engine.prepare(bundle)
    return InForce(bundle.revision, catalogue, DecisionPoint(engine, bundle.revision))


def fill(rooms: Rooms) -> None:
    """Bring the policy directory into force where the ledger names no policies yet; afterwards the
    ledger's word counts."""
    if rooms.control.active() is None:
        _activated(rooms, policies(rooms.settings))


def bring_into_force(rooms: Rooms) -> None:
    """Fill an empty ledger; in demo mode activate another policy directory too, at each start. A
    set that fails its checks is not activated and the old one stays."""
    fill(rooms)
    if rooms.settings.mode is Mode.DEMO:
        bundle = policies(rooms.settings)
        if rooms.control.active() != bundle.revision:
            _activated(rooms, bundle)


def _activated(rooms: Rooms, bundle: Bundle) -> None:
    prepare(bundle, rooms.engine)
    activate(rooms.ledger, bundle)
