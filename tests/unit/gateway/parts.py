"""One agreement, one service, one ask, and small stand-ins for the rooms around the pipeline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from flask import Response

from consent.model import Finding, FindingState, Found
from crypto.model import Recipient, Sealed
from gateway.ask import Posted
from gateway.http.web import Front
from gateway.journal import Journal
from gateway.model import (
    Agreed,
    Agreement,
    Ask,
    Authority,
    Basis,
    Docket,
    Field,
    Permit,
    Service,
    Warrant,
)
from gateway.observing.metrics import Metrics
from gateway.observing.observer import Observer
from gateway.policy.catalogue import Scheme
from identity.model import Caller, Credentials, Scope
from kernel.canonical import Json, canonical
from kernel.clock import SECOND, Micros, SystemClock
from kernel.effect import Key, Moment, Row
from kernel.entry import Change, Concerned, Entry
from kernel.errors import Outdated, Refusal
from kernel.names import Revision, Subject, SubjectRef

NOW = Micros(1_795_000_000 * SECOND)
YEAR = 365 * 86_400 * SECOND
POLICY = Revision("b" * 64)
FAMILY, GIVEN, BORN = "/name/family", "/name/given", "/children/*/birth_date"
FIELDS = (FAMILY, GIVEN, BORN)
NUMBER = "RN-1234566"
CHILD = "RN-7654320"
AMINA = Subject("resident-number", NUMBER)
CONCERNED = Concerned(SubjectRef("c" * 32), AMINA)
CREDENTIALS = Credentials("POST", "/v1/exchanges", ("DPoP token",), ("proof",))
RECORD = {
    "number": NUMBER,
    "name": {"family": "Haddad", "given": "Amina", "born": "Nassar"},
    "children": [{"number": CHILD, "birth_date": "2026-03-01", "school": "North"}],
}

SERVICE = Service(
    id="population/residents",
    provider="population",
    title={"en": "Residents"},
    source="population",
    adapter="sql",
    read={"table": "residents"},
    subject_at="/number",
    fields={
        pointer: Field(pointer, {"en": pointer}, "identity", about)
        for pointer, about in ((FAMILY, "subject"), (GIVEN, "subject"), (BORN, "child"))
    },
    concerns={"child": "/children/*/number"},
)
AGREEMENT = Agreement(
    id="family-allowance",
    revision=Revision("a" * 64),
    agency="family-benefits",
    title={"en": "Family allowance"},
    basis=Basis.CONSENT,
    lawful_basis="eu-gdpr:A6-1-a",
    purpose="dpv:ServiceProvision",
    purpose_text={"en": "To decide on an allowance."},
    authority=None,
    services={
        "population/residents": {FAMILY: Agreed(optional=False), GIVEN: Agreed(optional=True)}
    },
    case_required=False,
    user_required=False,
    valid_from=Micros(NOW - YEAR),
    valid_until=Micros(NOW + YEAR),
    impact_assessment_until=Micros(NOW + YEAR),
    max_valid_days=365,
    max_uses=None,
    if_refused={"en": "We ask you for papers."},
    instead={"en": "You can bring papers."},
    retention_days=30,
    evidence_level="substantial",
    open_days=14,
    again_after_days=30,
    asked_per_day=100,
)
LAW = Authority(
    id="maintenance-act",
    act={"en": "Maintenance Act"},
    article="§ 4",
    valid_from=Micros(NOW - YEAR),
    valid_until=Micros(NOW + YEAR),
    bodies=frozenset({"family-benefits"}),
    purposes=frozenset({"dpv:LegalCompliance"}),
    categories=frozenset({"identity"}),
)
BY_LAW = replace(
    AGREEMENT,
    id="child-maintenance",
    basis=Basis.STATUTORY,
    lawful_basis="eu-gdpr:A6-1-c",
    purpose="dpv:LegalCompliance",
    authority="maintenance-act",
)
CALLER = Caller(
    client_id="fb-1",
    agency="family-benefits",
    scopes=frozenset({Scope.EXCHANGE_REQUEST}),
    recipient=Recipient("fb-1", "{}"),
    epoch=3,
)
ASK = Ask("family-allowance", "population/residents", AMINA, (FAMILY, GIVEN), "FA-7", "clerk-9")
FOUND = Found(
    Finding(
        FindingState.GIVEN,
        "co_1",
        frozenset({("population/residents", FAMILY), ("population/residents", GIVEN)}),
    ),
    frozenset(),
)
BODY: Mapping[str, Json] = {
    "agreement": "family-allowance",
    "service": "population/residents",
    "subject": {"scheme": "resident-number", "value": NUMBER},
    "fields": [FAMILY, GIVEN],
    "case": "FA-7",
    "user": "clerk-9",
}


def named(subject: Subject) -> Subject:
    """Name a person as the catalogue's scheme does."""
    return Scheme("resident-number", {"en": "Resident number"}, "RN-", 7).subject(
        subject.scheme, subject.value
    )


def posted(body: object = BODY, **headers: object) -> Posted:
    """Return a request with this body, given as bytes or as what JSON says."""
    said = {
        "content_type": "application/json",
        "content_encoding": "identity",
        "query": False,
        "idempotency_key": False,
    }
    return Posted(body if isinstance(body, bytes) else canonical(body), **{**said, **headers})


def permit(*fields: str, consent: str | None = "co_1") -> Permit:
    chosen = fields or (FAMILY, GIVEN)
    return Permit(frozenset(chosen), (), consent, POLICY, b'{"at":1}')


def docket(**changes: object) -> Docket:
    """Return the docket of an exchange that is resolved and not decided yet."""
    known = {
        "person": CONCERNED,
        "agreement": AGREEMENT,
        "service": SERVICE,
        "consent": "co_1",
        "policy": POLICY,
        "input": b'{"at":1}',
    }
    return Docket("ex_1", CALLER, ASK, **{**known, **changes})


def warrant(*fields: str, **changes: object) -> Warrant:
    made = Warrant("ex_1", ASK, CONCERNED, AGREEMENT, SERVICE, permit(*fields), 3)
    return replace(made, **changes)


class Set(SystemClock):
    """A clock that stands where the test puts it."""

    def __init__(self, at: int = NOW) -> None:
        self.at = at
        self.seconds = 50.0

    def now(self) -> Micros:
        return Micros(self.at)

    def monotonic(self) -> float:
        return self.seconds


class Counting:
    """Chance that is the same every time."""

    def __init__(self) -> None:
        self.drawn = 0

    def bits(self, size: int) -> bytes:
        return bytes(size)

    def identifier(self, prefix: str) -> str:
        self.drawn += 1
        return f"{prefix}_{self.drawn}"


class Pseudonyms:
    """Names everybody alike."""

    def ref(self, subject: Subject) -> SubjectRef:
        return CONCERNED.ref

    def seal(self, subject: Subject) -> bytes:
        return b"sealed identifier"


@dataclass(frozen=True)
class Logged:
    """Where an entry of the stand-in ledger stands."""

    index: int
    time: Micros = NOW
    origin: str = "gateway.example/audit/log"
    leaf_hash: bytes = b"h" * 32

    def proof(self) -> str:
        return f"proof of {self.index}"


@dataclass
class Ledger:
    """A ledger in a list: carries effects out on a dict; can be told to fail."""

    rows: dict[Key, Row] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    failures: list[Exception | None] = field(default_factory=list)
    """What happens to the appends to come, one each; None lets it pass."""
    asked: int = 0
    epoch: int = 3

    def append(self, entry, effect=None, refused=None):
        self.asked += 1
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure
        if entry.epoch is not None and entry.epoch != self.epoch:
            raise Outdated
        try:
            return self._commit(Change(entry, effect))
        except Refusal as refusal:
            if refused is not None:
                self._commit(refused(refusal))
            raise

    def _commit(self, change: Change) -> Logged:
        index = len(self.entries)
        if change.effect is not None:
            seen = {key: self.rows.get(key) for key in change.effect.reads}
            for write in change.effect.apply(seen, Moment(NOW, index)):
                self.rows[write.key] = write.row
        self.entries.append(change.entry)
        return Logged(index)

    def told(self) -> list[tuple[str, object]]:
        """Return each entry's type, and the reason where it is a refusal."""
        return [
            (str(entry.type), entry.disclosures["response"].get("reason")) for entry in self.entries
        ]


def sign(claims, place) -> str:
    """Return a receipt that says what it was made of."""
    return f"{place.index}:{claims['iat']}:{','.join(claims['fields'])}"


def journal(ledger: Ledger) -> Journal:
    return Journal(ledger, Pseudonyms(), sign, Counting())


def front(metrics: Metrics, report: Callable[[Exception, str], None], clock: Set | None = None):
    """Return the front of a house whose pages say a refusal's reason and no more."""
    return Front(
        public_url="https://gateway.example",
        observer=Observer(clock or Set(), Counting(), metrics),
        report=report,
        page=lambda refusal, status: Response(refusal.reason.value, status),
        install=lambda _: None,
    )


SEALED = Sealed("a.b.c.d.e", b"s" * 32)
