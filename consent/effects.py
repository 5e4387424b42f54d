"""Consent effects: what an act or a release does to the rows, as pure functions of the rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consent.model import Record, Stale
from consent.rows import (
    block_key,
    count_key,
    integer,
    record_key,
    record_of,
    record_writes,
)
from consent.rules import exact, finding
from kernel.clock import Micros
from kernel.effect import Effect, Key, Moment, Rows, Write
from kernel.errors import Exact, about_the_person
from kernel.names import AgencyId, ConsentId, ExchangeId, Pointer, Revision, ServiceId, SubjectRef


@dataclass(frozen=True, slots=True)
class Release:
    """What the release of an answer uses: whose, under which consent if any, and which fields."""

    subject_ref: SubjectRef
    consent: ConsentId | None
    revision: Revision
    agency: AgencyId
    service: ServiceId
    fields: frozenset[Pointer]
    exchange: ExchangeId


def used(release: Release) -> Effect:
    """Return the effect that checks blocks and consent once more and counts the use.

    It runs inside the ledger's transaction, so a withdrawal stands either before or after it.
    """
    block = block_key(release.subject_ref)
    consent = release.consent
    if consent is None:
        return Effect((block,), lambda rows, _: _unblocked(rows, block))
    reads = (block, record_key(consent), count_key(consent, release.service))

    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        return (*_unblocked(rows, block), *_counted(rows, moment, release, consent))

    return Effect(reads, apply)


def _unblocked(rows: Rows, block: Key) -> Sequence[Write]:
    if rows[block] is not None:
        raise about_the_person(Exact.SUBJECT_BLOCKED)
    return ()


def _counted(
    rows: Rows, moment: Moment, release: Release, consent: ConsentId
) -> tuple[Write, Write]:
    row, count = rows[record_key(consent)], rows[count_key(consent, release.service)]
    if row is None:
        raise about_the_person(Exact.CONSENT_ABSENT)
    record = record_of(row)
    spent = integer(count["uses"]) if count and count["term"] == record.term else 0
    found = finding(record, spent, release.revision, moment.time)
    if (reason := exact(found.state)) is not None:
        raise about_the_person(reason)
    if not {(release.service, pointer) for pointer in release.fields} <= found.granted:
        raise about_the_person(Exact.CONSENT_FIELD)
    return (
        Write(
            count_key(consent, release.service),
            {
                "consent": consent,
                "service": release.service,
                "term": record.term,
                "uses": spent + 1,
            },
        ),
        Write(
            Key("consent_use", (release.exchange,)),
            {
                "exchange": release.exchange,
                "consent": consent,
                "service": release.service,
                "agency": release.agency,
                "at": moment.time,
                "index": moment.index,
            },
        ),
    )


@dataclass(frozen=True, slots=True)
class Event:
    """What a record's history keeps of an act (TS 27560: event type and indication method)."""

    type: str
    method: str


def acted(slot: Key, seen: Record | None, event: Event, made: Callable[[Micros], Record]) -> Effect:
    """Return the effect that puts a new version of a record in place and keeps the event.

    Raises `Stale` where the record is no longer the one that was seen when the act was made.
    """

    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        held = rows[slot]
        if (held["consent"] if held else None) != (seen.id if seen else None):
            raise Stale
        if seen and ((row := rows[record_key(seen.id)]) is None or row["epoch"] != seen.epoch):
            raise Stale
        record = made(moment.time)
        return (
            *record_writes(record),
            Write(
                Key("consent_event", (record.id, record.epoch)),
                {
                    "consent": record.id,
                    "epoch": record.epoch,
                    "event_time": moment.time,
                    "event_state": record.state.value,
                    "event_type": event.type,
                    "method": event.method,
                    "index": moment.index,
                },
            ),
        )

    return Effect((slot, record_key(seen.id)) if seen else (slot,), apply)
