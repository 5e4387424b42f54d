"""The consent store on the real ledger: what a person decides is written, kept and looked up."""

import threading
from dataclasses import replace

import pytest

from consent.blocks import BlockKind, blocking
from consent.model import Declined, FindingState, Kind, Overtaken, Stale, Standing, State, Use
from consent.store import TRIES, ConsentStore
from kernel.chance import SystemChance
from kernel.clock import SECOND
from kernel.effect import Effect, Key, Write
from kernel.errors import Exact, Refusal
from tests.contract import ledger_stage as stage
from tests.contract.consent_office import Office
from tests.unit.consent import parts

FACT = (parts.RESIDENTS, parts.FAMILY)
PLACE = (parts.REF, parts.AGREEMENT)


@pytest.fixture
def office(place):
    with stage.Stage(place).open() as log:
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
    row = {"subject_ref": parts.REF, "kinds": "court self", "since": parts.START}
    blocking = Effect((), lambda rows, moment: [Write(key, row)])
    office.log.ledger.append(stage.activated(), blocking)
    kinds = {"court", "self"}
    assert (office.state(), office.found().blocks) == (FindingState.ABSENT, kinds)
    office.act(parts.giving())
    assert (office.state(), office.found().blocks) == (FindingState.GIVEN, kinds)
    assert office.store.blocks(parts.REF) == kinds


def test_what_a_person_locks_stays_home_until_they_unlock_it(office):
    consent = office.act(parts.giving()).consent
    locked = office.store.lock(parts.AMINA, parts.PAGE)
    assert (office.state(), office.found().blocks) == (FindingState.GIVEN, {"self"})
    with pytest.raises(Refusal) as refusal:
        office.release(consent)
    assert refusal.value.exact is Exact.SUBJECT_BLOCKED
    with pytest.raises(Declined):
        office.store.lock(parts.AMINA, parts.PAGE)
    assert office.store.unlock(parts.AMINA, parts.PAGE).index > locked.index
    assert office.found().blocks == frozenset()
    office.release(consent)
    with pytest.raises(Declined):
        office.store.unlock(parts.AMINA, parts.PAGE)


def test_a_person_lifts_no_block_but_their_own(office):
    for kind in (BlockKind.SELF, BlockKind.COURT):
        office.log.ledger.append(*blocking(parts.AMINA, kind, parts.COURT, lift=False))
    office.store.unlock(parts.AMINA, parts.PAGE)
    assert office.store.blocks(parts.REF) == {"court"}
    with pytest.raises(Declined):
        office.store.unlock(parts.AMINA, parts.PAGE)


def test_a_lock_that_others_always_overtake_gives_up_by_name(office):
    class Overtaken:
        def append(self, entry, effect, refused=None):
            raise Stale

    store = ConsentStore(office.log.database, Overtaken(), SystemChance(), office.log.clock)
    with pytest.raises(Stale):
        store.lock(parts.AMINA, parts.PAGE)


def test_a_paused_consent_permits_nothing_until_it_goes_on(office):
    consent = office.act(parts.giving()).consent
    office.act(parts.saying(Kind.SUSPEND))
    assert office.state() is FindingState.SUSPENDED
    with pytest.raises(Refusal) as refusal:
        office.release(consent)
    assert refusal.value.exact is Exact.CONSENT_SUSPENDED
    office.act(parts.saying(Kind.RESUME))
    office.release(consent)
    assert office.state() is FindingState.GIVEN


def test_what_was_narrowed_away_stays_home_at_once(office):
    consent = office.act(parts.giving()).consent
    office.act(parts.narrowing(FACT))
    assert office.found().finding.granted == {FACT}
    office.release(consent)
    with pytest.raises(Refusal) as refusal:
        office.release(consent, parts.BORN)
    assert refusal.value.exact is Exact.CONSENT_FIELD


def test_every_act_has_a_receipt_that_is_found_and_superseded_by_the_next(office):
    acts = [parts.giving(uses=2), parts.saying(Kind.SUSPEND), parts.withdrawing()]
    done = [office.act(act) for act in acts]
    events = office.store.events(done[0].consent)
    assert [event.receipt for event in events] == [one.receipt for one in done]
    assert [event.index for event in events] == [one.index for one in done]
    assert [office.store.receipt(one.receipt) for one in done] == list(events)
    assert [office.store.superseded(event) for event in events] == [True, True, False]
    assert office.store.receipt("rc_unknown") is None


def test_what_is_asked_beside_a_consent_does_not_supersede_its_receipt(office):
    given = office.act(parts.giving(FACT))
    for act in (parts.asking(), parts.saying(Kind.DEFER), parts.refusing()):
        office.act(act)
    event = office.store.receipt(given.receipt)
    assert not office.store.superseded(event)
    office.act(parts.giving())
    assert office.store.superseded(event)


def test_a_notice_is_kept_and_found_by_its_digest(office):
    shown = parts.notice("ar")
    office.act(replace(parts.giving(), notice=shown))
    assert office.store.notice(shown.digest) == shown
    assert office.store.notice("0" * 64) is None
    (record,) = office.store.records(parts.REF)
    assert (record.notice, record.language) == (shown.digest, "ar")


def test_a_record_is_found_by_its_own_person_alone(office):
    consent = office.act(parts.giving()).consent
    assert office.store.record(parts.REF, consent) == office.store.current(*PLACE)
    assert office.store.record(stage.SubjectRef("d" * 32), consent) is None
    assert office.store.record(parts.REF, "co_unknown") is None
    assert office.store.current(parts.REF, "school-meals") is None


def test_uses_are_counted_for_the_present_term(office):
    consent = office.act(parts.giving(uses=1)).consent
    now = office.log.clock.now()
    office.release(consent)
    office.release(consent, parts.TOTAL, service=parts.INCOME)
    counts = {parts.RESIDENTS: 1, parts.INCOME: 1}
    assert office.store.use_counts(consent) == counts
    record = office.store.current(*PLACE)
    assert office.store.standing(record, parts.REVISION, now) is Standing.EXHAUSTED
    office.act(parts.giving())
    assert office.store.use_counts(consent) == {}
    record = office.store.current(*PLACE)
    assert office.store.standing(record, parts.REVISION, now) is Standing.GIVEN
    assert office.store.standing(record, None, now) is Standing.NEEDS_RECONFIRMATION
    assert len(office.store.uses(consent)) == 2


def test_an_act_about_a_record_that_moved_on_is_told_so_and_leaves_no_trace(office):
    asked = office.act(parts.asking())
    yes = replace(parts.giving(FACT), after=(asked.consent, 1))
    office.act(yes)
    size = office.log.ledger.size
    for late in (yes, replace(parts.refusing(), after=("co_other", 2))):
        with pytest.raises(Overtaken):
            office.act(late)
    assert office.log.ledger.size == size
    assert office.state() is FindingState.GIVEN


def test_an_act_about_a_record_where_there_is_none_is_told_so(office):
    with pytest.raises(Overtaken):
        office.act(replace(parts.giving(), after=("co_other", 1)))
    assert office.store.records(parts.REF) == []


def test_an_act_that_others_always_overtake_gives_up_by_name(office):
    class Overtaken:
        tries = 0

        def append(self, entry, effect, refused=None):
            self.tries += 1
            raise Stale

    ledger = Overtaken()
    store = ConsentStore(office.log.database, ledger, SystemChance(), office.log.clock)
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
