"""A person, an agreement's terms, records, and rows in a dict, for tests of consent."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from consent.acts import Fresh, written
from consent.changes import Seen
from consent.effects import Release
from consent.model import (
    Act,
    Asked,
    Asking,
    Choice,
    Grant,
    Kind,
    Means,
    Notice,
    Person,
    Record,
    State,
    Terms,
)
from consent.requests import asked_key
from consent.rows import record_key, record_of, slot_key
from kernel.clock import SECOND, Micros
from kernel.effect import Effect, Key, Moment, Row, Write
from kernel.entry import Entry
from kernel.names import (
    AgencyId,
    AgreementId,
    ClientId,
    ConsentId,
    ExchangeId,
    Pointer,
    ReceiptId,
    RequestId,
    Revision,
    ServiceId,
    Subject,
    SubjectRef,
)

START = Micros(1_795_000_000 * SECOND)
DAY = 86_400 * SECOND
AGREEMENT = AgreementId("family-allowance")
AGENCY = AgencyId("family-benefits")
REVISION = Revision("a" * 64)
OTHER_REVISION = Revision("b" * 64)
RESIDENTS = ServiceId("population/residents")
INCOME = ServiceId("tax/income")
FAMILY = Pointer("/name/family")
BORN = Pointer("/children/*/birth_date")
TOTAL = Pointer("/income/total")
OFFERED: frozenset[Grant] = frozenset({(RESIDENTS, FAMILY), (RESIDENTS, BORN), (INCOME, TOTAL)})
CONSENT = ConsentId("co_1")
REF = SubjectRef("c" * 32)
AMINA = Person(Subject("resident-number", "RN-1234566"), REF, b"sealed identifier")
COUNTER = Means("counter", "clerk-1")
PAGE = Means("web", "", "substantial")
CLIENT = ClientId("family-benefits-1")
SYSTEM = Means("agency", CLIENT)
COURT = Means("authority", "officer-1")
REQUIRED: frozenset[Grant] = frozenset({(RESIDENTS, FAMILY), (INCOME, TOTAL)})
PURPOSE = "dpv:ServiceProvision"
ASKING = Asking(open_days=14, again_after_days=30, per_day=3)
TERMS = Terms(AGREEMENT, REVISION, AGENCY, PURPOSE, OFFERED, REQUIRED, 365, None, ASKING)


def notice(language: str = "en") -> Notice:
    """Return what a page said in a language."""
    content = f'{{"language":"{language}"}}'
    return Notice(sha256(content.encode()).hexdigest(), language, content)


def giving(*granted: Grant, days: int = 30, uses: int | None = None, terms: Terms = TERMS) -> Act:
    """Return the act of giving these facts, or all that is offered."""
    choice = Choice(frozenset(granted) or terms.offered, days, uses)
    return Act(Kind.GIVE, AMINA, terms, COUNTER, choice)


def narrowing(*remaining: Grant, terms: Terms = TERMS) -> Act:
    """Return the act of keeping these facts and no others."""
    return Act(Kind.NARROW, AMINA, terms, COUNTER, Choice(frozenset(remaining), 0, None))


def asking(number: int = 1, *fields: Grant, terms: Terms = TERMS, person: Person = AMINA) -> Act:
    """Return an agency's request for these facts, or for all that is offered."""
    asked = Asked(
        RequestId(f"rq_{number}"), CLIENT, frozenset(fields) or terms.offered, b"case", None
    )
    return Act(Kind.REQUEST, person, terms, SYSTEM, notice=notice(), asked=asked)


def saying(kind: Kind, terms: Terms = TERMS) -> Act:
    """Return an act that needs no more than its kind, by those who may do it."""
    means = {Kind.REVOKE: SYSTEM, Kind.INVALIDATE: COURT}.get(kind, COUNTER)
    return Act(kind, AMINA, terms, means, reason="A court said so." if means is COURT else None)


def refusing(terms: Terms = TERMS) -> Act:
    return saying(Kind.REFUSE, terms)


def withdrawing(terms: Terms = TERMS) -> Act:
    return saying(Kind.WITHDRAW, terms)


def record(state: State = State.GIVEN, **changes: object) -> Record:
    """Return a record that was given at START for thirty days, with some members changed."""
    members = {
        "id": CONSENT,
        "subject_ref": REF,
        "agreement": AGREEMENT,
        "revision": REVISION,
        "agency": AGENCY,
        "purpose": PURPOSE,
        "state": state,
        "granted": OFFERED,
        "valid_from": START,
        "valid_until": Micros(START + 30 * DAY),
        "use_limit": None,
        "term": 1,
        "epoch": 1,
        "since": START,
        "identifier": b"sealed identifier",
        "notice": None,
        "language": None,
    }
    return Record(**{**members, **changes})


def release(
    number: int = 1,
    *fields: Pointer,
    consent: ConsentId | None = CONSENT,
    service: ServiceId = RESIDENTS,
    revision: Revision = REVISION,
) -> Release:
    return Release(
        subject_ref=REF,
        consent=consent,
        revision=revision,
        agency=AGENCY,
        service=service,
        fields=frozenset(fields or {FAMILY}),
        exchange=ExchangeId(f"ex_{number}"),
    )


@dataclass
class Tables:
    """Rows in a dict; an effect reads only what it named, and writes all or nothing."""

    rows: dict[Key, Row] = field(default_factory=dict)
    index: int = 0

    def put(self, writes: Iterable[Write]) -> None:
        self.rows.update({write.key: write.row for write in writes})

    def commit(self, effect: Effect, at: int = START) -> int:
        """Apply an effect as the ledger does, and return the index of its entry."""
        seen = {key: self.rows.get(key) for key in effect.reads}
        index = self.index + 1
        self.put(effect.apply(seen, Moment(Micros(at), index)))
        self.index = index
        return index

    def table(self, name: str) -> list[Row]:
        return [row for key, row in self.rows.items() if key.table == name]

    def current(self, ref: SubjectRef = REF, agreement: AgreementId = AGREEMENT) -> Record | None:
        """Return the record that the slot names, as the store reads it."""
        slot = self.rows.get(slot_key(ref, agreement))
        return record_of(self.rows[record_key(slot["consent"])]) if slot else None

    def seen(self, ref: SubjectRef = REF, agreement: AgreementId = AGREEMENT) -> Seen:
        """Return what the store sees before an act."""
        last = self.rows.get(asked_key(ref, agreement))
        request = RequestId(last["request"]) if last and last["request"] else None
        return Seen(self.current(ref, agreement), request)

    def write(self, act: Act, consent: str = "co_fresh") -> tuple[Entry, Effect]:
        """Return what the ledger would be given for an act on what stands now."""
        fresh = Fresh(ConsentId(consent), ReceiptId(f"rc_{self.index + 1}"))
        return written(act, self.seen(act.person.ref, act.terms.agreement), fresh)

    def act(self, act: Act, at: int = START, consent: str = "co_fresh") -> tuple[Entry, Record]:
        """Carry an act out and return its entry and the record after it."""
        entry, effect = self.write(act, consent)
        self.commit(effect, at)
        return entry, self.current(act.person.ref, act.terms.agreement)
