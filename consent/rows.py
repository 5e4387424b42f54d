"""Consent rows: how a record stands in the tables, and back."""

import json
from collections.abc import Mapping

from consent.model import Grant, Record, State
from kernel.canonical import canonical
from kernel.clock import Micros
from kernel.effect import Key, Value, Write
from kernel.names import (
    AgreementId,
    ConsentId,
    Pointer,
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


def record_of(row: Mapping[str, Value]) -> Record:
    """Return the record that a row of `consent` holds."""
    held: dict[str, list[str]] = json.loads(str(row["granted"]))
    limit, identifier = row["use_limit"], row["identifier"]
    return Record(
        id=ConsentId(str(row["id"])),
        subject_ref=SubjectRef(str(row["subject_ref"])),
        agreement=AgreementId(str(row["agreement"])),
        revision=Revision(str(row["revision"])),
        state=State(str(row["state"])),
        granted=frozenset(
            (ServiceId(service), Pointer(field))
            for service, fields in held.items()
            for field in fields
        ),
        valid_from=Micros(integer(row["valid_from"])),
        valid_until=Micros(integer(row["valid_until"])),
        use_limit=None if limit is None else integer(limit),
        term=integer(row["term"]),
        epoch=integer(row["epoch"]),
        since=Micros(integer(row["since"])),
        identifier=identifier if isinstance(identifier, bytes) else b"",
    )


def record_writes(record: Record) -> tuple[Write, Write]:
    """Return the record's own row and the slot that makes it the current one."""
    row: dict[str, Value] = {
        "id": record.id,
        "subject_ref": record.subject_ref,
        "agreement": record.agreement,
        "revision": record.revision,
        "state": record.state.value,
        "granted": canonical(grants(record.granted)).decode(),
        "valid_from": record.valid_from,
        "valid_until": record.valid_until,
        "use_limit": record.use_limit,
        "term": record.term,
        "epoch": record.epoch,
        "since": record.since,
        "identifier": record.identifier,
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


def integer(value: Value) -> int:
    """Return the number that a row holds; a row that holds none is refused, not guessed."""
    if not isinstance(value, int):
        raise TypeError("a consent row holds text where a number belongs")
    return value
