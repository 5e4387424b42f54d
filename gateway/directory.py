"""Directory: how services and agreements look to the agencies that use them."""

from gateway.model import Agreement, Service
from kernel.canonical import Json
from kernel.clock import rfc3339


def service_document(service: Service) -> dict[str, Json]:
    """Return what may be known of a service: never where its source is."""
    return {
        "id": service.id,
        "provider": service.provider,
        "title": service.title,
        "fields": [
            {"field": field.pointer, "title": field.title, "category": field.category}
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
                {"field": pointer, "optional": optional} for pointer, optional in fields.items()
            ]
            for service, fields in agreement.services.items()
        },
        "case_required": agreement.case_required,
        "user_required": agreement.user_required,
        "valid_from": rfc3339(agreement.valid_from),
        "valid_until": rfc3339(agreement.valid_until),
    }
