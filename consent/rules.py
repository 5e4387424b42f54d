"""Consent rules: when does a record answer a request, and which act may follow which?"""

from collections.abc import Mapping
from typing import NamedTuple

from consent.model import (
    Asking,
    Choice,
    Declined,
    Finding,
    FindingState,
    Grant,
    Kind,
    Record,
    Standing,
    State,
    Terms,
)
from kernel.clock import Micros
from kernel.errors import Exact
from kernel.names import ConsentId, Revision, ServiceId

MAX_VALID_DAYS = 3660
FINAL = frozenset({State.WITHDRAWN, State.REVOKED, State.INVALIDATED})
STANDING = frozenset({State.GIVEN, State.RENEWED, State.SUSPENDED})
RESTRICTING = frozenset(
    {Kind.WITHDRAW, Kind.REVOKE, Kind.SUSPEND, Kind.NARROW, Kind.INVALIDATE},
)
"""The acts that only ever take something away."""

_ASK, _LATER, _NO = State.REQUESTED, State.DEFERRED, State.REFUSED
_YES, _AGAIN, _PAUSE = State.GIVEN, State.RENEWED, State.SUSPENDED
_ENDED, _TAKEN, _VOID = State.WITHDRAWN, State.REVOKED, State.INVALIDATED
_NONE = "There is no consent to {}."
_NOBODY = "Nobody is asking for your consent now."
_PUT_OFF = "This was put off already."
_REFUSED = "This was refused already."
_PAUSED = "This consent is paused already."
_RUNS = "This consent is not paused."
_STANDS = "A consent stands: withdraw it instead."

# What each act makes of a record, or the plain words for why it is not done. A record that is not
# there, and one in a final state, are the first column: the act then makes a new record.
# fmt: off
_LIFE: Mapping[Kind, tuple[State | str, ...]] = {
    #                 none    requested deferred  refused   given   renewed  suspended
    Kind.REQUEST:    (_ASK,   _ASK,     _ASK,     _ASK,     _YES,   _AGAIN,  _PAUSE),
    Kind.DEFER:      (_LATER, _LATER,   _PUT_OFF, _NOBODY,  _YES,   _AGAIN,  _PAUSE),
    Kind.GIVE:       (_YES,   _YES,     _YES,     _YES,     _AGAIN, _AGAIN,  _AGAIN),
    Kind.REFUSE:     (_NO,    _NO,      _NO,      _REFUSED, _YES,   _AGAIN,  _PAUSE),
    Kind.SUSPEND:    (_NONE,  _NONE,    _NONE,    _NONE,    _PAUSE, _PAUSE,  _PAUSED),
    Kind.RESUME:     (_NONE,  _NONE,    _NONE,    _NONE,    _RUNS,  _RUNS,   _YES),
    Kind.NARROW:     (_NONE,  _NONE,    _NONE,    _NONE,    _YES,   _AGAIN,  _PAUSE),
    Kind.WITHDRAW:   (_NONE,  _NONE,    _NONE,    _NONE,    _ENDED, _ENDED,  _ENDED),
    Kind.REVOKE:     (_NONE,  _NONE,    _NONE,    _NONE,    _TAKEN, _TAKEN,  _TAKEN),
    Kind.INVALIDATE: (_NONE,  _NONE,    _NONE,    _NONE,    _VOID,  _VOID,   _VOID),
}
# fmt: on
_COLUMNS: Mapping[State | None, int] = {
    state: place for place, state in enumerate((None, _ASK, _LATER, _NO, _YES, _AGAIN, _PAUSE))
}
_MEANS = {
    State.REQUESTED: FindingState.ABSENT,
    State.DEFERRED: FindingState.ABSENT,
    State.REFUSED: FindingState.REFUSED,
    State.SUSPENDED: FindingState.SUSPENDED,
    State.WITHDRAWN: FindingState.WITHDRAWN,
    State.REVOKED: FindingState.WITHDRAWN,
    State.INVALIDATED: FindingState.WITHDRAWN,
}
"""What the states that permit nothing are to the policies."""
_EXACT = {
    FindingState.ABSENT: Exact.CONSENT_ABSENT,
    FindingState.REFUSED: Exact.CONSENT_REFUSED,
    FindingState.WITHDRAWN: Exact.CONSENT_WITHDRAWN,
    FindingState.EXPIRED: Exact.CONSENT_EXPIRED,
    FindingState.EXHAUSTED: Exact.CONSENT_EXHAUSTED,
    FindingState.SUSPENDED: Exact.CONSENT_SUSPENDED,
}
_STANDING = {
    State.REFUSED: Standing.REFUSED,
    State.SUSPENDED: Standing.SUSPENDED,
    State.WITHDRAWN: Standing.WITHDRAWN,
    State.REVOKED: Standing.REVOKED,
    State.INVALIDATED: Standing.INVALIDATED,
}


def following(current: State | None, kind: Kind, *, asked: bool) -> State:
    """Return the state after an act, or raise `Declined`; a final state counts as none.

    `asked` tells whether a request for consent is open. What is asked, put off or refused beside
    a consent that stands leaves it as it is.
    """
    start = None if current in FINAL else current
    after = _LIFE[kind][_COLUMNS[start]]
    if not isinstance(after, State):
        raise Declined(after.format(kind.value))
    if kind is Kind.DEFER and not asked:
        raise Declined(_NOBODY)
    if kind is Kind.REFUSE and start in STANDING and not asked:
        raise Declined(_STANDS)
    return after


class Held(NamedTuple):
    """The part of a record that answers a request."""

    id: ConsentId
    revision: Revision
    state: State
    granted: frozenset[Grant]
    valid_from: Micros
    valid_until: Micros
    use_limit: int | None


def finding(record: Record | Held | None, uses: int, revision: Revision, at: Micros) -> Finding:
    """Return what a record means at a moment for a service that used it so many times.

    A consent holds for exactly one revision of its agreement; validity is half-open.
    """
    if record is None:
        return Finding(FindingState.ABSENT)
    if (denying := _MEANS.get(record.state)) is not None:
        return Finding(denying, record.id)
    if record.revision != revision or at < record.valid_from:
        return Finding(FindingState.ABSENT, record.id)
    if at >= record.valid_until:
        return Finding(FindingState.EXPIRED, record.id)
    if record.use_limit is not None and uses >= record.use_limit:
        return Finding(FindingState.EXHAUSTED, record.id)
    state = FindingState.RENEWED if record.state is State.RENEWED else FindingState.GIVEN
    return Finding(state, record.id, record.granted)


def standing(
    record: Record, uses: Mapping[ServiceId, int], revision: Revision | None, at: Micros
) -> Standing:
    """Return what a record means to its person; `uses` counts those of its term by service.

    `revision` is the agreement's in force, None where there is none. Until a request is answered
    the record's `valid_until` is the request's end.
    """
    if (stored := _STANDING.get(record.state)) is not None:
        return stored
    over = at >= record.valid_until
    if record.state in {State.REQUESTED, State.DEFERRED}:
        waiting = Standing.DEFERRED if record.state is State.DEFERRED else Standing.REQUESTED
        return Standing.REQUEST_EXPIRED if over else waiting
    if over:
        return Standing.EXPIRED
    limit = record.use_limit
    services = {service for service, _ in record.granted}
    if limit is not None and all(uses.get(service, 0) >= limit for service in services):
        return Standing.EXHAUSTED
    return Standing.GIVEN if record.revision == revision else Standing.NEEDS_RECONFIRMATION


def exact(state: FindingState) -> Exact | None:
    """Return the exact reason for which a finding permits nothing, or None where it permits."""
    return _EXACT.get(state)


def check(choice: Choice, terms: Terms) -> None:
    """Raise `Declined` where a choice goes beyond what the agreement offers."""
    if not choice.granted:
        raise Declined("Choose at least one fact, or refuse.")
    offered(choice.granted, terms)
    longest = min(terms.max_valid_days, MAX_VALID_DAYS)
    if not 1 <= choice.valid_days <= longest:
        raise Declined(f"The agreement allows 1 to {longest} days.")
    if choice.uses is not None and choice.uses < 1:
        raise Declined("A use limit is at least 1.")
    if terms.max_uses is not None and (choice.uses is None or choice.uses > terms.max_uses):
        raise Declined(f"The agreement allows at most {terms.max_uses} uses.")


def offered(facts: frozenset[Grant], terms: Terms) -> None:
    """Raise `Declined` where one of the facts is not among those that the agreement offers."""
    if beyond := sorted(facts - terms.offered):
        service, pointer = beyond[0]
        raise Declined(f"The agreement does not offer {service}#{pointer}.")


def check_narrowing(remaining: frozenset[Grant], held: Record, terms: Terms) -> None:
    """Raise `Declined` unless what remains is some but not all of what was granted, and keeps of
    each service that stays what it cannot answer without."""
    if not remaining:
        raise Declined("Keep at least one fact, or withdraw.")
    if not remaining < held.granted:
        raise Declined("To narrow is to take facts away: choose some of those that are shared.")
    kept = {service for service, _ in remaining}
    needed = {fact for fact in terms.required & held.granted if fact[0] in kept}
    if missing := sorted(needed - remaining):
        service, pointer = missing[0]
        raise Declined(f"Without {pointer}, {service} can answer nothing: keep it, or drop both.")


def kept_terms(record: Record) -> Terms:
    """Return what is left of the terms of a consent whose agreement is gone: enough to stop it."""
    return Terms(
        agreement=record.agreement,
        revision=record.revision,
        agency=record.agency,
        purpose=record.purpose,
        offered=frozenset(),
        required=frozenset(),
        max_valid_days=0,
        max_uses=None,
        asking=Asking(0, 0, 0),
    )
