"""Consent rows: how a record and its events stand in the tables, and back."""

import json
from collections.abc import Mapping
from functools import lru_cache

from consent.model import Grant, Happened, Means, Record, State
from kernel.canonical import Json, canonical
from kernel.clock import Micros
from kernel.effect import Key, Value, Write
from kernel.names import (
    AgencyId,
    AgreementId,
    ConsentId,
    Pointer,
    ReceiptId,
    Revision,
    ServiceId,
    SubjectRef,
)


def slot_key(ref: SubjectRef, agreement: AgreementId) -> Key:
    """Return the key of the row that names a person's current record under an agreement."""
    return Key("consent_slot", (ref, agreement))


def record_key(consent: ConsentId) -> Key:
    """Return the key of a record's row."""
    return Key("consent", (consent,))


def count_key(consent: ConsentId, service: ServiceId) -> Key:
    """Return the key of the row that counts a service's uses of a consent."""
    return Key("consent_count", (consent, service))


def block_key(ref: SubjectRef) -> Key:
    """Return the key of the row that blocks everything about a person."""
    return Key("block", (ref,))


def grants(granted: frozenset[Grant]) -> dict[str, list[str]]:
    """Return the granted facts as the ledger and the tables write them: fields by service."""
    services = sorted({service for service, _ in granted})
    return {name: sorted(field for held, field in granted if held == name) for name in services}


def fields_text(granted: frozenset[Grant]) -> str:
    """Return facts as the text of a column."""
    return canonical(grants(granted)).decode()


def facts(held: Mapping[str, list[str]]) -> frozenset[Grant]:
    """Return the facts that `grants` wrote."""
    return frozenset(
        (ServiceId(service), Pointer(field)) for service, fields in held.items() for field in fields
    )


@lru_cache(maxsize=1024)
def _told(text: str) -> frozenset[Grant]:
    """Return the facts that a column holds; many records tell the same, and it names nobody."""
    return facts(json.loads(text))


def record_of(row: Mapping[str, Value]) -> Record:
    """Return the record that a row of `consent` holds."""
    limit, identifier = row["use_limit"], row["identifier"]
    return Record(
        id=ConsentId(str(row["id"])),
        subject_ref=SubjectRef(str(row["subject_ref"])),
        agreement=AgreementId(str(row["agreement"])),
        revision=Revision(str(row["revision"])),
        agency=AgencyId(str(row["agency"])),
        purpose=str(row["purpose"]),
        state=State(str(row["state"])),
        granted=_told(str(row["granted"])),
        valid_from=Micros(integer(row["valid_from"])),
        valid_until=Micros(integer(row["valid_until"])),
        use_limit=None if limit is None else integer(limit),
        term=integer(row["term"]),
        epoch=integer(row["epoch"]),
        since=Micros(integer(row["since"])),
        identifier=identifier if isinstance(identifier, bytes) else b"",
        notice=text(row["notice"]),
        language=text(row["language"]),
    )


def record_writes(record: Record) -> tuple[Write, Write]:
    """Return the record's own row and the slot that makes it the current one."""
    row: dict[str, Value] = {
        "id": record.id,
        "subject_ref": record.subject_ref,
        "agreement": record.agreement,
        "revision": record.revision,
        "agency": record.agency,
        "purpose": record.purpose,
        "state": record.state.value,
        "granted": fields_text(record.granted),
        "valid_from": record.valid_from,
        "valid_until": record.valid_until,
        "use_limit": record.use_limit,
        "term": record.term,
        "epoch": record.epoch,
        "since": record.since,
        "identifier": record.identifier,
        "notice": record.notice,
        "language": record.language,
    }
    slot = slot_key(record.subject_ref, record.agreement)
    return (
        Write(record_key(record.id), row),
        Write(
            slot,
            {
                "subject_ref": record.subject_ref,
                "agreement": record.agreement,
                "consent": record.id,
            },
        ),
    )


def event_of(row: Mapping[str, Value]) -> Happened:
    """Return the event that a row of `consent_event` holds."""
    limit = row["use_limit"]
    return Happened(
        consent=ConsentId(str(row["consent"])),
        epoch=integer(row["epoch"]),
        time=Micros(integer(row["event_time"])),
        state=State(str(row["event_state"])),
        type=str(row["event_type"]),
        method=str(row["method"]),
        level=text(row["level"]),
        index=integer(row["index"]),
        revision=Revision(str(row["revision"])),
        agency=AgencyId(str(row["agency"])),
        purpose=str(row["purpose"]),
        granted=_told(str(row["granted"])),
        valid_from=Micros(integer(row["valid_from"])),
        valid_until=Micros(integer(row["valid_until"])),
        use_limit=None if limit is None else integer(limit),
        notice=text(row["notice"]),
        language=text(row["language"]),
        receipt=ReceiptId(str(row["receipt"])),
    )


def event_writes(event: Happened) -> tuple[Write, Write]:
    """Return the event's own row, and the one by which its receipt is found."""
    row: dict[str, Value] = {
        "consent": event.consent,
        "epoch": event.epoch,
        "event_time": event.time,
        "event_state": event.state.value,
        "event_type": event.type,
        "method": event.method,
        "level": event.level,
        "index": event.index,
        "revision": event.revision,
        "agency": event.agency,
        "purpose": event.purpose,
        "granted": fields_text(event.granted),
        "valid_from": event.valid_from,
        "valid_until": event.valid_until,
        "use_limit": event.use_limit,
        "notice": event.notice,
        "language": event.language,
        "receipt": event.receipt,
    }
    found: dict[str, Value] = {
        "id": event.receipt,
        "consent": event.consent,
        "epoch": event.epoch,
    }
    return (
        Write(Key("consent_event", (event.consent, event.epoch)), row),
        Write(Key("consent_receipt", (event.receipt,)), found),
    )


def actor(means: Means) -> Mapping[str, Json]:
    """Return who acted and how, as the ledger discloses it to those entitled."""
    said = {"method": means.method, "clerk": means.clerk}
    return said if means.level is None else {**said, "level": means.level}


def integer(value: Value) -> int:
    """Return the number that a row holds; a row that holds none is refused, not guessed."""
    if not isinstance(value, int):
        raise TypeError("a consent row holds text where a number belongs")
    return value


def text(value: Value) -> str | None:
    """Return the text that a row holds, or None where it holds none."""
    return None if value is None else str(value)
