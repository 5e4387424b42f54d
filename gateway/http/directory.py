"""Directory: how services and agreements look to the agencies that use them."""

from collections.abc import Mapping

from gateway.model import Agreed, Agreement, Basis, Service
from gateway.stops import Stop, Stops
from kernel.canonical import Json
from kernel.clock import rfc3339
from kernel.names import ServiceId


def service_document(service: Service) -> dict[str, Json]:
    """Return what may be known of a service: never where its source is."""
    return {
        "id": service.id,
        "provider": service.provider,
        "title": service.title,
        "fields": [
            {
                "field": field.pointer,
                "title": field.title,
                "category": field.category,
                "about": field.about,
            }
            for field in service.fields.values()
        ],
    }


def agreement_document(
    agreement: Agreement, services: Mapping[ServiceId, Service], stops: Stops
) -> dict[str, Json]:
    """Return an agreement as its own agency sees it, with what is stopped of it."""
    stopped = stops.agreement(agreement)
    return {
        "id": agreement.id,
        "revision": agreement.revision,
        "title": agreement.title,
        "basis": agreement.basis.value,
        "lawful_basis": agreement.lawful_basis,
        "purpose": agreement.purpose,
        "purpose_text": agreement.purpose_text,
        "authority": agreement.authority,
        "services": {
            service: [
                {"field": pointer, "optional": agreed.optional, **_answer(agreed)}
                for pointer, agreed in fields.items()
            ]
            for service, fields in agreement.services.items()
        },
        "if_refused": agreement.if_refused,
        "instead": agreement.instead,
        "retention_days": agreement.retention_days,
        "evidence_level": agreement.evidence_level,
        "asking": _asking(agreement),
        "case_required": agreement.case_required,
        "user_required": agreement.user_required,
        "valid_from": rfc3339(agreement.valid_from),
        "valid_until": rfc3339(agreement.valid_until),
        "stopped": _stopped(stopped) if stopped else None,
        "services_stopped": {
            name: _stopped(found)
            for name in agreement.services
            if (known := services.get(name)) and (found := stops.service(known))
        },
    }


def _stopped(stop: Stop) -> dict[str, Json]:
    return {"since": rfc3339(stop.since), "reason": stop.reason}


def _answer(agreed: Agreed) -> dict[str, Json]:
    """Return which answer travels in a field's place, to which question; nothing where the fact
    itself does."""
    transform = agreed.transform
    if transform is None:
        return {}
    told: dict[str, Json] = {"kind": transform.kind.value, **transform.parameters}
    return {"transform": told, "question": agreed.question}


def _asking(agreement: Agreement) -> Json:
    if agreement.basis is not Basis.CONSENT:
        return None
    return {
        "open_days": agreement.open_days,
        "again_after_days": agreement.again_after_days,
        "per_day": agreement.asked_per_day,
    }
