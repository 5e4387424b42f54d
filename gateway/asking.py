"""Asking: a request for a person's consent, parsed once and held against the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import Field, StringConstraints

from consent.model import Grant
from gateway.ask import MAX_FIELDS, Free, Name, Named, Path, Posted, Strict, malformed, read
from gateway.model import Agency, Agreement, Basis
from gateway.resolve import Registered, agreement_named, case_for, fields_of, service_named
from kernel.clock import Micros
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId, AgreementId, Pointer, ServiceId, Subject

MAX_SERVICES = 16

_Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class _Body(Strict):
    agreement: Name
    subject: Named
    fields: dict[Name, list[Path]] = Field(min_length=1, max_length=MAX_SERVICES)
    case: Free | None = None
    return_url: _Url | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ConsentAsk:
    """What an agency wants to ask a person for."""

    agreement: AgreementId
    subject: Subject
    fields: Mapping[ServiceId, tuple[Pointer, ...]]
    case: str | None
    return_url: str | None

    @property
    def grants(self) -> frozenset[Grant]:
        """Return the facts asked for, as the consent rules name them."""
        return frozenset(
            (service, field) for service, fields in self.fields.items() for field in fields
        )


class Catalogued(Registered, Protocol):
    """The part of the catalogue that such a request is resolved against."""

    @property
    def agencies(self) -> Mapping[AgencyId, Agency]:
        """Return the agencies by name."""
        ...

    def subject(self, subject: Subject) -> Subject:
        """Return the person whom an identifier names, or raise `Refusal` where it is malformed."""
        ...


def parse_consent_ask(posted: Posted) -> ConsentAsk:
    """Return the request in a body, or raise `Refusal` with `request.malformed`."""
    given = read(posted, _Body)
    for fields in given.fields.values():
        if not fields:
            raise malformed("A service in `fields` has no field.")
        if len(set(fields)) != len(fields):
            raise malformed("`fields` names a field of a service twice.")
    if sum(map(len, given.fields.values())) > MAX_FIELDS:
        raise malformed(f"`fields` has more than {MAX_FIELDS} fields in all.")
    return ConsentAsk(
        agreement=AgreementId(given.agreement),
        subject=Subject(given.subject.scheme, given.subject.value),
        fields={
            ServiceId(service): tuple(Pointer(field) for field in fields)
            for service, fields in given.fields.items()
        },
        case=given.case,
        return_url=given.return_url,
    )


def resolve(
    directory: Catalogued, agency: AgencyId, ask: ConsentAsk, at: Micros
) -> tuple[Agreement, Subject]:
    """Return the agency's agreement and the person, or raise `Refusal` in the public order; whether
    the person is known anywhere is not looked up."""
    agreement = agreement_named(directory, agency, ask.agreement, at)
    if agreement.basis is not Basis.CONSENT:
        raise Refusal(
            Reason.POLICY_DENIED,
            "The agreement rests on law; nobody is asked for consent to it.",
        )
    case_for(agreement, ask.case)
    _check_fields(directory, agreement, ask)
    subject = directory.subject(ask.subject)
    known = directory.agencies.get(agency)
    if ask.return_url is not None and (known is None or ask.return_url not in known.return_urls):
        raise malformed("`return_url` is not, letter by letter, one that your agency registered.")
    return agreement, subject


def _check_fields(directory: Catalogued, agreement: Agreement, ask: ConsentAsk) -> None:
    services = [service_named(directory, agreement, name) for name in ask.fields]
    for service in services:
        fields_of(service, agreement, ask.fields[service.id])
    for service in services:
        agreed = agreement.services[service.id]
        required = {field for field, one in agreed.items() if not one.optional}
        if required - set(ask.fields[service.id]):
            raise malformed(
                f"`fields` leaves out a fact that the agreement requires of {service.id}; without"
                " it the service would answer nothing."
            )
