"""Any history of consent: nothing permits after a no, and what is stored agrees with its events."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consent.acts import written
from consent.effects import used
from consent.model import Declined, FindingState, Stale, State
from consent.rows import record_key, record_of, slot_key
from consent.rules import exact, finding
from kernel.errors import Refusal
from kernel.names import ConsentId
from tests.unit.consent import parts

SERVICE_OF = {
    parts.FAMILY: parts.RESIDENTS,
    parts.BORN: parts.RESIDENTS,
    parts.TOTAL: parts.INCOME,
}
grants = st.sets(st.sampled_from(sorted(parts.OFFERED)), min_size=1)
revisions = st.sampled_from([parts.REVISION, parts.REVISION, parts.OTHER_REVISION])


class Histories(RuleBasedStateMachine):
    """One person, one agreement; the model is the plainest account of what was said and used."""

    def __init__(self):
        super().__init__()
        self.tables = parts.Tables()
        self.now = parts.START
        self.made = 0
        self.released = 0
        self.late = None
        self.ended = set()
        """Records that were withdrawn."""
        self.promised = None
        """What was said last: granted facts, end, use limit, revision, and uses so far."""

    def current(self):
        slot = self.tables.rows.get(slot_key(parts.REF, parts.AGREEMENT))
        return record_of(self.tables.rows[record_key(slot["consent"])]) if slot else None

    def write(self, act):
        self.made += 1
        return written(act, self.current(), ConsentId(f"co_{self.made}"))

    def carry_out(self, act):
        """Carry an act out and tell whether the rules let it."""
        try:
            self.tables.commit(self.write(act)[1], self.now)
        except Declined:
            return False
        return True

    @rule(days=st.integers(0, 3), seconds=st.integers(0, 5))
    def wait(self, days, seconds):
        self.now += days * parts.DAY + seconds

    @rule(
        facts=grants,
        days=st.integers(1, 4),
        uses=st.none() | st.integers(1, 2),
        revision=revisions,
    )
    def give(self, facts, days, uses, revision):
        terms = replace(parts.TERMS, revision=revision)
        assert self.carry_out(parts.giving(*facts, days=days, uses=uses, terms=terms))
        until = self.now + days * parts.DAY
        self.promised = (frozenset(facts), until, uses, revision, {})

    @rule()
    def refuse(self):
        stood = self.current()
        taken = self.carry_out(parts.refusing())
        assert taken is (stood is None or stood.state is State.WITHDRAWN)
        if taken:
            self.promised = None

    @rule()
    def withdraw(self):
        stood = self.current()
        taken = self.carry_out(parts.withdrawing())
        assert taken is (stood is not None and stood.state in {State.GIVEN, State.RENEWED})
        if taken:
            self.ended.add(stood.id)
            self.promised = None

    @rule()
    def begin_an_act_that_comes_late(self):
        with suppress(Declined):
            act = parts.withdrawing() if self.current() else parts.giving()
            self.late = (self.current(), self.write(act)[1])

    @precondition(lambda self: self.late is not None)
    @rule()
    def the_late_act_comes(self):
        (seen, effect), self.late = self.late, None
        if seen == self.current():
            return
        with pytest.raises(Stale):
            self.tables.commit(effect, self.now)

    @rule(fields=st.sets(st.sampled_from(sorted(SERVICE_OF)), min_size=1), revision=revisions)
    def release(self, fields, revision):
        service = SERVICE_OF[min(fields)]
        asked = {field for field in fields if SERVICE_OF[field] == service}
        held = self.current()
        consent = held.id if held else ConsentId("co_none")
        passed = self.uses(consent, service, revision, asked)
        assert passed is self.expected(service, revision, asked)
        if passed:
            counts = self.promised[4]
            counts[service] = counts.get(service, 0) + 1

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), revision=revisions)
    def release_under_a_record_that_ended(self, data, revision):
        consent = data.draw(st.sampled_from(sorted(self.ended)))
        assert not self.uses(consent, parts.RESIDENTS, revision, {parts.FAMILY})

    def uses(self, consent, service, revision, fields):
        """Try a release and tell whether it commits."""
        self.released += 1
        one = parts.release(
            self.released, *fields, consent=consent, service=service, revision=revision
        )
        try:
            self.tables.commit(used(one), self.now)
        except Refusal:
            return False
        return True

    def expected(self, service, revision, fields):
        if self.promised is None:
            return False
        facts, until, limit, agreed, counts = self.promised
        return (
            {(service, field) for field in fields} <= facts
            and self.now < until
            and revision == agreed
            and (limit is None or counts.get(service, 0) < limit)
        )

    @invariant()
    def the_finding_permits_what_was_promised_and_nothing_else(self):
        held = self.current()
        found = finding(held, 0, parts.REVISION, self.now)
        if exact(found.state) is None:
            assert found.granted == self.promised[0]
        elif self.promised is None:
            assert found.granted == frozenset()
            assert found.state in {
                FindingState.ABSENT,
                FindingState.REFUSED,
                FindingState.WITHDRAWN,
            }

    @invariant()
    def stored_states_are_those_of_the_last_event(self):
        for row in self.tables.table("consent"):
            events = [
                event
                for event in self.tables.table("consent_event")
                if event["consent"] == row["id"]
            ]
            assert [event["epoch"] for event in events] == list(range(1, row["epoch"] + 1))
            assert events[-1]["event_state"] == row["state"]
            assert (row["id"] in self.ended) is (row["state"] == State.WITHDRAWN)
            assert State.WITHDRAWN not in [event["event_state"] for event in events[:-1]]

    @invariant()
    def no_use_follows_a_withdrawal(self):
        ends = {
            event["consent"]: event["index"]
            for event in self.tables.table("consent_event")
            if event["event_state"] == State.WITHDRAWN
        }
        for use in self.tables.table("consent_use"):
            assert use["index"] < ends.get(use["consent"], self.tables.index + 1)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=80, stateful_step_count=20, deadline=None)
