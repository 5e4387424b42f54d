"""Terms: what an agreement offers a person for consent."""

from consent.model import Asking, Terms
from gateway.model import Agreement


def terms_of(agreement: Agreement) -> Terms:
    """Return an agreement's revision, facts and ceilings, as the consent rules want them."""
    fields = {
        (service, field): agreed.optional
        for service, taken in agreement.services.items()
        for field, agreed in taken.items()
    }
    return Terms(
        agreement=agreement.id,
        revision=agreement.revision,
        agency=agreement.agency,
        purpose=agreement.purpose,
        offered=frozenset(fields),
        required=frozenset(fact for fact, optional in fields.items() if not optional),
        max_valid_days=agreement.max_valid_days,
        max_uses=agreement.max_uses,
        asking=Asking(
            open_days=agreement.open_days,
            again_after_days=agreement.again_after_days,
            per_day=agreement.asked_per_day,
        ),
    )
