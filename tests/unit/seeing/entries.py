"""Entries as a person sees them, and a small catalogue to tell them from; no database."""

from collections.abc import Mapping

from consent.model import Asking, Notice, Terms
from consent.offer import Fact, Law, Level, Offer, Words
from consent.pages.seen import Seen
from kernel.canonical import Json
from kernel.entry import EntryType
from kernel.names import AgencyId, AgreementId, Pointer, Revision, ServiceId

RESIDENTS = ServiceId("population/residents")
NAMES = {
    "family-benefits": {"en": "Family Benefits", "fr": "Allocations"},
    "population": {"en": "Population Register", "fr": "Registre"},
    "tax": {"en": "Tax Office"},
}
FIELDS = {
    "/name/family": ("Family name", "subject"),
    "/children/*/birth_date": ("Dates of birth of your children", "child"),
    "/spouse/name": ("Name of your partner", "partner"),
}


class Catalogue:
    """Implements `consent.offer.Directory`."""

    def offer(self, agreement: AgreementId, language: str) -> Offer | None:
        return made(agreement) if agreement in {"allowance", "tax-letters"} else None

    def offers(self, language: str) -> tuple[Offer, ...]:
        return made("allowance"), made("tax-letters")

    def agency_name(self, agency: AgencyId, language: str) -> Words:
        known = NAMES.get(agency, {})
        tag = language if language in known else "en"
        return Words(known.get(tag, agency), tag)

    def service_title(self, service: ServiceId, language: str) -> Words:
        return Words("Residents", "en")

    def fact_title(self, service: ServiceId, field: Pointer, language: str) -> Words:
        return Words(FIELDS[field][0] if field in FIELDS else field, "en")

    def about(self, service: ServiceId, field: Pointer) -> str:
        return FIELDS[field][1] if field in FIELDS else "subject"


def made(agreement: str) -> Offer:
    by_consent = agreement == "allowance"
    agency = AgencyId("family-benefits" if by_consent else "tax")
    grant = (RESIDENTS, Pointer("/name/family"))
    terms = Terms(
        AgreementId(agreement), Revision("a" * 64), agency, "p", frozenset({grant}),
        frozenset(), 365, None, Asking(30, 30, 100),
    )  # fmt: skip
    question = Words("Is your name known?", "en")
    fact = Fact(grant, Words("Family name", "en"), question, "yes_no", False, "subject",
                AgencyId("population"), Words("Population Register", "en"))  # fmt: skip
    none = Words("", "en")
    return Offer(
        terms=terms,
        by_consent=by_consent,
        in_force=True,
        agency_name=Words(NAMES[agency]["en"], "en"),
        title=Words("Allowance" if by_consent else "Tax letters", "en"),
        purpose=Words("To decide.", "en"),
        facts=(fact,),
        if_refused=none,
        instead=none,
        retention_days=30,
        level=Level.LOW,
        law=None if by_consent else Law(Words("Tax Act", "en"), "§ 14"),
        notice=Notice("d" * 64, "en", "{}"),
    )


def entry(
    kind: EntryType, number: int = 1, *, named: bool = False, day: int = 1, **parts: Json
) -> Seen:
    """Return an entry of a kind: `parts` are its disclosures, and `header` adds to its header."""
    added = parts.pop("header", {})
    assert isinstance(added, Mapping)
    header = {
        "type": kind.value,
        "time": f"2026-11-{day:02d}T12:00:00.000001Z",
        "v": 1,
        **(EXCHANGE if kind.value.startswith("exchange.") else {}),
        **(CONSENT if kind.value.startswith("consent.") else {}),
        **added,
    }
    return Seen(number, 40 + number, header, parts, named)


EXCHANGE = {
    "exchange": "ex_1",
    "consumer": "family-benefits",
    "provider": "population",
    "service": RESIDENTS,
    "agreement": "allowance",
    "basis": "consent",
    "consent": "co_1",
}
CONSENT = {"consumer": "family-benefits", "agreement": "allowance", "consent": "co_1"}
