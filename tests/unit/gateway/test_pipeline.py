"""Pipeline: ten steps in order, every no written down once, and nothing but `Refusal` escapes."""

import json
from dataclasses import dataclass, field, replace

import pytest

from gateway.ask import parse_ask
from gateway.model import Agreed
from gateway.pipeline import Pipeline
from gateway.stops import NONE, Stops
from identity.model import Scope
from kernel.errors import Exact, Outdated, Reason, Refusal, about_the_person
from tests.unit.gateway import parts

STEPS = [
    "authenticate",
    "in force",
    "person",
    "consent",
    "decide",
    "write decision",
    "fetch",
    "in force",
    "seal",
    "write release",
]


@dataclass
class House:
    """Every room around the pipeline: notes what is asked of it, and breaks where it is told to."""

    steps: list[str] = field(default_factory=list)
    breaks: dict[str, list[Exception | None]] = field(default_factory=dict)
    """By step, what happens each time that it is come to; None lets it pass."""
    record: object = field(default_factory=lambda: parts.RECORD)
    agreement: object = parts.BY_LAW
    service: object = parts.SERVICE
    permits: list = field(default_factory=lambda: [parts.permit(consent=None)])
    ledger: parts.Ledger = field(default_factory=parts.Ledger)
    reported: list[tuple[str, str]] = field(default_factory=list)
    stops: Stops = NONE
    revision: str = parts.POLICY

    def at(self, step):
        self.steps.append(step)
        if (happens := self.breaks.get(step)) and (error := happens.pop(0)) is not None:
            raise error

    @property
    def agreements(self):
        return {parts.AGREEMENT.id: self.agreement}

    @property
    def services(self):
        return {parts.SERVICE.id: self.service}

    def subject(self, subject):
        if subject == parts.AMINA:
            self.at("person")
        return parts.named(subject)

    def decide(self, docket, found, at):
        self.at("decide")
        docket.input, docket.consent = b'{"at":1}', None
        return self.permits.pop(0) if len(self.permits) > 1 else self.permits[0]

    def look_up(self, ref, agreement, service, at):
        self.at("consent")
        assert (ref, agreement, service) == (
            parts.CONCERNED.ref,
            (self.agreement.id, self.agreement.revision),
            parts.SERVICE.id,
        )
        return parts.FOUND

    def append(self, entry, effect=None, refused=None):
        self.at(f"write {entry.type.rpartition('.')[2]}")
        return self.ledger.append(entry, effect, refused)

    def fetch(self, warrant):
        self.at("fetch")
        return self.record

    def seal(self, extract, to):
        self.at("seal")
        assert to is parts.CALLER.recipient
        self.sealed = json.loads(extract.plaintext)
        return parts.SEALED


class Door:
    """Lets everybody in, at the ledger's epoch; notes who comes back."""

    def __init__(self, house):
        self.house = house

    def __call__(self, credentials, scope):
        self.house.at("authenticate")
        assert (credentials, scope) == (parts.CREDENTIALS, Scope.EXCHANGE_REQUEST)
        return parts.CALLER

    def refresh(self, caller):
        self.house.at("refresh")
        return replace(caller, epoch=self.house.ledger.epoch)


class Control:
    """Has the house in force, under the ledger's epoch alone."""

    def __init__(self, house):
        self.house = house

    def at(self, epoch):
        self.house.at("in force")
        if epoch != self.house.ledger.epoch:
            raise Outdated
        return self.house


@pytest.fixture
def house():
    return House()


def run(house, posted=None):
    pipeline = Pipeline(
        authenticate=Door(house),
        ask=lambda _, posted: parse_ask(posted),
        control=Control(house),
        consents=house,
        journal=parts.journal(house),
        fetch=house.fetch,
        seal=house.seal,
        clock=parts.Set(),
        report=lambda error, exchange: house.reported.append((str(error), exchange)),
    )
    return pipeline.handle(parts.CREDENTIALS, posted or parts.posted())


def refused(house, posted=None):
    with pytest.raises(Refusal) as refusal:
        run(house, posted)
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__
    return refusal.value


def test_the_steps_are_taken_in_order_and_each_once(house):
    answer = run(house)
    assert house.steps == STEPS
    assert (answer.exchange, answer.sealed, answer.withheld) == ("ex_1", parts.SEALED, ())
    assert answer.receipt.jws.endswith(":/name/family,/name/given")
    assert house.ledger.told() == [("exchange.decision", None), ("exchange.release", None)]


def test_only_the_warrants_fields_are_sealed(house):
    house.permits = [replace(parts.permit(parts.FAMILY, consent=None), withheld=(parts.GIVEN,))]
    assert run(house).withheld == (parts.GIVEN,)
    assert house.sealed["record"] == {"name": {"family": "Haddad"}}


def test_who_is_not_proven_opens_no_exchange(house):
    house.breaks = {"authenticate": [Refusal(Reason.DPOP_REPLAYED, "")]}
    refusal = refused(house)
    assert (refusal.reason, refusal.exchange) == (Reason.DPOP_REPLAYED, None)
    assert house.steps == ["authenticate"]
    assert house.ledger.entries == []


def test_a_malformed_body_opens_no_exchange(house):
    refusal = refused(house, parts.posted(b"{"))
    assert (refusal.reason, refusal.exchange) == (Reason.REQUEST_MALFORMED, None)
    assert house.ledger.entries == []


@pytest.mark.parametrize("step", ["in force", "person", "consent", "decide"])
def test_a_no_before_the_decision_is_noted_once_and_no_source_is_asked(house, step):
    house.breaks = {step: [about_the_person(Exact.CONSENT_WITHDRAWN)]}
    refusal = refused(house)
    assert (refusal.reason, refusal.exchange) == (Reason.SUBJECT_NOT_RELEASED, "ex_1")
    assert house.ledger.told() == [("exchange.refusal", "subject.not_released")]
    assert house.ledger.entries[0].epoch == 3
    assert "fetch" not in house.steps


@pytest.mark.parametrize("step", ["fetch", "seal", "write release"])
def test_a_no_after_the_decision_is_noted_once_and_nothing_leaves(house, step):
    house.breaks = {step: [Refusal(Reason.SOURCE_TIMEOUT, "")]}
    refusal = refused(house)
    assert (refusal.reason, refusal.exchange) == (Reason.SOURCE_TIMEOUT, "ex_1")
    told = [("exchange.decision", None)]
    if step != "write release":  # there the ledger itself notes it, in place of the release
        told.append(("exchange.refusal", "source.timeout"))
    assert house.ledger.told() == told


def test_a_record_of_somebody_else_is_refused_and_noted(house):
    house.record = {**parts.RECORD, "number": "RN-7654321"}
    assert refused(house).reason is Reason.SOURCE_BAD_ANSWER
    assert house.ledger.told()[1:] == [("exchange.refusal", "source.bad_answer")]
    assert "seal" not in house.steps


def test_a_malformed_identifier_is_told_after_what_is_wrong_with_the_agreement(house):
    malformed = Refusal(Reason.SUBJECT_MALFORMED, "")
    house.breaks = {"person": [malformed, malformed]}
    wrong = parts.posted({**parts.BODY, "fields": ["/none"]})
    assert refused(house, wrong).reason is Reason.FIELD_UNKNOWN
    assert refused(house) is malformed
    assert "consent" not in house.steps
    assert [entry.concerned for entry in house.ledger.entries] == [(), ()]


@pytest.mark.parametrize("step", ["in force", "consent", "decide", "fetch", "seal"])
def test_a_fault_is_told_as_internal_reported_and_noted(house, step):
    house.breaks = {step: [ZeroDivisionError("RN-1234566 has no share")]}
    refusal = refused(house)
    assert (refusal.reason, refusal.exchange) == (Reason.INTERNAL, "ex_1")
    assert "RN-1234566" not in refusal.detail
    assert house.reported == [("RN-1234566 has no share", "ex_1")]
    assert house.ledger.told()[-1] == ("exchange.refusal", "internal")
    assert len(house.ledger.entries) == (2 if step in {"fetch", "seal"} else 1)


def test_a_fault_before_an_exchange_opened_is_reported_without_one(house):
    house.breaks = {"authenticate": [ZeroDivisionError("x")]}
    refusal = refused(house)
    assert (refusal.reason, refusal.exchange) == (Reason.INTERNAL, None)
    assert house.reported == [("x", "-")]
    assert house.ledger.asked == 0


@pytest.mark.parametrize("step", ["write decision", "write release", "write refusal"])
def test_a_ledger_that_fails_is_told_and_not_asked_again(house, step):
    house.breaks = {step: [Refusal(Reason.LEDGER_UNAVAILABLE, "")]}
    if step == "write refusal":
        house.breaks["decide"] = [Refusal(Reason.POLICY_DENIED, "")]
    refusal = refused(house)
    assert (refusal.reason, refusal.exchange) == (Reason.LEDGER_UNAVAILABLE, "ex_1")
    assert house.steps[-1] == step
    assert house.steps.count(step) == 1


def test_a_ledger_that_fails_at_the_note_of_a_refusal_is_the_answer(house):
    house.breaks = {
        "fetch": [Refusal(Reason.SOURCE_TIMEOUT, "")],
        "write refusal": [Refusal(Reason.LEDGER_UNAVAILABLE, "")],
    }
    assert refused(house).reason is Reason.LEDGER_UNAVAILABLE


@pytest.mark.parametrize("step", ["in force", "write decision"])
def test_an_outdated_request_goes_round_once_more_as_a_caller_proven_anew(house, step):
    house.breaks = {step: [Outdated()]}
    assert run(house).exchange == "ex_1"
    assert house.steps.count("refresh") == 1
    assert house.steps[-len(STEPS) + 1 :] == STEPS[1:]
    assert house.ledger.told() == [("exchange.decision", None), ("exchange.release", None)]


def test_a_refusal_that_is_outdated_is_decided_again(house):
    house.breaks = {
        "decide": [Refusal(Reason.POLICY_DENIED, "")],
        "write refusal": [Outdated()],
    }
    assert run(house).exchange == "ex_1"
    assert house.ledger.told() == [("exchange.decision", None), ("exchange.release", None)]


def test_rules_that_change_twice_during_a_request_refuse_it(house):
    house.breaks = {"write decision": [Outdated(), Outdated()]}
    refusal = refused(house)
    assert (refusal.reason, refusal.exchange) == (Reason.POLICY_UNAVAILABLE, "ex_1")
    assert house.steps.count("refresh") == 1
    assert house.ledger.told() == [("exchange.refusal", "policy.unavailable")]
    assert house.ledger.entries[0].epoch is None


def test_a_client_that_was_disabled_meanwhile_is_refused_and_noted(house):
    house.breaks = {
        "write decision": [Outdated()],
        "refresh": [Refusal(Reason.TOKEN_INVALID, "")],
    }
    assert refused(house).reason is Reason.TOKEN_INVALID
    assert house.ledger.told() == [("exchange.refusal", "token.invalid")]


def change_rules_while_fetching(house, **changes):
    """Have the control epoch move on, and other rules in force, once the source was asked."""
    asked = house.fetch

    def fetch(warrant):
        house.ledger.epoch += 1
        for name, value in changes.items():
            setattr(house, name, value)
        return asked(warrant)

    house.fetch = fetch


def test_rules_that_changed_before_the_release_are_asked_again(house):
    change_rules_while_fetching(house)
    assert run(house).exchange == "ex_1"
    again = ["in force", "refresh", "in force", "seal", "in force", "person", "consent", "decide"]
    assert house.steps[-9:] == [*again, "write release"]
    assert house.ledger.entries[1].epoch == 4


def test_rules_that_changed_while_the_answer_was_sealed_are_asked_again(house):
    sealing = house.seal

    def seal(extract, to):
        house.ledger.epoch += 1
        return sealing(extract, to)

    house.seal = seal
    assert run(house).exchange == "ex_1"
    again = ["write release", "refresh", "in force", "person", "consent", "decide"]
    assert house.steps[-7:] == [*again, "write release"]
    assert house.ledger.entries[1].epoch == 4


def test_the_release_concerns_the_others_whose_facts_leave_and_the_decision_does_not(house):
    house.permits = [parts.permit(parts.BORN, consent=None)]
    house.agreement = replace(
        parts.BY_LAW, services={parts.SERVICE.id: {parts.BORN: Agreed(optional=False)}}
    )
    run(house, parts.posted({**parts.BODY, "fields": [parts.BORN]}))
    decision, release = house.ledger.entries
    assert [one.subject for one in decision.concerned] == [parts.AMINA]
    assert [one.subject.value for one in release.concerned] == [parts.NUMBER, parts.CHILD]
    assert house.sealed["record"] == {"children": [{"birth_date": "2026-03-01"}]}


@pytest.mark.parametrize("number", [None, 7654320, "RN-7654321", "nobody", ""])
def test_a_source_that_names_a_child_in_no_proper_way_is_not_believed(house, number):
    house.permits = [parts.permit(parts.BORN, consent=None)]
    house.record = {**parts.RECORD, "children": [{"number": number, "birth_date": "2026-03-01"}]}
    assert refused(house).reason is Reason.SOURCE_BAD_ANSWER
    assert house.ledger.told()[-1] == ("exchange.refusal", "source.bad_answer")


@pytest.mark.parametrize(
    "changes",
    [
        {"permits": [parts.permit(parts.FAMILY, consent=None)]},
        {"agreement": replace(parts.BY_LAW, revision="f" * 64)},
        {"service": replace(parts.SERVICE, source="another")},
    ],
)
def test_what_was_permitted_otherwise_does_not_leave_under_other_rules(house, changes):
    change_rules_while_fetching(house, **changes)
    refusal = refused(house)
    assert (refusal.reason, refusal.exchange) == (Reason.POLICY_DENIED, "ex_1")
    assert house.ledger.told() == [
        ("exchange.decision", None),
        ("exchange.refusal", "policy.denied"),
    ]


def test_the_release_tells_of_the_one_decision_that_it_stands_on(house):
    change_rules_while_fetching(house, revision="e" * 64)
    run(house)
    decision, release = house.ledger.entries
    assert decision.header["policy"] == release.header["policy"] == parts.POLICY
    assert decision.disclosures["input"] == release.disclosures["input"]


HALTED = [
    (("agreement", "child-maintenance"), Reason.AGREEMENT_NOT_IN_FORCE),
    (("agency", "family-benefits"), Reason.AGREEMENT_NOT_IN_FORCE),
    (("source", "population"), Reason.SOURCE_UNAVAILABLE),
]


@pytest.mark.parametrize(("what", "reason"), HALTED)
def test_what_is_stopped_is_refused_before_anything_is_looked_up(house, what, reason):
    house.stops = Stops.of([(*what, parts.NOW, "Wrong names came.", 7)])
    assert refused(house).reason is reason
    assert {"consent", "decide", "fetch"} & {*house.steps} == set()
    assert house.ledger.told() == [("exchange.refusal", reason.value)]


@pytest.mark.parametrize(("what", "reason"), HALTED)
def test_a_stop_meets_also_what_was_decided_before_it(house, what, reason):
    stops = Stops.of([(*what, parts.NOW, "Wrong names came.", 7)])
    change_rules_while_fetching(house, stops=stops)
    assert refused(house).reason is reason
    assert house.ledger.told() == [("exchange.decision", None), ("exchange.refusal", reason.value)]


def test_what_is_no_longer_permitted_does_not_leave(house):
    no = about_the_person(Exact.CONSENT_WITHDRAWN)
    change_rules_while_fetching(house, breaks={"decide": [no]})
    assert refused(house) is no
    assert house.ledger.told()[1:] == [("exchange.refusal", "subject.not_released")]


def test_rules_that_change_twice_before_the_release_refuse_it(house):
    house.breaks = {"write release": [Outdated(), Outdated()]}
    assert refused(house).reason is Reason.POLICY_UNAVAILABLE
    assert house.ledger.told()[1:] == [("exchange.refusal", "policy.unavailable")]
