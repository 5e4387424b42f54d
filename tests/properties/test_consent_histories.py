"""Any history of consent: nothing permits after a no, and what is stored agrees with its events."""

from contextlib import suppress
from dataclasses import dataclass, field, fields, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from consent.effects import used
from consent.model import Declined, FindingState, Kind, Record, Stale, Standing, State
from consent.requests import request_of
from consent.rows import event_of, record_of
from consent.rules import FINAL, STANDING, exact, finding, standing
from kernel.errors import Reason, Refusal
from kernel.names import ConsentId
from tests.unit.consent import parts

SERVICE_OF = {
    parts.FAMILY: parts.RESIDENTS,
    parts.BORN: parts.RESIDENTS,
    parts.TOTAL: parts.INCOME,
}
ASKING = replace(parts.ASKING, open_days=2, again_after_days=3, per_day=9)
grants = st.sets(st.sampled_from(sorted(parts.OFFERED)), min_size=1)
revisions = st.sampled_from([parts.REVISION, parts.REVISION, parts.OTHER_REVISION])


def terms(revision=parts.REVISION):
    return replace(parts.TERMS, revision=revision, asking=ASKING)


@dataclass
class Promise:
    """What was said last, and how often it was used since."""

    facts: frozenset
    until: int
    limit: int | None
    revision: str
    counts: dict = field(default_factory=dict)
    paused: bool = False


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
        """Records that are over for good."""
        self.promised = None
        self.refused = False
        self.waiting = None
        """The end of the request that waits for an answer, and whether it was put off."""
        self.rest = 0
        """When an agency may ask again."""

    def current(self):
        return self.tables.current()

    def asked(self):
        return self.waiting is not None and self.now < self.waiting[0]

    def carry_out(self, act):
        """Carry an act out and tell whether the rules let it."""
        self.made += 1
        before = dict(self.tables.rows)
        try:
            self.tables.act(act, self.now, f"co_{self.made}")
        except Declined:
            assert self.tables.rows == before
            return False
        return True

    @rule(days=st.integers(0, 3), seconds=st.integers(0, 5))
    def wait(self, days, seconds):
        self.now += days * parts.DAY + seconds

    @rule(facts=grants, revision=revisions)
    def ask(self, facts, revision):
        stood = self.current()
        may = not self.asked() and self.now >= self.rest
        act = parts.asking(self.made, *facts, terms=terms(revision))
        if not may:
            with pytest.raises(Refusal) as refusal:
                self.carry_out(act)
            assert refusal.value.reason is Reason.QUOTA_EXCEEDED
            return
        assert self.carry_out(act)
        self.waiting = (self.now + ASKING.open_days * parts.DAY, False)
        self.rest = self.now + ASKING.again_after_days * parts.DAY
        if self.promised is None:
            self.refused = False
        else:
            assert replace(self.current(), epoch=stood.epoch) == stood

    @rule()
    def put_off(self):
        taken = self.carry_out(parts.saying(Kind.DEFER, terms()))
        assert taken is (self.asked() and not self.waiting[1])
        if taken:
            self.waiting = (self.waiting[0], True)

    @rule(
        facts=grants,
        days=st.integers(1, 4),
        uses=st.none() | st.integers(1, 2),
        revision=revisions,
    )
    def give(self, facts, days, uses, revision):
        stood = self.current()
        act = parts.giving(*facts, days=days, uses=uses, terms=terms(revision))
        assert self.carry_out(act)
        until = self.now + days * parts.DAY
        assert (self.current().id == (stood and stood.id)) is (
            stood is not None and stood.state not in FINAL
        )
        self.promised = Promise(frozenset(facts), until, uses, revision)
        self.refused = False
        self.answer()

    def answer(self):
        if self.asked():
            self.rest = self.now + ASKING.again_after_days * parts.DAY
            self.waiting = None

    @rule()
    def refuse(self):
        taken = self.carry_out(parts.refusing(terms()))
        assert taken is (self.asked() if self.promised else not self.refused)
        if taken:
            self.answer()
            self.rest = self.now + ASKING.again_after_days * parts.DAY
            self.refused = self.promised is None

    @rule(kind=st.sampled_from([Kind.WITHDRAW, Kind.REVOKE, Kind.INVALIDATE]))
    def end(self, kind):
        stood = self.current()
        taken = self.carry_out(parts.saying(kind, terms()))
        assert taken is (self.promised is not None)
        if taken:
            self.ended.add(stood.id)
            self.promised = None

    @rule()
    def pause(self):
        taken = self.carry_out(parts.saying(Kind.SUSPEND, terms()))
        assert taken is (self.promised is not None and not self.promised.paused)
        if taken:
            self.promised.paused = True

    @rule()
    def go_on(self):
        taken = self.carry_out(parts.saying(Kind.RESUME, terms()))
        assert taken is (self.promised is not None and self.promised.paused)
        if taken:
            self.promised.paused = False

    @rule(remaining=grants)
    def narrow(self, remaining):
        taken = self.carry_out(parts.narrowing(*remaining, terms=terms()))
        assert taken is (self.promised is not None and self.narrower(remaining))
        if taken:
            self.promised.facts = frozenset(remaining)

    def narrower(self, remaining):
        held = self.promised.facts
        kept = {service for service, _ in remaining}
        needed = {fact for fact in parts.REQUIRED & held if fact[0] in kept}
        return remaining < held and needed <= remaining

    @rule()
    def begin_an_act_that_comes_late(self):
        with suppress(Declined):
            act = parts.withdrawing(terms()) if self.current() else parts.giving(terms=terms())
            self.late = (self.tables.seen(), self.tables.write(act, f"co_late{self.made}")[1])

    @precondition(lambda self: self.late is not None)
    @rule()
    def the_late_act_comes(self):
        (seen, effect), self.late = self.late, None
        if seen == self.tables.seen():
            return
        with pytest.raises(Stale):
            self.tables.commit(effect, self.now)

    @rule(fields=st.sets(st.sampled_from(sorted(SERVICE_OF)), min_size=1), revision=revisions)
    def release(self, fields, revision):
        service = SERVICE_OF[min(fields)]
        asked = {name for name in fields if SERVICE_OF[name] == service}
        held = self.current()
        consent = held.id if held else ConsentId("co_none")
        passed = self.uses(consent, service, revision, asked)
        assert passed is self.expected(service, revision, asked)
        if passed:
            counts = self.promised.counts
            counts[service] = counts.get(service, 0) + 1

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), revision=revisions)
    def release_under_a_record_that_ended(self, data, revision):
        consent = data.draw(st.sampled_from(sorted(self.ended)))
        assert not self.uses(consent, parts.RESIDENTS, revision, {parts.FAMILY})

    def uses(self, consent, service, revision, pointers):
        """Try a release and tell whether it commits."""
        self.released += 1
        one = parts.release(
            self.released, *pointers, consent=consent, service=service, revision=revision
        )
        try:
            self.tables.commit(used(one), self.now)
        except Refusal:
            return False
        return True

    def expected(self, service, revision, pointers):
        said = self.promised
        return (
            said is not None
            and not said.paused
            and {(service, pointer) for pointer in pointers} <= said.facts
            and self.now < said.until
            and revision == said.revision
            and (said.limit is None or said.counts.get(service, 0) < said.limit)
        )

    @invariant()
    def the_finding_permits_what_was_promised_and_nothing_else(self):
        held = self.current()
        found = finding(held, 0, parts.REVISION, self.now)
        if exact(found.state) is None:
            assert not self.promised.paused
            assert found.granted == self.promised.facts
        else:
            assert found.granted == frozenset()
        if self.promised is None:
            assert found.state in {
                FindingState.ABSENT,
                FindingState.REFUSED,
                FindingState.WITHDRAWN,
            }
        elif self.promised.paused:
            assert found.state is FindingState.SUSPENDED

    @invariant()
    def what_the_person_reads_is_what_the_exchange_finds(self):
        held = self.current()
        if held is None:
            return
        counts = self.promised.counts if self.promised else {}
        stands = standing(held, counts, parts.REVISION, self.now) is Standing.GIVEN
        services = {service for service, _ in held.granted}
        found = [
            finding(held, counts.get(service, 0), parts.REVISION, self.now).state
            for service in services
        ]
        assert stands is any(exact(state) is None for state in found)

    @invariant()
    def the_request_waits_as_long_as_it_was_said_to(self):
        found = [request_of(row, self.now) for row in self.tables.table("consent_request")]
        waits = [(one.expires, one.deferred) for one in found if one.state == "open"]
        assert waits == ([self.waiting] if self.asked() else [])

    @invariant()
    def the_last_event_says_what_the_record_says(self):
        for row in self.tables.table("consent"):
            record = record_of(row)
            events = [
                event_of(event)
                for event in self.tables.table("consent_event")
                if event["consent"] == row["id"]
            ]
            assert [event.epoch for event in events] == list(range(1, record.epoch + 1))
            last = events[-1]
            same = {one.name for one in fields(Record)} & set(type(last).__slots__)
            for name in same - {"notice", "language"}:  # of what was asked beside it
                assert getattr(last, name) == getattr(record, name)
            assert (record.id in self.ended) is (record.state in FINAL)
            assert not FINAL & {event.state for event in events[:-1]}

    @invariant()
    def a_record_is_what_its_events_make_of_it(self):
        """The same acts, told by the events alone, give the same terms."""
        for row in self.tables.table("consent"):
            record, state, term = record_of(row), None, 0
            for event in map(event_of, self.tables.table("consent_event")):
                if event.consent != record.id:
                    continue
                given = event.type in {"consent.given", "consent.renewed"}
                term += given
                if given:
                    granted, until = event.granted, event.valid_until
                elif event.type == "consent.narrowed":
                    assert event.granted < granted
                    granted = event.granted
                elif event.state not in STANDING | FINAL:
                    granted, until = frozenset(), event.valid_until
                assert (event.granted, event.valid_until) == (granted, until)
                state = event.state
            assert (record.state, record.term) == (state, term)
            assert (record.granted, record.valid_until) == (granted, until)

    @invariant()
    def no_use_follows_an_end(self):
        ends = {
            event["consent"]: event["index"]
            for event in self.tables.table("consent_event")
            if State(event["event_state"]) in FINAL
        }
        for use in self.tables.table("consent_use"):
            assert use["index"] < ends.get(use["consent"], self.tables.index + 1)


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
