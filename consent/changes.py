"""Consent changes: what an act does to the rows, as a pure function of the rows and the moment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from consent.model import Act, Choice, Happened, Kind, Record, Stale, State
from consent.notices import notice_key, noticed
from consent.requests import (
    DAY,
    answered,
    asked,
    asked_key,
    asking_key,
    request_key,
    still_open,
)
from consent.rows import event_writes, integer, record_key, record_writes, slot_key
from consent.rules import following
from kernel.clock import Micros
from kernel.effect import Effect, Moment, Row, Rows, Write
from kernel.entry import EntryType
from kernel.names import ReceiptId, RequestId

_ANSWERS = frozenset({Kind.GIVE, Kind.REFUSE, Kind.DEFER})


@dataclass(frozen=True, slots=True)
class Seen:
    """What stood when an act was made: the current record, and the last request under it."""

    record: Record | None
    request: RequestId | None


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """An act, what it starts from and where it leads."""

    act: Act
    seen: Seen
    base: Record
    state: State
    type: EntryType
    receipt: ReceiptId


def changed(step: Step) -> Effect:
    """Return the effect that puts a new version of a record in place and keeps the event.

    Raises `Stale` where the record is no longer the one that was seen when the act was made, and
    what the rules of asking and answering raise.
    """
    act, seen = step.act, step.seen
    last = asked_key(act.person.ref, act.terms.agreement)
    keys = [slot_key(act.person.ref, act.terms.agreement), last]
    keys += [record_key(seen.record.id)] if seen.record else []
    keys += [request_key(seen.request)] if seen.request else []
    keys += [notice_key(act.notice)] if act.notice else []
    keys += [asking_key(act.terms.agreement)] if act.asked else []

    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        _unchanged(rows, step)
        row = rows[request_key(seen.request)] if seen.request else None
        waiting = still_open(row, moment.time)
        before = seen.record.state if seen.record else None
        following(before, act.kind, asked=waiting is not None)
        record = _made(step, waiting, moment.time)
        return (
            *record_writes(record),
            *event_writes(_event(step, record, moment)),
            *noticed(rows, act.notice),
            *_requests(rows, step, record, waiting, moment),
        )

    return Effect(tuple(keys), apply)


def _unchanged(rows: Rows, step: Step) -> None:
    seen, act = step.seen, step.act
    held = rows[slot_key(act.person.ref, act.terms.agreement)]
    if (held["consent"] if held else None) != (seen.record.id if seen.record else None):
        raise Stale
    if seen.record:
        row = rows[record_key(seen.record.id)]
        if row is None or row["epoch"] != seen.record.epoch:
            raise Stale
    last = rows[asked_key(act.person.ref, act.terms.agreement)]
    if (last["request"] or None if last else None) != seen.request:
        raise Stale


def _requests(
    rows: Rows, step: Step, record: Record, waiting: Row | None, moment: Moment
) -> Sequence[Write]:
    act = step.act
    if act.asked is not None:
        return asked(rows, act, act.asked, record.id, moment)
    return answered(rows, act, waiting, moment.time) if act.kind in _ANSWERS else ()


def _made(step: Step, waiting: Row | None, at: Micros) -> Record:
    """Return the record after the act; what is asked, put off or refused beside a consent that
    stands counts as an event and leaves all else."""
    act, base = step.act, step.base
    record = replace(base, state=step.state, epoch=base.epoch + 1, since=base.since or at)
    match act.kind:
        case Kind.GIVE if act.choice:
            return _given(record, act, act.choice, at)
        case Kind.NARROW if act.choice:
            return _pinned(replace(record, granted=act.choice.granted), act)
        case Kind.REQUEST if step.state is State.REQUESTED:
            open_days = act.terms.asking.open_days
            return _emptied(record, act, (at, Micros(at + open_days * DAY)))
        case Kind.DEFER if step.state is State.DEFERRED and waiting:
            return _emptied(record, act, (at, Micros(integer(waiting["expires"]))))
        case Kind.REFUSE if step.state is State.REFUSED:
            return _emptied(record, act, (at, at))
    return record


def _given(record: Record, act: Act, choice: Choice, at: Micros) -> Record:
    notice = act.notice
    return replace(
        record,
        revision=act.terms.revision,
        agency=act.terms.agency,
        purpose=act.terms.purpose,
        granted=choice.granted,
        valid_from=at,
        valid_until=Micros(at + choice.valid_days * DAY),
        use_limit=choice.uses,
        term=record.term + 1,
        notice=notice.digest if notice else None,
        language=notice.language if notice else None,
    )


def _emptied(record: Record, act: Act, valid: tuple[Micros, Micros]) -> Record:
    emptied = replace(
        record,
        revision=act.terms.revision,
        agency=act.terms.agency,
        purpose=act.terms.purpose,
        granted=frozenset(),
        valid_from=valid[0],
        valid_until=valid[1],
        use_limit=None,
    )
    return _pinned(emptied, act)


def _pinned(record: Record, act: Act) -> Record:
    if act.notice is None:
        return record
    return replace(record, notice=act.notice.digest, language=act.notice.language)


def _event(step: Step, record: Record, moment: Moment) -> Happened:
    shown = _pinned(record, step.act)
    return Happened(
        consent=record.id,
        epoch=record.epoch,
        time=moment.time,
        state=record.state,
        type=step.type.value,
        method=step.act.means.method,
        level=step.act.means.level,
        index=moment.index,
        revision=record.revision,
        agency=record.agency,
        purpose=record.purpose,
        granted=record.granted,
        valid_from=record.valid_from,
        valid_until=record.valid_until,
        use_limit=record.use_limit,
        notice=shown.notice,
        language=shown.language,
        receipt=step.receipt,
    )
