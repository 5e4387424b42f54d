"""Recovered: what restores a restriction in a database that lost it, never wider than it stands.

The person's own acts make a new record from the terms in force; these take away from the record
that is left, whatever stood in between, and never give anything back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from consent.acts import AUTHORITY
from consent.blocks import BlockKind, blocking
from consent.model import Grant, Happened, Means, Person, Record, Stale, State
from consent.rows import actor, event_writes, record_key, record_of, record_writes
from consent.rules import FINAL, STANDING
from kernel.canonical import Json
from kernel.database import Database
from kernel.effect import Effect, Moment, Rows, Write
from kernel.entry import Concerned, Entry, EntryType
from kernel.errors import Reason, Refusal
from kernel.names import ConsentId, ReceiptId

_STATES: Final = {
    EntryType.CONSENT_WITHDRAWN: State.WITHDRAWN,
    EntryType.CONSENT_REVOKED: State.REVOKED,
    EntryType.CONSENT_INVALIDATED: State.INVALIDATED,
    EntryType.CONSENT_SUSPENDED: State.SUSPENDED,
}
_LIMITED = "SELECT * FROM consent WHERE use_limit IS NOT NULL AND state IN (?, ?) ORDER BY id"
BECAUSE: Final = "The log was recovered, and uses may be lost that nobody can count any more."


@dataclass(frozen=True, slots=True)
class Restricted:
    """A restriction of one consent, as its entry told it: `granted` is what a narrowing left,
    None where that is not known."""

    type: EntryType
    consent: ConsentId
    receipt: ReceiptId
    granted: frozenset[Grant] | None = None
    method: str = AUTHORITY
    level: str | None = None


def restoring(lost: Restricted) -> Effect:
    """Return what takes away from a record again; where there is no record, nothing was given
    either, and the entry alone says so. Raises `Refusal` where the consent ended already."""
    key = record_key(lost.consent)

    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        row = rows[key]
        if row is None:
            return ()
        held = record_of(row)
        if held.state in FINAL:
            raise already()
        record = replace(_restricted(held, lost), epoch=held.epoch + 1)
        own, _ = record_writes(record)  # the slot may name a newer record, and keeps its word
        return (own, *event_writes(_event(lost, record, moment)))

    return Effect((key,), apply)


def blocked(person: Concerned, kind: BlockKind) -> Effect:
    """Return what sets a block again beside those that stand; raises `Refusal` where it stands."""
    _, effect = blocking(
        Person(person.subject, person.ref, b""), kind, Means(AUTHORITY, ""), lift=False
    )

    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        try:
            return effect.apply(rows, moment)
        except Stale:
            raise already() from None

    return Effect(effect.reads, apply)


def limited(database: Database) -> list[Record]:
    """Return the consents in force whose uses are counted."""
    states = (State.GIVEN.value, State.RENEWED.value)
    return [record_of(row) for row in database.read().execute(_LIMITED, states).fetchall()]


def pausing(record: Record, person: Concerned, receipt: ReceiptId) -> tuple[Entry, Effect]:
    """Return what pauses a consent until its person lets it run again, since uses of it may be
    lost and can no longer be counted."""
    disclosures: Mapping[str, Json] = {
        "actor": actor(Means(AUTHORITY, "")),
        "request": {"act": "suspend", "reason": BECAUSE},
        "response": {"receipt": receipt},
    }
    entry = Entry(
        type=EntryType.CONSENT_SUSPENDED,
        header={
            "consumer": record.agency,
            "agreement": record.agreement,
            "agreement_revision": record.revision,
            "purpose": record.purpose,
            "basis": "consent",
            "consent": record.id,
        },
        disclosures=disclosures,
        concerned=(person,),
        restricts=True,
    )
    return entry, restoring(Restricted(entry.type, record.id, receipt))


def already() -> Refusal:
    """Return what says that a restriction needs no putting back."""
    return Refusal(Reason.REQUEST_MALFORMED, "This is in force already.")


def _restricted(held: Record, lost: Restricted) -> Record:
    """Return the record with what was taken away: a narrowing of which too little is known, or
    that leaves nothing, pauses it instead."""
    state = _STATES.get(lost.type)
    if state is None and lost.granted is not None and held.granted & lost.granted:
        return replace(held, granted=held.granted & lost.granted)
    if state in FINAL:
        return replace(held, state=state or State.INVALIDATED)
    return replace(held, state=State.SUSPENDED) if held.state in STANDING else held


def _event(lost: Restricted, record: Record, moment: Moment) -> Happened:
    return Happened(
        consent=record.id,
        epoch=record.epoch,
        time=moment.time,
        state=record.state,
        type=lost.type.value,
        method=lost.method,
        level=lost.level,
        index=moment.index,
        revision=record.revision,
        agency=record.agency,
        purpose=record.purpose,
        granted=record.granted,
        valid_from=record.valid_from,
        valid_until=record.valid_until,
        use_limit=record.use_limit,
        notice=record.notice,
        language=record.language,
        receipt=lost.receipt,
    )
