"""The consent store on the real ledger: what a person decides is written, kept and looked up."""

import threading
from dataclasses import replace

import pytest

from consent.effects import used
from consent.model import Declined, FindingState, Stale, State, Use
from consent.store import TRIES, ConsentStore
from kernel.chance import SystemChance
from kernel.clock import SECOND, Micros
from kernel.effect import Effect, Key, Write
from kernel.errors import Exact, Refusal
from tests.contract import ledger_stage as stage
from tests.unit.consent import parts

FACT = (parts.RESIDENTS, parts.FAMILY)
AGREED = (parts.AGREEMENT, parts.REVISION)


class Office:
    """A consent store over a real ledger, and releases under what it holds."""

    def __init__(self, log):
        self.log = log
        self.store = ConsentStore(log.database, log.ledger, SystemChance())
        self.released = 0

    def act(self, act):
        return self.store.carry_out(act)

    def found(self, *, service=parts.RESIDENTS, agreed=AGREED, after=0):
        at = Micros(self.log.clock.now() + after)
        return self.store.look_up(parts.REF, agreed, service, at)

    def state(self, **where):
        return self.found(**where).finding.state

    def release(self, consent, *fields, service=parts.RESIDENTS):
        self.released += 1
        one = parts.release(self.released, *fields, consent=consent, service=service)
        person = stage.Concerned(parts.REF, parts.AMINA.subject)
        entry = stage.release(one.exchange, person)
        return self.log.ledger.append(entry, used(one))

    def rows(self, question, *values):
        return [tuple(row) for row in self.log.database.read().execute(question, values)]

    def entries(self):
        """Return the open part of every entry about consent, in the ledger's order."""
        leaves = map(self.log.ledger.entry, range(self.log.ledger.size))
        return [leaf for leaf in leaves if leaf["type"].startswith("consent.")]


@pytest.fixture
def office(tmp_path):
    with stage.Stage(tmp_path).open() as log:
        yield Office(log)


def test_nobody_asked_means_absent(office):
    found = office.found()
    assert (found.finding.state, found.finding.consent, found.blocks) == (
        FindingState.ABSENT,
        None,
        frozenset(),
    )
    assert office.store.records(parts.REF) == []


def test_a_subset_that_is_given_is_found_and_nothing_else(office):
    done = office.act(parts.giving(FACT, days=7, uses=3))
    found = office.found().finding
    assert (found.state, found.consent, found.granted) == (
        FindingState.GIVEN,
        done.consent,
        {FACT},
    )
    (held,) = office.store.records(parts.REF)
    assert (held.valid_from, held.valid_until) == (done.at, done.at + 7 * parts.DAY)
    assert (held.use_limit, held.state) == (3, State.GIVEN)


def test_what_is_acknowledged_stands_in_the_ledger(office):
    done = office.act(parts.giving(FACT))
    entry = office.log.ledger.entry(done.index)
    assert (entry["type"], entry["consent"]) == ("consent.given", done.consent)
    assert (done.state, done.uses) == (State.GIVEN, ())
    assert parts.AMINA.subject.value not in str(entry)


def test_a_consent_is_found_for_its_revision_and_its_time_alone(office):
    office.act(parts.giving(FACT, days=7))
    other = (parts.AGREEMENT, parts.OTHER_REVISION)
    assert office.state(agreed=other) is FindingState.ABSENT
    assert office.state(agreed=("school-meals", parts.REVISION)) is FindingState.ABSENT
    assert office.state(after=7 * parts.DAY - 60 * SECOND) is FindingState.GIVEN
    assert office.state(after=7 * parts.DAY) is FindingState.EXPIRED


def test_a_refusal_is_found_as_such(office):
    done = office.act(parts.refusing())
    assert done.state is State.REFUSED
    assert office.state() is FindingState.REFUSED
    with pytest.raises(Declined):
        office.act(parts.refusing())
    assert [entry["type"] for entry in office.entries()] == ["consent.refused"]


def test_a_refusal_while_consent_stands_is_declined_and_leaves_no_trace(office):
    office.act(parts.giving())
    size = office.log.ledger.size
    with pytest.raises(Declined, match=r"policy\.denied") as declined:
        office.act(parts.refusing())
    assert declined.value.detail == "A consent stands: withdraw it instead."
    assert office.state() is FindingState.GIVEN
    assert office.log.ledger.size == size


def test_giving_after_a_refusal_goes_on_with_the_same_record(office):
    refused = office.act(parts.refusing())
    given = office.act(parts.giving())
    assert refused.consent == given.consent
    assert office.state() is FindingState.GIVEN


def test_giving_again_renews_the_same_record_and_counts_anew(office):
    first = office.act(parts.giving(uses=1))
    office.release(first.consent)
    assert office.state() is FindingState.EXHAUSTED
    assert office.state(service=parts.INCOME) is FindingState.GIVEN
    again = office.act(parts.giving(FACT, uses=1))
    assert (again.consent, again.state) == (first.consent, State.RENEWED)
    assert [use.exchange for use in again.uses] == ["ex_1"]
    assert (office.state(), office.found().finding.granted) == (FindingState.RENEWED, {FACT})
    office.release(first.consent)
    assert office.state() is FindingState.EXHAUSTED


def test_a_withdrawal_lists_every_release_before_it_and_none_follows(office):
    consent = office.act(parts.giving()).consent
    first = office.release(consent)
    second = office.release(consent, parts.TOTAL, service=parts.INCOME)
    done = office.act(parts.withdrawing())
    assert (done.consent, done.state) == (consent, State.WITHDRAWN)
    assert done.uses == (
        Use("ex_1", first.time, parts.AGENCY, parts.RESIDENTS),
        Use("ex_2", second.time, parts.AGENCY, parts.INCOME),
    )
    with pytest.raises(Refusal) as refusal:
        office.release(consent)
    assert refusal.value.exact is Exact.CONSENT_WITHDRAWN
    assert office.store.uses(consent) == done.uses
    assert office.state() is FindingState.WITHDRAWN


def test_what_does_not_stand_cannot_be_withdrawn(office):
    with pytest.raises(Declined):
        office.act(parts.withdrawing())
    office.act(parts.giving())
    office.act(parts.withdrawing())
    with pytest.raises(Declined):
        office.act(parts.withdrawing())


def test_giving_after_a_withdrawal_makes_a_new_record(office):
    first = office.act(parts.giving())
    office.release(first.consent)
    office.act(parts.withdrawing())
    second = office.act(parts.giving(FACT))
    assert second.consent != first.consent
    assert (second.state, second.uses) == (State.GIVEN, ())
    assert office.found().finding.consent == second.consent
    assert [(held.id, held.state) for held in office.store.records(parts.REF)] == [
        (first.consent, State.WITHDRAWN),
        (second.consent, State.GIVEN),
    ]
    with pytest.raises(Refusal) as refusal:
        office.release(first.consent)
    assert refusal.value.exact is Exact.CONSENT_WITHDRAWN


def test_consents_of_others_and_to_others_are_untouched(office):
    office.act(parts.giving())
    neighbour = replace(parts.AMINA, ref=stage.SubjectRef("d" * 32))
    meals = replace(parts.TERMS, agreement="school-meals")
    office.act(replace(parts.giving(), person=neighbour))
    office.act(parts.giving(terms=meals))
    office.act(parts.withdrawing(meals))
    assert office.state() is FindingState.GIVEN
    assert len(office.store.records(parts.REF)) == 2
    assert len(office.store.records(neighbour.ref)) == 1


def test_a_block_is_found_beside_consent_and_also_without_one(office):
    key = Key("block", (parts.REF,))
    row = {"subject_ref": parts.REF, "kind": "lock", "since": parts.START}
    blocking = Effect((), lambda rows, moment: [Write(key, row)])
    office.log.ledger.append(stage.activated(), blocking)
    assert (office.state(), office.found().blocks) == (FindingState.ABSENT, {"lock"})
    office.act(parts.giving())
    assert (office.state(), office.found().blocks) == (FindingState.GIVEN, {"lock"})


def test_an_act_that_others_always_overtake_gives_up_by_name(office):
    class Overtaken:
        tries = 0

        def append(self, entry, effect, refused=None):
            self.tries += 1
            raise Stale

    ledger = Overtaken()
    store = ConsentStore(office.log.database, ledger, SystemChance())
    with pytest.raises(Stale):
        store.carry_out(parts.giving())
    assert ledger.tries == TRIES


def test_acts_from_many_threads_leave_one_history_that_ledger_and_tables_agree_on(office):
    acknowledged = []

    def decide(*acts):
        for act in acts:
            try:
                acknowledged.append(office.act(act))
            except (Declined, Stale):
                continue

    give, stop, refuse = parts.giving(), parts.withdrawing(), parts.refusing()
    plans = [(give, stop) * 4, (stop, give) * 4, (refuse, give) * 4, (give, give, stop, refuse)]
    threads = [threading.Thread(target=decide, args=plan) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    entries, records = office.entries(), office.store.records(parts.REF)
    told = {done.index: (done.consent, done.state) for done in acknowledged}
    assert len(told) == len(acknowledged) == len(entries)
    events = office.rows(
        'SELECT "index", consent, epoch, event_state, event_type FROM consent_event'
        ' ORDER BY "index"'
    )
    assert [(kind, consent) for _, consent, _, _, kind in events] == [
        (entry["type"], entry["consent"]) for entry in entries
    ]
    assert {index: (consent, state) for index, consent, _, state, _ in events} == told
    for record in records:
        epochs = [epoch for _, consent, epoch, _, _ in events if consent == record.id]
        states = [state for _, consent, _, state, _ in events if consent == record.id]
        assert epochs == list(range(1, record.epoch + 1))
        assert states[-1] == record.state
        assert State.WITHDRAWN not in states[:-1]
    ((current,),) = office.rows("SELECT consent FROM consent_slot")
    assert current == entries[-1]["consent"]
