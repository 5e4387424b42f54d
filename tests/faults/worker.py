"""Worker: gives, withdraws, decides and releases through the product's own parts, and says so.

One line of JSON, in one unbuffered write, for each step: `try` before an append, `ok` when it
returned, `no` when it was refused, `asked` when a source was asked, `sent` when an answer left.
"""

import itertools
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from joserfc.jwk import ECKey

from consent.model import Act, Choice, Kind, Means, Person
from consent.store import ConsentStore
from crypto.seal import seal
from gateway import rooms as gateway_rooms
from gateway.ask import Posted, parse_ask
from gateway.journal import Journal
from gateway.model import Warrant
from gateway.pipeline import Pipeline
from gateway.rooms import Rooms, bring_into_force
from gateway.setup.settings import Settings
from gateway.terms import terms_of
from identity.clients import Clients, recipient
from identity.model import Caller, Credentials, Scope
from kernel.canonical import canonical
from kernel.clock import Deadline
from kernel.entry import Entry, Logged
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId, ClientId, Subject

ROOT = Path(__file__).parents[2]
AGREEMENT, SERVICE = "family-allowance", "population/residents"
FIELDS = ["/name/family", "/name/given"]
AGENCY, CLIENT = AgencyId("family-benefits"), ClientId("family-benefits-1")
STANDING = (3, 4, 5)
"""Who has a consent before the scenario begins."""
LATER = 9
"""Who comes after the fault, and is served."""


def settings(state: Path) -> Settings:
    """Return the settings of a gateway that lives in this directory."""
    given = {"MODE": "demo", "STATE_DIR": str(state), "POLICIES": str(ROOT / "policies")}
    return Settings.parse({f"GATEWAY_{name}": value for name, value in given.items()})


def subject(number: int) -> Subject:
    """Return the resident of a number, with its Luhn check digit."""
    digits = f"{number:06d}"
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return Subject("resident-number", f"RN-{digits}{-total % 10}")


def journal(state: Path) -> set[int]:
    """Return the indices in the guard's journal, whole lines alone."""
    try:
        text = (state / "guard" / "restrictions.jsonl").read_bytes()
    except FileNotFoundError:
        return set()
    return {json.loads(line)["index"] for line in text.split(b"\n")[:-1]}


class Say:
    """A pipe that takes whole lines."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __call__(self, **line: object) -> None:
        text = json.dumps(line).encode() + b"\n"
        assert os.write(self._descriptor, text) == len(text)


class Told:
    """The ledger, with every answer of it told at once."""

    def __init__(self, rooms: Rooms, say: Say) -> None:
        self._ledger = rooms.ledger
        self._state = rooms.settings.state_dir
        self._say = say
        self._count = itertools.count()

    def append(self, entry: Entry, effect=None, refused=None) -> Logged:
        n, header = next(self._count), dict(entry.header)
        line = {"n": n, "type": entry.type.value, "restricts": entry.restricts}
        self._say(**{"try": n}, **line)
        try:
            logged = self._ledger.append(entry, effect, refused)
        except Refusal as refusal:
            closes = refused is not None and refusal.reason is not Reason.LEDGER_UNAVAILABLE
            ended = header["exchange"] if closes else None
            self._say(no=refusal.reason.value, ended=ended, **line)
            raise
        if entry.restricts:
            line["kept"] = logged.index in journal(self._state)
        self._say(ok=logged.index, leaf=logged.leaf_hash.hex(), **line)
        return logged


@dataclass
class Known:
    """An authenticator that takes every request for the one client's."""

    clients: Clients

    def __call__(self, credentials: Credentials, scope: Scope | None) -> Caller:
        return self.refresh(None)

    def refresh(self, caller: Caller | None) -> Caller:
        client, epoch = self.clients.find(CLIENT)
        return Caller(client.id, client.agency, client.scopes, recipient(client), epoch)


@dataclass
class Desk:
    """Where people and the agency come with what they want; a refusal is told, not raised."""

    rooms: Rooms
    say: Say
    told: Told = field(init=False)
    consents: ConsentStore = field(init=False)
    pipeline: Pipeline = field(init=False)
    meanwhile: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        rooms = self.rooms
        self.told = Told(rooms, self.say)
        self.consents = ConsentStore(rooms.database, self.told, rooms.chance, rooms.clock)
        self.pipeline = Pipeline(
            authenticate=Known(rooms.clients),
            ask=lambda _, posted: parse_ask(posted),
            control=rooms.control,
            consents=self.consents,
            journal=Journal(self.told, rooms.pseudonyms, rooms.sign, rooms.chance),
            fetch=self._fetch,
            seal=lambda extract, to: seal(extract, to, rooms.settings.public_url),
            clock=rooms.clock,
            report=lambda error, _: self.say(fault=repr(error)),
        )

    def give(self, number: int, uses: int | None = None) -> None:
        self._act(Kind.GIVE, number, uses)

    def withdraw(self, number: int) -> None:
        self._act(Kind.WITHDRAW, number, None)

    def ask(self, number: int, meanwhile: Callable[[], None] | None = None) -> None:
        """Carry one exchange through the pipeline; `meanwhile` happens while the source answers."""
        self.meanwhile = meanwhile
        who = subject(number)
        body = {
            "agreement": AGREEMENT,
            "service": SERVICE,
            "subject": {"scheme": who.scheme, "value": who.value},
            "fields": FIELDS,
        }
        posted = Posted(canonical(body), "application/json", "", query=False, idempotency_key=False)
        try:
            answer = self.pipeline.handle(Credentials("POST", "/v1/exchanges", (), ()), posted)
        except Refusal as refusal:
            self.say(refused=refusal.reason.value, exchange=refusal.exchange)
        else:
            self.say(sent=answer.exchange, receipt=answer.receipt.jws)

    def at_once(self, *acts: Callable[[], None]) -> None:
        """Let acts wait together, so that one batch commits them."""
        ledger, clock = self.rooms.ledger, self.rooms.clock
        threads = [threading.Thread(target=act) for act in acts]
        with self.rooms.database._lock.held(Deadline.within(60, clock)):
            for thread in threads:
                thread.start()
            patience = Deadline.within(15, clock)
            while ledger._line._line.qsize() < _there(threads) - 1 and patience.left():
                threading.Event().wait(0.001)  # the batcher holds the first, and waits for us
        for thread in threads:
            thread.join()

    def _fetch(self, warrant: Warrant) -> object:
        self.say(asked=warrant.exchange)
        if self.meanwhile is not None:
            self.meanwhile()
        name = {"family": "Ng", "given": "Ada"}
        return {"resident_number": warrant.ask.subject.value, "name": name}

    def _act(self, kind: Kind, number: int, uses: int | None) -> None:
        who, names = subject(number), self.rooms.pseudonyms
        terms = terms_of(self.rooms.control.now().agreements[AGREEMENT])
        choice = Choice(terms.offered, 30, uses) if kind is Kind.GIVE else None
        person = Person(who, names.ref(who), names.seal(who))
        try:
            done = self.consents.carry_out(
                Act(kind, person, terms, Means("counter", "c-1"), choice)
            )
        except Refusal as refusal:
            self.say(declined=refusal.reason.value, act=kind.value)
        else:
            self.say(done=kind.value, consent=done.consent, index=done.index)


def _there(threads: list[threading.Thread]) -> int:
    """Return how many a fault has not ended yet."""
    return sum(thread.is_alive() for thread in threads)


def complete(rooms: Rooms) -> None:
    """Bring policies into force and register the client, where that is not done yet."""
    if rooms.control.active() is None:
        bring_into_force(rooms)
    if rooms.clients.find(CLIENT)[0] is None:
        pairs = [ECKey.generate_key("P-256", {"use": use, "kid": use}) for use in ("sig", "enc")]
        keys = {"keys": [pair.as_dict(private=False) for pair in pairs]}
        rooms.clients.add(AGENCY, CLIENT, canonical(keys), [Scope.EXCHANGE_REQUEST])


def prepare(state: Path) -> None:
    """Make a gateway's state: policies in force, a client, some consents."""
    rooms = gateway_rooms.open_rooms(settings(state))
    complete(rooms)
    desk = Desk(rooms, Say(os.open(os.devnull, os.O_WRONLY)))
    for number in STANDING:
        desk.give(number)
    rooms.close()


def scenario(desk: Desk) -> None:
    """Everything that happens to a consent and under it: eleven entries in nine commits."""
    desk.give(1, uses=1)
    desk.ask(1)
    desk.ask(1)  # refused: it is used up
    desk.withdraw(1)
    desk.ask(3, meanwhile=lambda: desk.withdraw(3))  # decided, and then not released
    desk.at_once(lambda: desk.give(4), lambda: desk.withdraw(5), lambda: desk.give(6))


def afterwards(desk: Desk) -> None:
    """Somebody new comes, and the agency asks about them."""
    desk.give(LATER)
    desk.ask(LATER)
