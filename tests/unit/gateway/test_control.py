"""Control: what is in force is what the ledger's tables name, under exactly one epoch."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from consent.model import Finding, FindingState, Found
from gateway.control import Control, InForce, activate
from gateway.pdp import DecisionPoint
from kernel.entry import EntryType
from kernel.errors import Outdated, Reason, Refusal
from tests.contract import ledger_stage as stage
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
