"""Detail: all that the page of one entry says: who, what, under what, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from consent.offer import Law, Offer, Words
from consent.pages.seen import Seen
from consent.pages.telling import EXCHANGES, Teller, ground, tag
from consent.pages.wording import Tag
from kernel.clock import Micros
from kernel.entry import EntryType
from kernel.names import AgencyId, AgreementId, Pointer, ServiceId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class How(StrEnum):
    """What became of a fact in an entry."""

    TOLD = "told"
    ANSWERED = "answered"
    """Only the answer to a question travelled."""
    WITHHELD = "withheld"
    ALLOWED = "allowed"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class FactLine:
    """One fact of an entry by name, never by value."""

    title: Words
    how: How
    about: str
    question: Words | None
    service: ServiceId
    pointer: Pointer


@dataclass(frozen=True, slots=True, repr=False)
class Detail:
    """An entry as its page shows it; a text that the entry does not have is None."""

    seen: Seen
    at: Micros
    sentence: str
    tag: Tag
    why: str
    agency: Words | None
    office: Words | None
    service: Words | None
    agreement: Words | None
    purpose: Words | None
    by_law: bool
    law: Law | None
    consent: str | None
    """The record's id where it is this person's own."""
    user: str | None
    client: str | None
    case: str | None
    clerk: str | None
    reason: str | None
    """Why, in the words of the authority that acted."""
    facts: tuple[FactLine, ...]


def moment_of(seen: Seen) -> Micros:
    """Return the entry's time."""
    return moment(seen.text("time"))


def moment(text: str) -> Micros:
    """Return the moment of a time as an entry writes it (RFC 3339)."""
    return Micros((datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1))


def detail(seen: Seen, teller: Teller) -> Detail:
    """Return what the page of an entry says."""
    directory, language = teller.directory, teller.language
    consumer, provider = seen.text("consumer"), seen.text("provider")
    offer = _offer(seen, teller)
    service = seen.text("service")
    return Detail(
        seen=seen,
        at=moment_of(seen),
        sentence=teller.sentence(seen),
        tag=tag(seen),
        why=ground(seen),
        agency=directory.agency_name(AgencyId(consumer), language) if consumer else None,
        office=directory.agency_name(AgencyId(provider), language) if provider else None,
        service=directory.service_title(ServiceId(service), language) if service else None,
        agreement=offer.title if offer else _named(seen.text("agreement")),
        purpose=offer.purpose if offer else None,
        by_law=seen.text("basis") == "statutory",
        law=offer.law if offer else None,
        consent=None if seen.named else seen.text("consent") or None,
        user=seen.said("actor", "user") or seen.said("actor", "officer"),
        client=seen.said("actor", "client"),
        case=seen.said("request", "case"),
        clerk=seen.said("actor", "clerk") or None,
        reason=seen.said("request", "reason"),
        facts=tuple(_facts(seen, teller, offer)),
    )


def _offer(seen: Seen, teller: Teller) -> Offer | None:
    agreement = seen.text("agreement")
    if not agreement:
        return None
    return teller.directory.offer(AgreementId(agreement), teller.language)


def _named(identifier: str) -> Words | None:
    return Words(identifier, "en") if identifier else None


def _facts(seen: Seen, teller: Teller, offer: Offer | None) -> Iterator[FactLine]:
    """Yield the facts that were asked for or allowed, each with what became of it."""
    questions = {fact.grant: fact.question for fact in offer.facts} if offer else {}
    directory, language = teller.directory, teller.language
    for service, field, how in _fields(seen):
        yield FactLine(
            title=directory.fact_title(service, field, language),
            how=how,
            about=directory.about(service, field),
            question=questions.get((service, field)) if how is not How.TOLD else None,
            service=service,
            pointer=field,
        )


def _fields(seen: Seen) -> Iterator[tuple[ServiceId, Pointer, How]]:
    if seen.type not in EXCHANGES:
        how = How.ASKED if seen.type is EntryType.CONSENT_REQUESTED else How.ALLOWED
        for service, fields in _by_service(seen.part("request").get("fields")):
            for field in fields:
                yield ServiceId(service), Pointer(field), how
        return
    service = ServiceId(seen.text("service") or seen.said("request", "service") or "")
    told = frozenset(seen.listed("response", "fields"))
    for field in seen.listed("request", "fields"):
        if seen.type is EntryType.EXCHANGE_REFUSAL:
            how = How.ASKED
        elif field not in told:
            how = How.WITHHELD
        elif field in seen.answers:
            how = How.ANSWERED
        else:
            how = How.ALLOWED if seen.type is EntryType.EXCHANGE_DECISION else How.TOLD
        yield service, Pointer(field), how


def _by_service(value: object) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(value, Mapping):
        for service, fields in value.items():
            if isinstance(fields, list | tuple):
                yield str(service), tuple(field for field in fields if isinstance(field, str))
