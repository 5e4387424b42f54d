"""Problems: every reason has a status and words, and no answer tells more than it may."""

import pytest

from gateway.http.problems import EXPLANATIONS, problem, status_of
from kernel.errors import Exact, Reason, Refusal, about_the_person

BASE = "https://gateway.example"

STATUS = {
    "request.malformed": 400,
    "request.too_large": 413,
    "request.not_found": 404,
    "request.method": 405,
    "request.media_type": 415,
    "token.missing": 401,
    "token.invalid": 401,
    "token.expired": 401,
    "dpop.missing": 401,
    "dpop.invalid": 401,
    "dpop.replayed": 401,
    "scope.insufficient": 403,
    "case.required": 400,
    "user.required": 400,
    "exchange.unknown": 404,
    "agreement.unknown": 403,
    "agreement.not_in_force": 403,
    "service.not_agreed": 403,
    "field.unknown": 400,
    "field.not_agreed": 403,
    "field.not_consented": 403,
    "subject.malformed": 400,
    "subject.not_released": 403,
    "policy.denied": 403,
    "policy.unavailable": 503,
    "ledger.unavailable": 503,
    "state.unavailable": 503,
    "source.unavailable": 503,
    "source.bad_answer": 502,
    "source.timeout": 504,
    "quota.exceeded": 429,
    "signin.failed": 400,
    "signin.unavailable": 503,
    "internal": 500,
}


def test_every_reason_is_one_that_the_interface_names():
    assert {reason.value for reason in Reason} == STATUS.keys()


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_status_and_says_what_it_means_and_what_to_do(reason):
    assert status_of(reason) == STATUS[reason.value]
    explanation = EXPLANATIONS[reason]
    assert all((explanation.title, explanation.meaning, explanation.remedy))
    assert explanation.meaning.endswith(".")
    assert explanation.remedy.endswith(".")
    assert not explanation.title.endswith(".")


def test_a_problem_has_the_members_of_rfc_9457_and_ours():
    refusal = Refusal(Reason.FIELD_UNKNOWN, "Item 0 of `fields` cannot be asked for.")
    assert problem(refusal, BASE, "tr_1") == {
        "type": "https://gateway.example/errors/field.unknown",
        "title": "The service has no such field",
        "status": 400,
        "detail": "Item 0 of `fields` cannot be asked for.",
        "reason": "field.unknown",
        "trace": "tr_1",
    }


def test_an_exchange_is_named_when_one_was_opened():
    refusal = Refusal(Reason.FIELD_UNKNOWN, "")
    assert problem(refusal, BASE, "tr_1", "ex_1")["exchange"] == "ex_1"


@pytest.mark.parametrize("exact", list(Exact))
def test_all_refusals_about_the_person_are_one_to_the_asker(exact):
    told = problem(about_the_person(exact), BASE, "tr_1", "ex_1")
    assert told == problem(about_the_person(Exact.CONSENT_ABSENT), BASE, "tr_1", "ex_1")
    assert exact.value not in str(told)
