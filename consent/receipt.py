"""Consent receipts: what a person keeps of every event, shaped as ISO/IEC TS 27560 has it.

A receipt is made again at any time from its event alone, so that the same event always gives the
same receipt; it names no person.
"""

from collections.abc import Mapping

from consent.model import Happened, Notice, Record
from kernel.canonical import Json
from kernel.clock import SECOND, rfc3339

SCHEMA = "ISO/IEC TS 27560:2023"
TYPE = "causeway-consent-receipt+jwt"
"""The `typ` of the JWS in which the claims are signed."""
WITHDRAWAL = "/consents/"
"""Where the person stops the consent: this path, and the record's id."""


def receipt_claims(happened: Happened, record: Record, notice: Notice | None) -> Mapping[str, Json]:
    """Return the claims about one event of a record; `notice` is the event's own, where it has
    one. The member names are those of TS 27560 and of its Data Privacy Vocabulary guide."""
    return {
        "iat": happened.time // SECOND,
        "schema_version": SCHEMA,
        "receipt_id": happened.receipt,
        "record_id": record.id,
        "pii_principal_id": record.id,
        "language": happened.language,
        "privacy_notice": _notice(happened, notice),
        "purposes": [_purpose(happened, record)],
        "party_identification": _parties(happened),
        "events": [_event(happened, record)],
        "log": {"index": happened.index},
    }


def _notice(happened: Happened, notice: Notice | None) -> Json:
    """Return the reference to what the person saw; its text is kept under its digest."""
    if happened.notice is None:
        return None
    language = notice.language if notice is not None else happened.language
    return {"sha256": happened.notice, "language": language}


def _purpose(happened: Happened, record: Record) -> Json:
    return {
        "purpose": happened.purpose,
        "lawful_basis": "consent",
        "agreement": record.agreement,
        "agreement_revision": happened.revision,
        "pii_information": [
            {"service": service, "pii_attribute_id": pointer}
            for service, pointer in sorted(happened.granted)
        ],
        "pii_controllers": _providers(happened),
        "recipient_third_parties": [happened.agency],
        "validity": {
            "from": rfc3339(happened.valid_from),
            "until": rfc3339(happened.valid_until),
        },
        "use_limit": happened.use_limit,
        "withdrawal_method": f"{WITHDRAWAL}{record.id}",
    }


def _providers(happened: Happened) -> list[str]:
    """Return the offices whose facts are shared: the first half of a service's name."""
    return sorted({service.partition("/")[0] for service, _ in happened.granted})


def _parties(happened: Happened) -> Json:
    sources = [
        {"party_id": party, "party_role": "pii_controller"} for party in _providers(happened)
    ]
    return [*sources, {"party_id": happened.agency, "party_role": "recipient_third_party"}]


def _event(happened: Happened, record: Record) -> Json:
    """Return the event; who acted is the person, under the record's random id, unless the word
    came from the agency or an authority."""
    others = {"agency": happened.agency, "authority": "authority"}
    return {
        "event_time": rfc3339(happened.time),
        "event_state": happened.state.value,
        "event_type": happened.type,
        "entity_id": others.get(happened.method, record.id),
        "indication_method": happened.method,
        "evidence_level": happened.level,
    }
