"""Consent acts: the entry and the effect of one act, made from what was seen before it."""

from collections.abc import Mapping
from dataclasses import dataclass

from consent.changes import Seen, Step, changed
from consent.model import Act, Declined, Kind, Record, State
from consent.notices import check_notice
from consent.rows import actor, grants
from consent.rules import FINAL, RESTRICTING, check, check_narrowing, following, offered
from consent.words import MAX_REASON, checked
from kernel.canonical import Json
from kernel.clock import Micros
from kernel.effect import Effect
from kernel.entry import Concerned, Entry, EntryType
from kernel.names import ConsentId, ReceiptId

WEB, COUNTER, AGENCY, AUTHORITY = "web", "counter", "agency", "authority"
_PERSON = frozenset({WEB, COUNTER})
_BY = {
    Kind.REQUEST: frozenset({AGENCY}),
    Kind.REVOKE: frozenset({AGENCY, AUTHORITY}),
    Kind.INVALIDATE: frozenset({AUTHORITY}),
}
"""By which means an act may come; the others are the person's own."""
_TYPES = {
    Kind.REQUEST: EntryType.CONSENT_REQUESTED,
    Kind.DEFER: EntryType.CONSENT_DEFERRED,
    Kind.GIVE: EntryType.CONSENT_GIVEN,
    Kind.REFUSE: EntryType.CONSENT_REFUSED,
    Kind.SUSPEND: EntryType.CONSENT_SUSPENDED,
    Kind.RESUME: EntryType.CONSENT_RESUMED,
    Kind.NARROW: EntryType.CONSENT_NARROWED,
    Kind.WITHDRAW: EntryType.CONSENT_WITHDRAWN,
    Kind.REVOKE: EntryType.CONSENT_REVOKED,
    Kind.INVALIDATE: EntryType.CONSENT_INVALIDATED,
}
_ANEW = frozenset({Kind.REQUEST, Kind.DEFER, Kind.GIVE, Kind.REFUSE})
"""The acts about the agreement as it is now; the others are about the consent as it was given."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """Names for what an act makes: a record where it makes one, and its receipt."""

    consent: ConsentId
    receipt: ReceiptId


def written(act: Act, seen: Seen, fresh: Fresh) -> tuple[Entry, Effect]:
    """Return what the ledger is to write for an act, or raise `Declined`."""
    held = seen.record
    _check(act, held)
    state = following(held.state if held else None, act.kind, asked=True)
    base = held if held and held.state not in FINAL else _blank(act, fresh.consent)
    renewed = act.kind is Kind.GIVE and state is State.RENEWED
    kind = EntryType.CONSENT_RENEWED if renewed else _TYPES[act.kind]
    entry = Entry(
        type=kind,
        header={
            "consumer": act.terms.agency,
            "agreement": act.terms.agreement,
            "agreement_revision": act.terms.revision if act.kind in _ANEW else base.revision,
            "purpose": act.terms.purpose,
            "basis": "consent",
            "consent": base.id,
        },
        disclosures={
            "actor": actor(act.means),
            "request": _said(act),
            "response": {"receipt": fresh.receipt},
        },
        concerned=(Concerned(act.person.ref, act.person.subject),),
        epoch=act.epoch,
        restricts=act.kind in RESTRICTING,
    )
    return entry, changed(Step(act, seen, base, state, kind, fresh.receipt))


def _check(act: Act, held: Record | None) -> None:
    if act.means.method not in _BY.get(act.kind, _PERSON):
        raise Declined(f"To {act.kind.value} is not for those who come by {act.means.method}.")
    if (act.reason is not None) is not (act.means.method == AUTHORITY):
        raise Declined("An authority says why it acts; nobody else has to.")
    if (act.choice is not None) is not (act.kind in {Kind.GIVE, Kind.NARROW}):
        raise Declined("To give is to choose facts; nothing else takes a choice.")
    if (act.asked is not None) is not (act.kind is Kind.REQUEST):
        raise Declined("To request is to ask for facts; nothing else asks.")
    if act.notice is not None:
        check_notice(act.notice)
    elif act.kind is Kind.GIVE and act.means.method == WEB:
        raise Declined("Nobody gives consent on a page without a notice of what it says.")
    _check_facts(act, held)


def _check_facts(act: Act, held: Record | None) -> None:
    if act.asked is not None:
        if not act.asked.fields:
            raise Declined("Ask for at least one fact.")
        offered(act.asked.fields, act.terms)
    elif act.choice is not None and act.kind is Kind.GIVE:
        check(act.choice, act.terms)
    elif act.choice is not None and held is not None:
        check_narrowing(act.choice.granted, held, act.terms)


def _said(act: Act) -> Mapping[str, Json]:
    said: dict[str, Json] = {"act": act.kind.value}
    if act.reason is not None:
        said["reason"] = checked(act.reason, MAX_REASON)
    if act.choice is not None:
        said["fields"] = grants(act.choice.granted)
        if act.kind is Kind.GIVE:
            said |= {"valid_days": act.choice.valid_days, "uses": act.choice.uses}
    if act.asked is not None:
        said |= {
            "request": act.asked.id,
            "client": act.asked.client,
            "fields": grants(act.asked.fields),
            "open_days": act.terms.asking.open_days,
        }
        if act.asked.case_text is not None:
            said["case"] = act.asked.case_text
    if act.notice is not None:
        said["notice"] = {"digest": act.notice.digest, "language": act.notice.language}
    return said


def _blank(act: Act, fresh: ConsentId) -> Record:
    return Record(
        id=fresh,
        subject_ref=act.person.ref,
        agreement=act.terms.agreement,
        revision=act.terms.revision,
        agency=act.terms.agency,
        purpose=act.terms.purpose,
        state=State.REFUSED,
        granted=frozenset(),
        valid_from=Micros(0),
        valid_until=Micros(0),
        use_limit=None,
        term=0,
        epoch=0,
        since=Micros(0),
        identifier=act.person.identifier,
        notice=None,
        language=None,
    )
