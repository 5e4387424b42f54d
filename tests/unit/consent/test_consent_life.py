"""The life of a consent: every state and every act, what follows, and what is declined and why."""

import pytest

from consent.model import Declined, Kind, State
from consent.rules import FINAL, RESTRICTING, STANDING, following
from kernel.errors import Reason

YES, AGAIN, PAUSED = State.GIVEN, State.RENEWED, State.SUSPENDED
BEFORE = (None, State.REQUESTED, State.DEFERRED, State.REFUSED, YES, AGAIN, PAUSED)
FOLLOWS = {
    "requested": State.REQUESTED,
    "deferred": State.DEFERRED,
    "refused": State.REFUSED,
    "given": YES,
    "renewed": AGAIN,
    "suspended": PAUSED,
    "withdrawn": State.WITHDRAWN,
    "revoked": State.REVOKED,
    "invalid": State.INVALIDATED,
    "none": "There is no consent to {}.",
    "nobody": "Nobody is asking for your consent now.",
    "put_off": "This was put off already.",
    "no_again": "This was refused already.",
    "paused": "This consent is paused already.",
    "runs": "This consent is not paused.",
    "stands": "A consent stands: withdraw it instead.",
}
WHILE_ASKED = """
             none       requested  deferred   refused    given      renewed    suspended
request      requested  requested  requested  requested  given      renewed    suspended
defer        deferred   deferred   put_off    nobody     given      renewed    suspended
give         given      given      given      given      renewed    renewed    renewed
refuse       refused    refused    refused    no_again   given      renewed    suspended
suspend      none       none       none       none       suspended  suspended  paused
resume       none       none       none       none       runs       runs       given
narrow       none       none       none       none       given      renewed    suspended
withdraw     none       none       none       none       withdrawn  withdrawn  withdrawn
revoke       none       none       none       none       revoked    revoked    revoked
invalidate   none       none       none       none       invalid    invalid    invalid
"""
WHILE_NOBODY_ASKS = {
    "defer": "nobody     nobody     put_off    nobody     nobody     nobody     nobody",
    "refuse": "refused    refused    refused    no_again   stands     stands     stands",
}


def life():
    """Yield state, act, whether a request is open, and what follows: a state or words."""
    for line in WHILE_ASKED.strip().splitlines()[1:]:
        kind, *asked = line.split()
        alone = WHILE_NOBODY_ASKS.get(kind, " ".join(asked)).split()
        for names, waits in ((asked, True), (alone, False)):
            for before, name in zip(BEFORE, names, strict=True):
                after = FOLLOWS[name]
                yield (
                    *(before, Kind(kind), waits),
                    after if isinstance(after, State) else after.format(kind),
                )


LIFE = list(life())


@pytest.mark.parametrize(
    ("before", "kind", "asked", "after"), [row for row in LIFE if isinstance(row[3], State)]
)
def test_an_act_that_may_follow_leads_to_its_state(before, kind, asked, after):
    assert following(before, kind, asked=asked) is after


@pytest.mark.parametrize(
    ("before", "kind", "asked", "why"), [row for row in LIFE if not isinstance(row[3], State)]
)
def test_an_act_that_may_not_follow_is_declined_in_plain_words(before, kind, asked, why):
    with pytest.raises(Declined) as declined:
        following(before, kind, asked=asked)
    assert declined.value.detail == why
    assert declined.value.reason is Reason.POLICY_DENIED


def test_every_state_and_act_is_decided_once():
    decided = [row[:3] for row in LIFE]
    assert len(set(decided)) == len(decided) == len(BEFORE) * len(Kind) * 2
    assert set(BEFORE) | FINAL == {None, *State}


@pytest.mark.parametrize("final", sorted(FINAL))
@pytest.mark.parametrize("kind", Kind)
def test_after_a_final_state_every_act_begins_as_if_nothing_had_been(final, kind):
    def outcome(before, asked):
        try:
            return following(before, kind, asked=asked)
        except Declined as declined:
            return declined.detail

    for asked in (True, False):
        assert outcome(final, asked) == outcome(None, asked)


def test_final_are_the_persons_stop_anothers_stop_and_a_defect():
    assert {State.WITHDRAWN, State.REVOKED, State.INVALIDATED} == FINAL
    assert {YES, AGAIN, PAUSED} == STANDING


def test_only_giving_and_resuming_lead_to_a_state_that_permits():
    leading = {
        kind for before, kind, _, after in LIFE if after in {YES, AGAIN} and after is not before
    }
    assert leading == {Kind.GIVE, Kind.RESUME}


def test_an_act_that_takes_something_away_never_leads_to_more():
    assert {Kind.SUSPEND, Kind.NARROW, Kind.WITHDRAW, Kind.REVOKE, Kind.INVALIDATE} == RESTRICTING
    order = {PAUSED: 1, YES: 2, AGAIN: 2}
    for before, kind, _, after in LIFE:
        if kind in RESTRICTING and isinstance(after, State):
            assert order.get(after, 0) <= order[before]
