"""Consent acts: the entry and the effect of one act, made from the record as it was seen."""

from collections.abc import Mapping
from dataclasses import replace

from consent.effects import Event, acted
from consent.model import Act, Declined, Kind, Record, State
from consent.rows import grants, slot_key
from consent.rules import FINAL, check, following
from kernel.canonical import Json
from kernel.clock import SECOND, Micros
from kernel.effect import Effect
from kernel.entry import Concerned, Entry, EntryType
from kernel.names import ConsentId

DAY = 86_400 * SECOND

_TYPES = {
    State.GIVEN: EntryType.CONSENT_GIVEN,
    State.RENEWED: EntryType.CONSENT_RENEWED,
    State.REFUSED: EntryType.CONSENT_REFUSED,
    State.WITHDRAWN: EntryType.CONSENT_WITHDRAWN,
}


def written(act: Act, seen: Record | None, fresh: ConsentId) -> tuple[Entry, Effect]:
    """Return what the ledger is to write for an act, or raise `Declined`.

    `seen` is the person's current record; `fresh` names the new one where the act makes one.
    """
    if (act.choice is not None) is not (act.kind is Kind.GIVE):
        raise Declined("To give is to choose facts; nothing else takes a choice.")
    if act.choice is not None:
        check(act.choice, act.terms)
    state = following(seen.state if seen else None, act.kind)
    base = seen if seen and seen.state not in FINAL else _blank(act, fresh)
    entry = Entry(
        type=_TYPES[state],
        header={
            "consumer": act.terms.agency,
            "agreement": act.terms.agreement,
            "agreement_revision": act.terms.revision,
            "purpose": act.terms.purpose,
            "basis": "consent",
            "consent": base.id,
        },
        disclosures={
            "actor": {"method": act.means.method, "clerk": act.means.clerk},
            "request": _said(act),
        },
        concerned=(Concerned(act.person.ref, act.person.subject),),
        restricts=act.kind is Kind.WITHDRAW,
    )
    slot = slot_key(act.person.ref, act.terms.agreement)
    event = Event(_TYPES[state].value, act.means.method)
    return entry, acted(slot, seen, event, lambda at: _made(base, act, state, at))


def _said(act: Act) -> Mapping[str, Json]:
    if (choice := act.choice) is None:
        return {"act": act.kind.value}
    return {
        "act": act.kind.value,
        "fields": grants(choice.granted),
        "valid_days": choice.valid_days,
        "uses": choice.uses,
    }


def _blank(act: Act, fresh: ConsentId) -> Record:
    return Record(
        id=fresh,
        subject_ref=act.person.ref,
        agreement=act.terms.agreement,
        revision=act.terms.revision,
        state=State.REFUSED,
        granted=frozenset(),
        valid_from=Micros(0),
        valid_until=Micros(0),
        use_limit=None,
        term=0,
        epoch=0,
        since=Micros(0),
        identifier=act.person.identifier,
    )


def _made(base: Record, act: Act, state: State, at: Micros) -> Record:
    record = replace(base, state=state, epoch=base.epoch + 1, since=base.since or at)
    if act.kind is Kind.WITHDRAW:
        return record
    choice = act.choice
    return replace(
        record,
        revision=act.terms.revision,
        granted=choice.granted if choice else frozenset(),
        valid_from=at,
        valid_until=Micros(at + choice.valid_days * DAY) if choice else at,
        use_limit=choice.uses if choice else None,
        term=record.term + 1,
    )
