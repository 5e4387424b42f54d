"""Offers: what the catalogue in force says to people, in their language, with its notice."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from consent.model import Grant, Notice
from consent.offer import Fact, Halt, Law, Level, Offer, Pause, Words
from gateway.model import Agreed, Agreement, Authority, Basis, Text
from gateway.policy.control import InForce
from gateway.stops import NONE, Stops
from gateway.terms import terms_of
from kernel.canonical import Json, canonical
from kernel.clock import Clock, Micros
from kernel.errors import Outdated
from kernel.names import AgencyId, AgreementId, Pointer, Revision, ServiceId

ENGLISH = "en"
MOST = 4096
"""Offers that are kept ready; a catalogue with more is read each time."""


class Control(Protocol):
    """Knows what is in force."""

    def now(self) -> InForce:
        """Return what is in force at this moment, or raise `Outdated` where that changes."""
        ...


Key = tuple[AgreementId, str, bool]


@dataclass(slots=True)
class _Ready:
    """The offers that were made already of what is in force."""

    now: tuple[Revision, Stops]
    offers: dict[Key, Offer]


class Offers:
    """Reads the catalogue in force for people (`consent.offer.Directory`)."""

    def __init__(self, control: Control, clock: Clock) -> None:
        """Take what knows what is in force, and the time by which an agreement is."""
        self._control = control
        self._clock = clock
        self._lock = threading.Lock()
        self._ready = _Ready((Revision(""), NONE), {})

    def offer(self, agreement: AgreementId, language: str) -> Offer | None:
        """Return an agreement in a language, or None where the catalogue has none of that name."""
        now = self._now()
        found = now.agreements.get(agreement)
        return None if found is None else self._made(now, found, language)

    def offers(self, language: str) -> tuple[Offer, ...]:
        """Return every agreement, those by law too."""
        now = self._now()
        return tuple(self._made(now, one, language) for one in now.agreements.values())

    def agency_name(self, agency: AgencyId, language: str) -> Words:
        """Return an agency's name, or its identifier where the catalogue has it no longer."""
        return _agency_name(self._now(), agency, language)

    def service_title(self, service: ServiceId, language: str) -> Words:
        """Return a service's title, or its identifier."""
        found = self._now().services.get(service)
        return words(found.title, language) if found else Words(service, ENGLISH)

    def fact_title(self, service: ServiceId, field: Pointer, language: str) -> Words:
        """Return a field's title, or its pointer."""
        found = self._now().services.get(service)
        known = found.fields.get(field) if found else None
        return words(known.title, language) if known else Words(field, ENGLISH)

    def about(self, service: ServiceId, field: Pointer) -> str:
        """Return whose fact a field is; `subject` where nothing else is known."""
        found = self._now().services.get(service)
        known = found.fields.get(field) if found else None
        return known.about if known else "subject"

    def provider(self, service: ServiceId) -> AgencyId:
        """Return the agency that answers a service, or the name that its identifier begins with."""
        found = self._now().services.get(service)
        return found.provider if found else AgencyId(service.partition("/")[0])

    def halts(self) -> tuple[Halt, ...]:
        """Return what is stopped in an emergency, the newest first."""
        held = self._now().stops.held.values()
        newest = sorted(held, key=lambda one: one.index, reverse=True)
        return tuple(Halt(one.kind.value, one.name, one.since, one.reason) for one in newest)

    def returns_to(self, agency: AgencyId, address: str) -> bool:
        """Say whether a person may be sent back to an address, letter by letter."""
        found = self._now().agencies.get(agency)
        return found is not None and address in found.return_urls

    def _now(self) -> InForce:
        try:
            return self._control.now()
        except Outdated:  # the epoch moved between two looks; the next one stands
            return self._control.now()

    def _made(self, now: InForce, agreement: Agreement, language: str) -> Offer:
        key = (agreement.id, language, _in_force(agreement, self._clock.now()))
        with self._lock:
            known = (now.revision, now.stops)
            if self._ready.now != known or len(self._ready.offers) >= MOST:
                self._ready = _Ready(known, {})
            ready = self._ready
        if (made := ready.offers.get(key)) is None:
            made = ready.offers[key] = offer_of(now, agreement, language, in_force=key[2])
        return made


def offer_of(now: InForce, agreement: Agreement, language: str, *, in_force: bool) -> Offer:
    """Return an agreement as a person sees it."""
    law = now.catalogue.authorities.get(agreement.authority) if agreement.authority else None
    facts = tuple(
        _fact(now, (service, pointer), agreed, language)
        for service, fields in agreement.services.items()
        for pointer, agreed in fields.items()
    )
    said = {
        "agency_name": _agency_name(now, agreement.agency, language),
        "title": words(agreement.title, language),
        "purpose": words(agreement.purpose_text, language),
        "if_refused": words(agreement.if_refused, language),
        "instead": words(agreement.instead, language),
    }
    content = {
        **{name: text.text for name, text in said.items()},
        "facts": [_told(one) for one in facts],
        "law": _law_told(law, language),
    }
    return Offer(
        terms=terms_of(agreement),
        by_consent=agreement.basis is Basis.CONSENT,
        in_force=in_force,
        agency_name=said["agency_name"],
        title=said["title"],
        purpose=said["purpose"],
        facts=facts,
        if_refused=said["if_refused"],
        instead=said["instead"],
        retention_days=agreement.retention_days,
        level=Level(agreement.evidence_level),
        law=Law(words(law.act, language), law.article) if law else None,
        notice=_notice(agreement, language, content),
        pauses=_pauses(now, agreement, language),
    )


def _pauses(now: InForce, agreement: Agreement, language: str) -> tuple[Pause, ...]:
    """Return what of an agreement rests: all of it, or single offices."""
    if (stop := now.stops.agreement(agreement)) is not None:
        return (Pause(stop.since, None),)
    resting: dict[AgencyId, Micros] = {}
    for service in map(now.services.__getitem__, agreement.services):
        if (stop := now.stops.service(service)) is not None:
            resting.setdefault(service.provider, stop.since)
    return tuple(
        Pause(since, _agency_name(now, office, language)) for office, since in resting.items()
    )


def words(text: Text, language: str) -> Words:
    """Return a text in a language, or in English where there is none."""
    if language in text:
        return Words(text[language], language)
    return Words(text[ENGLISH], ENGLISH)


def _in_force(agreement: Agreement, at: Micros) -> bool:
    until = min(agreement.valid_until, agreement.impact_assessment_until)
    return agreement.valid_from <= at < until


def _agency_name(now: InForce, agency: AgencyId, language: str) -> Words:
    found = now.agencies.get(agency)
    return words(found.name, language) if found else Words(agency, ENGLISH)


def _fact(now: InForce, grant: Grant, agreed: Agreed, language: str) -> Fact:
    service = now.services[grant[0]]
    field = service.fields[grant[1]]
    return Fact(
        grant=grant,
        title=words(field.title, language),
        question=words(agreed.question, language) if agreed.question else None,
        answer=agreed.transform.kind.value if agreed.transform else None,
        optional=agreed.optional,
        about=field.about,
        provider=service.provider,
        provider_name=_agency_name(now, service.provider, language),
    )


def _told(fact: Fact) -> Json:
    return {
        "service": fact.grant[0],
        "field": fact.grant[1],
        "title": fact.title.text,
        "question": fact.question.text if fact.question else None,
        "answer": fact.answer,
        "optional": fact.optional,
        "about": fact.about,
        "provider": fact.provider_name.text,
    }


def _law_told(law: Authority | None, language: str) -> Json:
    return {"act": words(law.act, language).text, "article": law.article} if law else None


def _notice(agreement: Agreement, language: str, content: Mapping[str, Json]) -> Notice:
    """Return the notice: everything that a page says about the agreement, and its digest."""
    text = canonical(
        {
            **content,
            "agreement": agreement.id,
            "agreement_revision": agreement.revision,
            "agency": agreement.agency,
            "language": language,
            "lawful_basis": agreement.lawful_basis,
            "max_valid_days": agreement.max_valid_days,
            "max_uses": agreement.max_uses,
            "retention_days": agreement.retention_days,
            "evidence_level": agreement.evidence_level,
        }
    )
    return Notice(sha256(text).hexdigest(), language, text.decode())
