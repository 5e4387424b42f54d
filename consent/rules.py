"""Consent rules: when does a record answer a request, and which act may follow which?"""

from consent.model import (
    Choice,
    Declined,
    Finding,
    FindingState,
    Kind,
    Record,
    State,
    Terms,
)
from kernel.clock import Micros
from kernel.errors import Exact
from kernel.names import Revision

MAX_VALID_DAYS = 3660
FINAL = frozenset({State.WITHDRAWN})

_NEXT = {
    (None, Kind.GIVE): State.GIVEN,
    (State.REFUSED, Kind.GIVE): State.GIVEN,
    (State.GIVEN, Kind.GIVE): State.RENEWED,
    (State.RENEWED, Kind.GIVE): State.RENEWED,
    (None, Kind.REFUSE): State.REFUSED,
    (State.GIVEN, Kind.WITHDRAW): State.WITHDRAWN,
    (State.RENEWED, Kind.WITHDRAW): State.WITHDRAWN,
}
_WHY_NOT = {
    (State.REFUSED, Kind.REFUSE): "This was refused already.",
    (State.GIVEN, Kind.REFUSE): "A consent stands: withdraw it instead.",
    (State.RENEWED, Kind.REFUSE): "A consent stands: withdraw it instead.",
}
_DENYING = {
    State.REFUSED: FindingState.REFUSED,
    State.WITHDRAWN: FindingState.WITHDRAWN,
}
_EXACT = {
    FindingState.ABSENT: Exact.CONSENT_ABSENT,
    FindingState.REFUSED: Exact.CONSENT_REFUSED,
    FindingState.WITHDRAWN: Exact.CONSENT_WITHDRAWN,
    FindingState.EXPIRED: Exact.CONSENT_EXPIRED,
    FindingState.EXHAUSTED: Exact.CONSENT_EXHAUSTED,
}


def following(current: State | None, kind: Kind) -> State:
    """Return the state after an act, or raise `Declined`; a final state counts as none."""
    start = None if current in FINAL else current
    if (after := _NEXT.get((start, kind))) is None:
        why = "There is no consent to withdraw."
        raise Declined(why if start is None else _WHY_NOT.get((start, kind), why))
    return after


def finding(record: Record | None, uses: int, revision: Revision, at: Micros) -> Finding:
    """Return what a record means at a moment for a service that used it so many times.

    A consent holds for exactly one revision of its agreement; validity is half-open.
    """
    if record is None:
        return Finding(FindingState.ABSENT)
    if (denying := _DENYING.get(record.state)) is not None:
        return Finding(denying, record.id)
    if record.revision != revision or at < record.valid_from:
        return Finding(FindingState.ABSENT, record.id)
    if at >= record.valid_until:
        return Finding(FindingState.EXPIRED, record.id)
    if record.use_limit is not None and uses >= record.use_limit:
        return Finding(FindingState.EXHAUSTED, record.id)
    state = FindingState.RENEWED if record.state is State.RENEWED else FindingState.GIVEN
    return Finding(state, record.id, record.granted)


def exact(state: FindingState) -> Exact | None:
    """Return the exact reason for which a finding permits nothing, or None where it permits."""
    return _EXACT.get(state)


def check(choice: Choice, terms: Terms) -> None:
    """Raise `Declined` where a choice goes beyond what the agreement offers."""
    if not choice.granted:
        raise Declined("Choose at least one fact, or refuse.")
    if beyond := sorted(choice.granted - terms.offered):
        service, pointer = beyond[0]
        raise Declined(f"The agreement does not offer {service}#{pointer}.")
    longest = min(terms.max_valid_days, MAX_VALID_DAYS)
    if not 1 <= choice.valid_days <= longest:
        raise Declined(f"The agreement allows 1 to {longest} days.")
    if choice.uses is not None and choice.uses < 1:
        raise Declined("A use limit is at least 1.")
    if terms.max_uses is not None and (choice.uses is None or choice.uses > terms.max_uses):
        raise Declined(f"The agreement allows at most {terms.max_uses} uses.")
