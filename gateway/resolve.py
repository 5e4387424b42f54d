"""Resolve: what the catalogue registered for a request, or its refusal in the public order."""

from collections.abc import Mapping
from typing import Protocol

from gateway.model import Agreement, Ask, Service
from gateway.stops import Stops
from kernel.clock import Micros
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId, AgreementId, Pointer, ServiceId


class Registered(Protocol):
    """The part of the catalogue that a request is resolved against."""

    @property
    def agreements(self) -> Mapping[AgreementId, Agreement]:
        """Return the agreements by name."""
        ...

    @property
    def services(self) -> Mapping[ServiceId, Service]:
        """Return the services by name."""
        ...

    @property
    def stops(self) -> Stops:
        """Return what is stopped in an emergency."""
        ...


def agreement_for(registered: Registered, agency: AgencyId, ask: Ask, at: Micros) -> Agreement:
    """Return the agency's own agreement that a request names; its basis is the only one (P7)."""
    agreement = agreement_named(registered, agency, ask.agreement, at)
    case_for(agreement, ask.case)
    if agreement.user_required and ask.user is None:
        raise Refusal(Reason.USER_REQUIRED, "The agreement wants the acting clerk in `user`.")
    return agreement


def agreement_named(
    registered: Registered, agency: AgencyId, name: AgreementId, at: Micros
) -> Agreement:
    """Return the agency's own agreement of a name, when it is in force."""
    agreement = registered.agreements.get(name)
    if agreement is None or agreement.agency != agency:
        raise Refusal(
            Reason.AGREEMENT_UNKNOWN,
            "Your agency has no agreement of that name; /v1/agreements lists yours.",
        )
    until = min(agreement.valid_until, agreement.impact_assessment_until)
    if not agreement.valid_from <= at < until:
        raise Refusal(
            Reason.AGREEMENT_NOT_IN_FORCE,
            "The agreement has not begun, has ended, or its impact assessment has expired.",
        )
    if registered.stops.agreement(agreement):
        raise Refusal(
            Reason.AGREEMENT_NOT_IN_FORCE,
            "The gateway stopped the agreement; /v1/agreements says since when.",
        )
    return agreement


def running(registered: Registered, service: Service) -> None:
    """Raise `Refusal` where the source of a service is stopped: nobody is asked there."""
    if registered.stops.service(service):
        raise Refusal(Reason.SOURCE_UNAVAILABLE, "The gateway stopped the source of the service.")


def case_for(agreement: Agreement, case: str | None) -> None:
    """Raise `Refusal` where an agreement allows questions only in a case, and there is none."""
    if agreement.case_required and case is None:
        raise Refusal(Reason.CASE_REQUIRED, "The agreement wants a case number in `case`.")


def service_for(registered: Registered, agreement: Agreement, ask: Ask) -> Service:
    """Return the service that a request names, when its agreement covers it and every field."""
    service = service_named(registered, agreement, ask.service)
    fields_of(service, agreement, ask.fields)
    return service


def service_named(registered: Registered, agreement: Agreement, name: ServiceId) -> Service:
    """Return the service of a name, when its agreement covers it."""
    service = registered.services.get(name)
    if service is None or name not in agreement.services:
        raise Refusal(
            Reason.SERVICE_NOT_AGREED,
            "The agreement does not cover that service; /v1/agreements names those it covers.",
        )
    return service


def fields_of(service: Service, agreement: Agreement, fields: tuple[Pointer, ...]) -> None:
    """Raise `Refusal` for the first field that the service or the agreement does not have."""
    agreed = agreement.services[service.id]
    _each(fields, service.fields, Reason.FIELD_UNKNOWN, "the service does not have it")
    _each(fields, agreed, Reason.FIELD_NOT_AGREED, "the agreement does not cover it")


def _each(
    asked: tuple[Pointer, ...], known: Mapping[Pointer, object], reason: Reason, why: str
) -> None:
    for place, field in enumerate(asked):
        if field not in known:
            raise Refusal(reason, f"Item {place} of `fields` cannot be asked for: {why}.")
