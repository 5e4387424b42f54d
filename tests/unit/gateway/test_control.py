"""Control: what is in force is what the ledger's tables name, under exactly one epoch."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest

from consent.model import Finding, FindingState, Found
from gateway.load.fibres import Fibres
from gateway.policy.control import Activated, Control, InForce, activate
from gateway.policy.fault import Fault, PolicyError
from gateway.policy.pdp import DecisionPoint
from gateway.stops import NONE, Halts, resume, stop
from kernel.entry import EntryType
from kernel.errors import Outdated, Reason, Refusal
from kernel.waits import OwnThread
from tests.contract import ledger_stage as stage
from tests.fibred import carried_out
from tests.policies.repository import bundle_of
from tests.unit.gateway import parts

FIRST, SECOND = bundle_of("package first\n"), bundle_of("package second\n")


@pytest.fixture
def log(tmp_path):
    with stage.Stage(tmp_path).open() as opened:
        yield opened


class Counted:
    """A control whose preparations are counted."""

    def __init__(self, log):
        self.log = log
        self.prepared = []
        self.control = Control(log.database, self.prepare)

    def prepare(self, bundle):
        self.prepared.append(bundle.revision)
        return InForce(bundle.revision, SimpleNamespace(), SimpleNamespace())

    @property
    def epoch(self):
        return self.log.database.read().execute("SELECT epoch FROM ledger_state").fetchone()[0]


@pytest.fixture
def counted(log):
    return Counted(log)


def test_before_the_first_policies_nothing_is_in_force(counted):
    assert counted.control.active() is None
    with pytest.raises(Refusal, match=r"policy\.unavailable"):
        counted.control.now()


def test_an_activation_is_one_control_entry_that_stores_the_bundle(log, counted):
    before = counted.epoch
    activate(log.ledger, FIRST)
    assert counted.control.active() == FIRST.revision
    assert counted.epoch == before + 1
    leaf = log.ledger.entry(1)
    assert (leaf["type"], leaf["policy"]) == ("policy.activated", FIRST.revision)
    rows = log.database.read().execute("SELECT revision, content FROM policy_bundle").fetchall()
    assert [tuple(row) for row in rows] == [(FIRST.revision, FIRST.content)]


def test_what_is_in_force_is_prepared_once_for_an_epoch(log, counted):
    activate(log.ledger, FIRST)
    first = counted.control.at(counted.epoch)
    assert counted.control.at(counted.epoch) is first
    assert counted.control.now() is first
    assert counted.prepared == [FIRST.revision]


def test_another_epoch_than_the_ledgers_is_outdated(log, counted):
    activate(log.ledger, FIRST)
    for epoch in (counted.epoch - 1, counted.epoch + 1):
        with pytest.raises(Outdated):
            counted.control.at(epoch)


def test_a_new_revision_is_in_force_on_the_next_request(log, counted):
    activate(log.ledger, FIRST)
    old = counted.epoch
    counted.control.at(old)
    activate(log.ledger, SECOND)
    assert counted.control.at(counted.epoch).revision == SECOND.revision
    with pytest.raises(Outdated):
        counted.control.at(old)


def test_an_epoch_that_moved_for_another_reason_keeps_what_was_prepared(log, counted):
    activate(log.ledger, FIRST)
    first = counted.control.now()
    log.ledger.append(stage.Entry(EntryType.CLIENT_ADDED, {"client": "fb-1"}, control=True))
    assert counted.control.at(counted.epoch) is first
    assert counted.prepared == [FIRST.revision]


@pytest.mark.parametrize("content", [None, SECOND.content])
def test_stored_policies_that_are_not_what_the_ledger_names_are_refused(log, counted, content):
    activate(log.ledger, FIRST)
    with log.database.sequence(stage.Deadline.within(5, log.clock)) as writer:
        writer.execute("DELETE FROM policy_bundle")
        if content is not None:
            writer.execute("INSERT INTO policy_bundle VALUES (?, ?)", (FIRST.revision, content))
    with pytest.raises(Refusal) as refusal:
        counted.control.now()
    assert refusal.value.reason is Reason.POLICY_UNAVAILABLE
    assert counted.prepared == []


def test_stored_policies_that_cannot_be_made_ready_are_refused(log, counted):
    activate(log.ledger, FIRST)

    def fails(bundle):
        raise PolicyError([Fault("exchange/decision.rego", 1, "the rules do not compile")])

    control = Control(log.database, fails)
    with pytest.raises(Refusal) as refusal:
        control.now()
    assert refusal.value.reason is Reason.POLICY_UNAVAILABLE
    assert counted.control.now().revision == FIRST.revision


def test_who_comes_while_policies_are_made_ready_waits_for_them_and_not_for_ever(log, counted):
    activate(log.ledger, FIRST)
    begun, done = threading.Event(), threading.Event()

    def slowly(bundle):
        begun.set()
        assert done.wait(120)
        return counted.prepare(bundle)

    patient, hurried = Control(log.database, slowly), Control(log.database, slowly, patience=0.05)
    hurried._lock = patient._lock  # both wait for the same preparation
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(patient.at, counted.epoch)
        assert begun.wait(120)
        second = pool.submit(patient.at, counted.epoch)
        with pytest.raises(Refusal) as refusal:
            hurried.at(counted.epoch)
        done.set()
        assert first.result(120) is second.result(120)
    assert refusal.value.reason is Reason.POLICY_UNAVAILABLE
    assert counted.prepared == [FIRST.revision]


def test_who_has_no_thread_keeps_nobody_while_policies_are_made_ready(log, counted):
    activate(log.ledger, FIRST)
    begun, done, fibres = threading.Event(), threading.Event(), Fibres(OwnThread())

    def slowly(bundle):
        begun.set()
        assert done.wait(30)
        return counted.prepare(bundle)

    control, epoch = Control(log.database, slowly, fibres, patience=30), counted.epoch
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(control.at, epoch)
        assert begun.wait(30)
        told = carried_out(fibres, lambda: control.at(epoch), done.set)
        assert told == [first.result(30), None]
    assert counted.prepared == [FIRST.revision]


def test_the_revision_before_is_known_and_can_be_read_again(log, counted):
    activate(log.ledger, FIRST)
    activate(log.ledger, FIRST)
    assert counted.control.activated() == Activated(counted.epoch, FIRST.revision, None)
    activate(log.ledger, SECOND, counted.epoch)
    assert counted.control.activated().before == FIRST.revision
    assert counted.control.stored(FIRST.revision) == FIRST
    with pytest.raises(Refusal) as refusal:
        counted.control.stored("f" * 64)
    assert "no policies of that revision" in refusal.value.detail


def test_an_activation_under_a_passed_epoch_changes_nothing(log, counted):
    activate(log.ledger, FIRST)
    with pytest.raises(Outdated):
        activate(log.ledger, SECOND, counted.epoch - 1)
    assert counted.control.active() == FIRST.revision


def test_a_stop_is_in_force_with_the_next_epoch_and_prepares_nothing_again(log, counted):
    activate(log.ledger, FIRST)
    first = counted.control.now()
    assert first.stops == NONE
    stop(log.ledger, Halts.SOURCE, "tax", "Wrong names came.")
    stopped = counted.control.at(counted.epoch)
    assert [*stopped.stops.held] == [("source", "tax")]
    assert (stopped.revision, stopped.point) == (first.revision, first.point)
    resume(log.ledger, Halts.SOURCE, "tax", None)
    assert counted.control.at(counted.epoch).stops == NONE
    assert counted.prepared == [FIRST.revision]


def test_what_is_stopped_is_read_once_for_an_epoch_and_never_older_than_it(log, counted):
    stop(log.ledger, Halts.AGENCY, "tax", "A key was stolen.")
    known = counted.control.stops(counted.epoch)
    assert known.agency("tax").reason == "A key was stolen."
    assert counted.control.stops(counted.epoch) is known
    assert counted.control.stops(counted.epoch - 1) == known, "what came since counts"
    resume(log.ledger, Halts.AGENCY, "tax", "The key was changed.")
    assert counted.control.stops(counted.epoch) == NONE


def test_stops_that_cannot_be_read_let_nobody_in(log, counted):
    with log.database.sequence(stage.Deadline.within(5, log.clock)) as writer:
        writer.execute("DROP TABLE stop")
    with pytest.raises(Refusal) as refusal:
        counted.control.stops(1)
    assert refusal.value.reason is Reason.LEDGER_UNAVAILABLE


def test_an_activation_writes_the_same_whatever_was_there():
    ledger = parts.Ledger()
    activate(ledger, FIRST)
    (entry,) = ledger.entries
    assert (entry.type, entry.control, entry.epoch) == (EntryType.POLICY_ACTIVATED, True, None)
    assert {key.table for key in ledger.rows} == {"policy_bundle", "control"}


class Deciding:
    """An engine that permits what is asked, and keeps the question."""

    def decide(self, question):
        self.question = question
        return parts.permit()


def in_force(point):
    catalogue = SimpleNamespace(
        agreements={parts.AGREEMENT.id: parts.AGREEMENT},
        services={parts.SERVICE.id: parts.SERVICE},
        authorities={parts.LAW.id: parts.LAW},
        parse_subject=lambda scheme, value: (scheme, value),
    )
    return InForce(parts.POLICY, catalogue, point)


def test_what_is_in_force_answers_for_its_catalogue():
    now = in_force(DecisionPoint(None, parts.POLICY))
    assert now.agreements == {parts.AGREEMENT.id: parts.AGREEMENT}
    assert now.services == {parts.SERVICE.id: parts.SERVICE}
    assert now.subject(parts.AMINA) == ("resident-number", parts.NUMBER)


def test_a_consent_agreement_is_decided_on_the_finding_and_no_law():
    point, docket = Deciding(), parts.docket(consent=None, input=None)
    agreement = replace(parts.AGREEMENT, authority="maintenance-act")
    docket.agreement = agreement
    assert in_force(point).decide(docket, parts.FOUND, parts.NOW) == parts.permit()
    facts = point.question.facts
    assert (facts.finding, facts.authority) == (parts.FOUND.finding, None)
    assert (facts.requester, facts.at, facts.blocks) == ("family-benefits", parts.NOW, frozenset())
    assert (docket.consent, docket.input) == ("co_1", point.question.input)


def test_a_statutory_agreement_is_decided_on_its_law_and_no_consent():
    point, docket = Deciding(), parts.docket(consent=None, input=None)
    docket.agreement = parts.BY_LAW
    found = Found(parts.FOUND.finding, frozenset({"lock"}))
    in_force(point).decide(docket, found, parts.NOW)
    facts = point.question.facts
    assert facts.finding == Finding(FindingState.NOT_APPLICABLE)
    assert (facts.authority, facts.blocks) == (parts.LAW, {"lock"})
    assert docket.consent is None


@pytest.mark.parametrize("named", [None, "no-such-act"])
def test_a_law_that_is_not_registered_is_none(named):
    point, docket = Deciding(), parts.docket()
    docket.agreement = replace(parts.BY_LAW, authority=named)
    in_force(point).decide(docket, parts.FOUND, parts.NOW)
    assert point.question.facts.authority is None


@pytest.mark.parametrize("lacks", ["agreement", "service"])
def test_a_request_that_was_not_resolved_is_not_decided(lacks):
    with pytest.raises(Refusal, match="internal"):
        in_force(Deciding()).decide(parts.docket(**{lacks: None}), parts.FOUND, parts.NOW)
