"""Asking: a request for consent is read strictly, resolved in order, written under its epoch."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from flask import Flask

from consent.model import Kind, RequestState
from gateway.asking import parse_consent_ask, resolve
from gateway.http.asking_views import LENGTH, AskingViews
from gateway.model import Agency
from gateway.stops import NONE, Stops
from gateway.terms import terms_of
from identity.model import Scope
from identity.pseudonyms import Pseudonyms
from kernel.clock import SECOND
from kernel.errors import Outdated, Reason, Refusal
from tests.unit.gateway import parts

ASKED = {
    "agreement": "family-allowance",
    "subject": {"scheme": "resident-number", "value": parts.NUMBER},
    "fields": {parts.SERVICE.id: [parts.FAMILY, parts.GIVEN]},
    "case": "FA-7",
    "return_url": "https://family.example/back",
}
SPELT = [f"/{one}" for one in range(64)]


def refused(call, *arguments):
    with pytest.raises(Refusal) as refusal:
        call(*arguments)
    return refusal.value.reason, refusal.value.detail


def catalogue(**changes):
    return SimpleNamespace(
        agreements={parts.AGREEMENT.id: replace(parts.AGREEMENT, **changes)},
        services={parts.SERVICE.id: parts.SERVICE},
        agencies={
            "family-benefits": Agency(
                "family-benefits", {"en": "F"}, frozenset({ASKED["return_url"]})
            )
        },
        subject=parts.named,
        stops=NONE,
    )


def test_a_well_formed_body_is_taken_word_for_word():
    ask = parse_consent_ask(parts.posted(ASKED))
    assert ask.grants == {
        (parts.SERVICE.id, parts.FAMILY),
        (parts.SERVICE.id, parts.GIVEN),
    }
    assert (ask.agreement, ask.subject) == ("family-allowance", parts.AMINA)
    assert (ask.case, ask.return_url) == ("FA-7", ASKED["return_url"])
    assert parts.NUMBER not in repr(ask)


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({}, "`fields` must not be empty."),
        ([], "`fields` must be an object."),
        ({"a": []}, "A service in `fields` has no field."),
        ({"a": ["/x", "/x"]}, "`fields` names a field of a service twice."),
        ({"a": SPELT[:40], "b": SPELT[:25]}, "`fields` has more than 64 fields in all."),
        ({"<b>": "/x"}, "A member of `fields` must be a list."),
        ({"<b>": [7]}, "A member of `fields` must be a string."),
        ({"": ["/x"]}, "A member of `fields` must not be empty."),
        ({"x" * 129: ["/x"]}, "A member of `fields` is too long."),
    ],
)
def test_what_is_wrong_with_fields_is_named_and_never_repeated(fields, detail):
    told = refused(parse_consent_ask, parts.posted({**ASKED, "fields": fields}))
    assert told == (Reason.REQUEST_MALFORMED, detail)


def test_as_many_fields_as_may_be_are_taken():
    fields = {"a": SPELT[:32], "b": SPELT[32:]}
    assert len(parse_consent_ask(parts.posted({**ASKED, "fields": fields})).grants) == 64


@pytest.mark.parametrize(
    ("changes", "body", "reason"),
    [
        ({"agency": "tax"}, {}, Reason.AGREEMENT_UNKNOWN),
        ({"valid_until": parts.NOW}, {}, Reason.AGREEMENT_NOT_IN_FORCE),
        ({"impact_assessment_until": parts.NOW}, {}, Reason.AGREEMENT_NOT_IN_FORCE),
        ({"basis": parts.BY_LAW.basis}, {}, Reason.POLICY_DENIED),
        ({"case_required": True}, {"case": None}, Reason.CASE_REQUIRED),
        ({"services": {}}, {}, Reason.SERVICE_NOT_AGREED),
        ({}, {"fields": {parts.SERVICE.id: ["/no"]}}, Reason.FIELD_UNKNOWN),
        ({}, {"fields": {parts.SERVICE.id: [parts.BORN]}}, Reason.FIELD_NOT_AGREED),
        ({}, {"fields": {parts.SERVICE.id: [parts.GIVEN]}}, Reason.REQUEST_MALFORMED),
        ({}, {"subject": {"scheme": "x", "value": "y"}}, Reason.SUBJECT_MALFORMED),
        ({}, {"return_url": "https://family.example/back/"}, Reason.REQUEST_MALFORMED),
    ],
)
def test_a_request_is_held_against_the_catalogue_in_force(changes, body, reason):
    told = {name: value for name, value in {**ASKED, **body}.items() if value is not None}
    ask = parse_consent_ask(parts.posted(told))
    assert refused(resolve, catalogue(**changes), "family-benefits", ask, parts.NOW)[0] == reason


@pytest.mark.parametrize("what", [("agreement", "family-allowance"), ("agency", "family-benefits")])
def test_nobody_is_asked_to_agree_to_what_is_stopped(what):
    stopped = catalogue()
    stopped.stops = Stops.of([(*what, parts.NOW, "Wrong names came.", 7)])
    ask = parse_consent_ask(parts.posted(ASKED))
    told = refused(resolve, stopped, "family-benefits", ask, parts.NOW)
    assert told[0] is Reason.AGREEMENT_NOT_IN_FORCE


def test_who_asks_in_a_case_and_with_nothing_wrong_is_let_through():
    ask = parse_consent_ask(parts.posted(ASKED))
    agreement, subject = resolve(catalogue(case_required=True), "family-benefits", ask, parts.NOW)
    assert (agreement.id, subject) == ("family-allowance", parts.AMINA)


# ------------------------------------------------------------------ the views


@dataclass
class Desk:
    """The views over stand-ins for the rooms behind them."""

    epoch: int = 3
    """Under which the catalogue can be read."""
    moves: int = 0
    """How often the epoch moves between proof and reading."""
    quota: bool = False
    state: RequestState = RequestState.OPEN
    revision: str = parts.AGREEMENT.revision
    acts: list = field(default_factory=list)

    def __post_init__(self):
        self.people = Pseudonyms(b"r" * 32, parts.Counting())
        self.views = AskingViews(
            self, self, self, self.offer, self.people, parts.Counting(), parts.Set(), "https://g"
        )

    def __call__(self, credentials, scope):
        assert scope is Scope.CONSENT_REQUEST
        return parts.CALLER

    def refresh(self, caller):
        return replace(caller, epoch=caller.epoch + 1)

    def at(self, epoch):
        if self.moves:
            self.moves -= 1
            raise Outdated
        return catalogue()

    def offer(self, agreement, language):
        assert language == "en"
        terms = replace(terms_of(parts.AGREEMENT), revision=self.revision)
        return SimpleNamespace(terms=terms, notice="the notice")

    def carry_out(self, act):
        if self.quota:
            raise Refusal(Reason.QUOTA_EXCEEDED, "Too many.")
        self.acts.append(act)

    def request(self, request):
        return SimpleNamespace(
            id=request,
            agency="family-benefits",
            state=self.state,
            expires=parts.NOW,
        )

    def ask(self):
        with Flask("desk").test_request_context("/v1/consent-requests", method="POST", json=ASKED):
            return self.views.consent_request()

    def poll(self, request):
        with Flask("desk").test_request_context(f"/v1/consent-requests/{request}"):
            return self.views.consent_request_state(request)


def test_the_act_holds_what_was_asked_for_and_the_case_sealed():
    desk = Desk()
    answer = desk.ask()
    assert (answer.status_code, answer.json["request"]) == (201, "rq_1")
    (act,) = desk.acts
    assert (act.kind, act.epoch, act.notice) == (Kind.REQUEST, 3, "the notice")
    assert (act.means.method, act.means.clerk) == ("agency", "fb-1")
    ref = desk.people.ref(parts.AMINA)
    assert desk.people.open_text(act.asked.case, ref) == "FA-7"
    assert b"FA-7" not in act.asked.case
    assert desk.people.open(act.person.identifier, ref) == parts.AMINA
    assert parts.NUMBER not in repr(act)


def test_a_change_of_rules_sends_the_request_round_once_more():
    desk = Desk(moves=1)
    assert desk.ask().status_code == 201
    assert [act.epoch for act in desk.acts] == [4]


@pytest.mark.parametrize("desk", [Desk(moves=2), Desk(revision="f" * 64)])
def test_rules_that_change_twice_refuse_it(desk):
    assert refused(desk.ask)[0] == Reason.POLICY_UNAVAILABLE
    assert desk.acts == []


def test_too_much_asking_is_told_when_the_next_day_begins():
    with pytest.raises(Refusal) as refusal:
        Desk(quota=True).ask()
    at = parts.NOW // SECOND + refusal.value.retry_after
    assert at % 86_400 == 0
    assert 0 < refusal.value.retry_after <= 86_400


@pytest.mark.parametrize("state", RequestState)
def test_every_answer_about_a_request_has_the_same_size(state):
    desk = Desk()
    desk.state = state
    name = "rq_" + "a" * 26
    answer = desk.poll(name)
    assert answer.json == {"request": name, "state": state.value}
    assert len(answer.data) == LENGTH
    assert answer.headers["Content-Length"] == str(LENGTH)


def test_somebody_elses_request_is_not_found():
    desk = Desk()
    desk.request = lambda _: SimpleNamespace(id="rq_1", agency="tax")
    theirs = refused(desk.poll, "rq_1")
    desk.request = lambda _: None
    assert theirs == refused(desk.poll, "rq_1")
    assert theirs[0] is Reason.REQUEST_NOT_FOUND
