"""Offer: what the catalogue in force says to a person, in their language; no personal data."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from consent.model import Grant, Notice, Terms
from kernel.clock import Micros
from kernel.names import AgencyId, AgreementId, Pointer, ServiceId


@dataclass(frozen=True, slots=True)
class Words:
    """A text, and the language that it is in: English where the catalogue has no other."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Fact:
    """One field that an agreement may learn, as its person is asked for it."""

    grant: Grant
    title: Words
    question: Words | None
    """Where only an answer travels: the question that it answers."""
    answer: str | None
    """The kind of transform: yes_no, at_least_age, band, year, mask, exists."""
    optional: bool
    about: str
    """Whose fact it is: subject, child, partner, other."""
    provider: AgencyId
    provider_name: Words


@dataclass(frozen=True, slots=True)
class Law:
    """The law on which a statutory agreement rests."""

    act: Words
    article: str


@dataclass(frozen=True, slots=True)
class Pause:
    """The gateway stopped something in an emergency; nobody's consent is lost by it."""

    since: Micros
    office: Words | None
    """The office that is not asked now; None where all of the agreement rests."""


@dataclass(frozen=True, slots=True)
class Halt:
    """What is stopped, as an officer reads it."""

    kind: str
    """agreement, agency, source."""
    name: str
    since: Micros
    reason: str


class Level(StrEnum):
    """The level of sign-in that giving consent needs."""

    LOW = "low"
    SUBSTANTIAL = "substantial"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Offer:
    """An agreement as a person sees it, with its terms and the notice of what they see."""

    terms: Terms
    by_consent: bool
    in_force: bool
    agency_name: Words
    title: Words
    purpose: Words
    facts: tuple[Fact, ...]
    if_refused: Words
    instead: Words
    retention_days: int
    level: Level
    law: Law | None
    notice: Notice
    pauses: tuple[Pause, ...] = ()

    @property
    def paused(self) -> bool:
        """Say whether all of it rests, so that nobody is asked to agree now."""
        return any(one.office is None for one in self.pauses)


class Directory(Protocol):
    """Reads the catalogue in force for people."""

    def offer(self, agreement: AgreementId, language: str) -> Offer | None:
        """Return an agreement in a language, or None where none of that name is in force."""
        ...

    def offers(self, language: str) -> tuple[Offer, ...]:
        """Return every agreement, those by law too."""
        ...

    def agency_name(self, agency: AgencyId, language: str) -> Words:
        """Return an agency's name, or its identifier where the catalogue has it no longer."""
        ...

    def service_title(self, service: ServiceId, language: str) -> Words:
        """Return a service's title, or its identifier."""
        ...

    def fact_title(self, service: ServiceId, field: Pointer, language: str) -> Words:
        """Return a field's title, or its pointer."""
        ...

    def about(self, service: ServiceId, field: Pointer) -> str:
        """Return whose fact a field is; `subject` where nothing else is known."""
        ...

    def provider(self, service: ServiceId) -> AgencyId:
        """Return the agency that answers a service."""
        ...

    def halts(self) -> tuple[Halt, ...]:
        """Return what is stopped in an emergency, the newest first."""
        ...

    def returns_to(self, agency: AgencyId, address: str) -> bool:
        """Say whether a person may be sent back to an address of an agency, letter by letter."""
        ...
