"""A person, an agreement's terms, records, and rows in a dict, for tests of consent."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from consent.effects import Release
from consent.model import Act, Choice, Grant, Kind, Means, Person, Record, State, Terms
from kernel.clock import SECOND, Micros
from kernel.effect import Effect, Key, Moment, Row, Write
from kernel.names import (
    AgencyId,
    AgreementId,
    ConsentId,
    ExchangeId,
    Pointer,
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
TERMS = Terms(AGREEMENT, REVISION, AGENCY, "dpv:ServiceProvision", OFFERED, 365, None)


def giving(*granted: Grant, days: int = 30, uses: int | None = None, terms: Terms = TERMS) -> Act:
    """Return the act of giving these facts, or all that is offered."""
    choice = Choice(frozenset(granted) or terms.offered, days, uses)
    return Act(Kind.GIVE, AMINA, terms, COUNTER, choice)


def refusing(terms: Terms = TERMS) -> Act:
    return Act(Kind.REFUSE, AMINA, terms, COUNTER)


def withdrawing(terms: Terms = TERMS) -> Act:
    return Act(Kind.WITHDRAW, AMINA, terms, COUNTER)


def record(state: State = State.GIVEN, **changes: object) -> Record:
    """Return a record that was given at START for thirty days, with some members changed."""
    members = {
        "id": CONSENT,
        "subject_ref": REF,
        "agreement": AGREEMENT,
        "revision": REVISION,
        "state": state,
        "granted": OFFERED,
        "valid_from": START,
        "valid_until": Micros(START + 30 * DAY),
        "use_limit": None,
        "term": 1,
        "epoch": 1,
        "since": START,
        "identifier": b"sealed identifier",
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
