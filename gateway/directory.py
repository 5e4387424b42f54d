"""Directory: how services and agreements look to the agencies that use them."""

from gateway.model import Agreed, Agreement, Basis, Service
from kernel.canonical import Json
from kernel.clock import rfc3339


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


def agreement_document(agreement: Agreement) -> dict[str, Json]:
    """Return an agreement as its own agency sees it."""
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
    }


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
