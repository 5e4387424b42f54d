"""Terms: what an agreement offers a person for consent."""

from consent.model import Terms
from gateway.model import Agreement


def terms_of(agreement: Agreement) -> Terms:
    """Return an agreement's revision, facts and ceilings, as the consent rules want them."""
    return Terms(
        agreement=agreement.id,
        revision=agreement.revision,
        agency=agreement.agency,
        purpose=agreement.purpose,
        offered=frozenset(
            (service, field) for service, fields in agreement.services.items() for field in fields
        ),
        max_valid_days=agreement.max_valid_days,
        max_uses=agreement.max_uses,
    )
