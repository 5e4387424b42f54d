"""Requests for consent: who may ask again, and what asking and answering do to the rows.

Every rule is checked on the rows of the ledger's own transaction, so that two who ask at once
cannot both pass.
"""

import json
from collections.abc import Mapping, Sequence

from consent.model import Act, Asked, ConsentRequest, Declined, Grant, Kind, RequestState
from consent.rows import facts, fields_text, integer
from kernel.clock import SECOND, Micros
from kernel.effect import Key, Moment, Row, Rows, Value, Write
from kernel.errors import Reason, Refusal
from kernel.names import (
    AgencyId,
    AgreementId,
    ClientId,
    ConsentId,
    RequestId,
    Revision,
    SubjectRef,
)

DAY = 86_400 * SECOND
_OPEN, _DEFERRED, _ANSWERED = "open", "deferred", "answered"
_TOO_SOON = "This person was asked under this agreement not long ago; ask again some days later."
_TOO_MANY = "Under this agreement as many people were asked today as it allows; go on tomorrow."


def asked_key(ref: SubjectRef, agreement: AgreementId) -> Key:
    """Return the key of the row that says when a person was last asked under an agreement."""
    return Key("consent_asked", (ref, agreement))


def asking_key(agreement: AgreementId) -> Key:
    """Return the key of the row that counts a day's requests under an agreement."""
    return Key("consent_asking", (agreement,))


def request_key(request: RequestId) -> Key:
    """Return the key of a request's row."""
    return Key("consent_request", (request,))


def still_open(row: Row | None, at: Micros) -> Row | None:
    """Return a request's row where it waits for an answer, else None."""
    if row is None or row["state"] == _ANSWERED or at >= integer(row["expires"]):
        return None
    return row


def asked(rows: Rows, act: Act, what: Asked, consent: ConsentId, moment: Moment) -> Sequence[Write]:
    """Return what asking writes; raises `Refusal` (`quota.exceeded`) where it is too soon or too
    much. The day's ceiling comes first: it says nothing about the person."""
    terms, at = act.terms, moment.time
    day = at // DAY
    counter = asking_key(terms.agreement)
    counted = rows[counter]
    today = integer(counted["count"]) if counted and counted["day"] == day else 0
    if today >= terms.asking.per_day:
        raise Refusal(Reason.QUOTA_EXCEEDED, _TOO_MANY)
    last = asked_key(act.person.ref, terms.agreement)
    if (held := rows[last]) is not None:
        before = RequestId(str(held["request"]))
        waits = still_open(rows[request_key(before)], at) if before else None
        if waits or at < integer(held["at"]) + terms.asking.again_after_days * DAY:
            raise Refusal(Reason.QUOTA_EXCEEDED, _TOO_SOON)
    row: dict[str, Value] = {
        "id": what.id,
        "consent": consent,
        "subject_ref": act.person.ref,
        "agreement": terms.agreement,
        "revision": terms.revision,
        "agency": terms.agency,
        "client": what.client,
        "fields": fields_text(what.fields),
        "case": what.case,
        "return_url": what.return_url,
        "state": _OPEN,
        "opened": at,
        "expires": at + terms.asking.open_days * DAY,
        "index": moment.index,
    }
    return (
        Write(request_key(what.id), row),
        _last(last, what.id, at),
        Write(counter, {"agreement": terms.agreement, "day": day, "count": today + 1}),
    )


def answered(rows: Rows, act: Act, request: Row | None, at: Micros) -> Sequence[Write]:
    """Return what a person's word writes about a request that is open, if there is one.

    Both answers begin the same days of rest, so that those do not tell one from the other; a
    refusal begins them also where nobody asked. Raises `Declined` where it was put off before.
    """
    if act.kind is Kind.DEFER:
        if request is not None and request["state"] == _DEFERRED:
            raise Declined("This was put off already.")
        return (_with_state(request, _DEFERRED),) if request else ()
    last = asked_key(act.person.ref, act.terms.agreement)
    held = rows[last]
    before = RequestId(str(held["request"])) if held else RequestId("")
    if request is not None:
        return (_with_state(request, _ANSWERED), _last(last, before, at))
    return (_last(last, before, at),) if act.kind is Kind.REFUSE else ()


def request_of(row: Mapping[str, Value], at: Micros) -> ConsentRequest:
    """Return the request that a row holds, as it stands at a moment."""
    case, url = row["case"], row["return_url"]
    state = RequestState.ANSWERED
    if row["state"] != _ANSWERED:
        over = at >= integer(row["expires"])
        state = RequestState.EXPIRED if over else RequestState.OPEN
    return ConsentRequest(
        id=RequestId(str(row["id"])),
        consent=ConsentId(str(row["consent"])),
        subject_ref=SubjectRef(str(row["subject_ref"])),
        agreement=AgreementId(str(row["agreement"])),
        revision=Revision(str(row["revision"])),
        agency=AgencyId(str(row["agency"])),
        client=ClientId(str(row["client"])),
        fields=_fields(row),
        case=case if isinstance(case, bytes) else None,
        return_url=None if url is None else str(url),
        state=state,
        deferred=row["state"] == _DEFERRED,
        opened=Micros(integer(row["opened"])),
        expires=Micros(integer(row["expires"])),
    )


def _fields(row: Mapping[str, Value]) -> frozenset[Grant]:
    return facts(json.loads(str(row["fields"])))


def _last(key: Key, request: RequestId, at: Micros) -> Write:
    ref, agreement = key.values
    return Write(key, {"subject_ref": ref, "agreement": agreement, "request": request, "at": at})


def _with_state(row: Row, state: str) -> Write:
    return Write(request_key(RequestId(str(row["id"]))), {**row, "state": state})
