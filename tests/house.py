"""A house for tests of pages: the real application over real rooms, and people who are signed in.

No process is started: requests reach the application through its WSGI side, sessions are begun
where the sign-in would begin them, and entries are appended where the journal would.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from consent.cases import CaseStore
from consent.model import Act, Choice, Kind, Means, Person
from gateway.app import compose
from gateway.people.signin import sign_in
from gateway.rooms import Rooms, bring_into_force, opened
from gateway.setup.settings import Settings
from gateway.short_lived import short_lived
from gateway.terms import terms_of
from identity.model import Level, Realm, SignedIn
from kernel.canonical import Json
from kernel.clock import SECOND
from kernel.effect import Effect, Key, Moment, Rows, Write
from kernel.entry import Concerned, Entry, EntryType
from kernel.names import AgreementId, Subject
from tests.policies.repository import POLICIES

URL = "https://gateway.example"
AGREEMENT = AgreementId("family-allowance")
RESIDENTS = "population/residents"
_COOKIES = {Realm.RESIDENT: "__Host-resident", Realm.OFFICER: "__Host-officer"}
_TOKEN = re.compile(r'name="token" value="([^"]+)"')


@dataclass
class Visitor:
    """A browser with a session's cookie; it speaks to the application as a browser does."""

    client: FlaskClient
    cookie: str
    language: str = "en"

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, base_url=URL, headers=self._headers())

    def post(self, path: str, form: str | None = None, **members: str) -> TestResponse:
        """Send a form with the token that the page at `form` (or at the path) holds."""
        found = _TOKEN.search(self.get(form or path).text)
        members = {"token": found[1] if found else "none", **members}
        return self.client.post(path, base_url=URL, data=members, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {
            "Cookie": self.cookie,
            "Accept-Language": self.language,
            "Origin": URL,
            "Sec-Fetch-Site": "same-origin",
        }


@dataclass
class House:
    """The application, what stands behind it, and people to sign in."""

    rooms: Rooms
    client: FlaskClient
    sessions: object
    taken: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    @property
    def cases(self) -> CaseStore:
        rooms = self.rooms
        return CaseStore(rooms.database, rooms.ledger, rooms.chance, rooms.pseudonyms.open)

    def person(self) -> Person:
        """Return somebody whom no other test knows."""
        return self.named(f"RN-{with_check_digit(100_000 + next(self.taken))}")

    def named(self, value: str) -> Person:
        subject, names = Subject("resident-number", value), self.rooms.pseudonyms
        return Person(subject, names.ref(subject), names.seal(subject))

    def visitor(self, person: Person, level: Level = Level.SUBSTANTIAL) -> Visitor:
        """Return a person's browser, signed in."""
        return self._begun(Realm.RESIDENT, person.subject.value, person.subject, level)

    def officer(self, name: str = "officer-1") -> Visitor:
        """Return an officer's browser, signed in."""
        return self._begun(Realm.OFFICER, name, None, Level.SUBSTANTIAL)

    def _begun(self, realm: Realm, sub: str, person: Subject | None, level: Level) -> Visitor:
        now = self.rooms.clock.now() // SECOND
        who = SignedIn(realm, "https://signin.example", sub, person, level, now, None)
        return Visitor(self.client, f"{_COOKIES[realm]}={self.sessions.begin(who)}")

    def act(self, kind: Kind, person: Person, means: Means | None = None, **more: object) -> str:
        """Carry out an act about the family allowance; return the record's id."""
        terms = terms_of(self.rooms.control.now().agreements[AGREEMENT])
        choice = Choice(terms.offered, 30, terms.max_uses) if kind is Kind.GIVE else None
        means = means or Means("counter", "c-1")
        act = Act(kind, person, terms, means, **{"choice": choice, **more})
        return self.rooms.consents.carry_out(act).consent

    def exchange(
        self,
        name: str,
        person: Person,
        *others: Person,
        fields: Sequence[str] = ("/name/family", "/address/postcode"),
        told: Sequence[str] | None = ("/name/family",),
        **more: Json,
    ) -> None:
        """Write an exchange down as the journal does: a decision and a release, or where nothing
        was told a refusal, whose response and header `more` gives."""
        self.append(EntryType.EXCHANGE_DECISION, {**_header(name), "decision": "permit"}, [person],
                    _said(fields, {"fields": list(fields)}), _row(name))  # fmt: skip
        if told is not None:
            response: dict[str, Json] = {"fields": list(told), "sealed_sha256": "x", **more}
            people = [person, *others]
            said = _said(fields, response)
            self.append(EntryType.EXCHANGE_RELEASE, _header(name), people, said)

    def refusal(
        self, name: str, person: Person, reason: str, exact: str | None = None, **header: str
    ) -> None:
        """Write down that an exchange was refused at once."""
        said = _said(["/name/family"], {"reason": reason, "exact": exact})
        head = {**_header(name), "decision": "deny", **header}
        self.append(EntryType.EXCHANGE_REFUSAL, head, [person], said, _row(name))

    def append(
        self,
        kind: EntryType,
        header: dict[str, Json],
        people: Sequence[Person],
        said: dict[str, Json],
        effect: Effect | None = None,
    ) -> int:
        concerned = tuple(Concerned(one.ref, one.subject) for one in people)
        return self.rooms.ledger.append(Entry(kind, header, said, concerned), effect).index


@contextmanager
def house(state: Path, **environ: str) -> Iterator[House]:
    """Hold a house open over a state directory of its own."""
    settings = Settings.parse(
        {
            "GATEWAY_STATE_DIR": str(state),
            "GATEWAY_POLICIES": str(POLICIES),
            "GATEWAY_PUBLIC_URL": URL,
            **environ,
        }
    )
    with opened(settings) as rooms:
        bring_into_force(rooms)
        sessions = sign_in(rooms, short_lived(rooms), lambda _: None).sessions
        yield House(rooms, compose(rooms).test_client(use_cookies=False), sessions)


def with_check_digit(number: int) -> str:
    """Return six digits and their check digit (ISO/IEC 7812, Luhn)."""
    digits = [int(one) for one in f"{number:06d}"]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[::-1][::2]]
    total = sum(doubled) + sum(digits[::-1][1::2])
    return f"{number:06d}{-total % 10}"


def _header(name: str) -> dict[str, Json]:
    return {
        "exchange": name,
        "consumer": "family-benefits",
        "provider": "population",
        "service": RESIDENTS,
        "agreement": AGREEMENT,
        "agreement_revision": "a" * 64,
        "purpose": "dpv:ServiceProvision",
        "basis": "consent",
        "policy": "b" * 64,
        "consent": "co_1",
    }


def _said(fields: Sequence[str], response: dict[str, Json]) -> dict[str, Json]:
    return {
        "actor": {"client": "family-benefits-1", "user": "clerk-4471"},
        "request": {
            "agreement": AGREEMENT,
            "service": RESIDENTS,
            "fields": list(fields),
            "case": "FA-2026-00042",
        },
        "response": response,
    }


def _row(name: str) -> Effect:
    def apply(_: Rows, moment: Moment) -> Sequence[Write]:
        row = {
            "id": name,
            "client": "family-benefits-1",
            "agency": "family-benefits",
            "agreement": AGREEMENT,
            "service": RESIDENTS,
            "state": "released",
            "opened": moment.time,
            "decision": moment.index,
            "closing": None,
            "receipt": None,
            "person": None,
            "identifier": None,
        }
        return (Write(Key("exchange", (name,)), row),)

    return Effect((), apply)
