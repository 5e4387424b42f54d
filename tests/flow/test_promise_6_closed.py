"""P6, closed by default: what is missing, unknown, slow or broken releases nothing, and says so
with a stable reason."""

import threading

import pytest

from tests.contract.loopback import answer
from tests.country import ENROLMENT, INCOME, RESIDENTS
from tests.flow.office import TOTAL, YEAR, Question, honest, record_of, told
from tests.flow.watched import WatchedCountry

FAULTS = {
    "is-broken": (answer(b"", status="500 Oh No"), 503, "source.unavailable"),
    "does-not-know-us": (answer(b"{}", status="401 Who"), 503, "source.unavailable"),
    "sends-us-elsewhere": (
        answer(b"", status="302 Found", extra=("Location: /v1/people/RN-0000000",)),
        502,
        "source.bad_answer",
    ),
    "tells-no-json": (answer(b'{"taxpayer": '), 502, "source.bad_answer"),
    "tells-a-list": (told([1, 2, 3]), 502, "source.bad_answer"),
    "tells-a-page": (answer(b"<p>", content_type="text/html"), 502, "source.bad_answer"),
    "tells-too-much": (told({"x": "x" * (3 << 20)}), 502, "source.bad_answer"),
    "does-not-say-whom": (told({"income": {"year": 2025}}), 502, "source.bad_answer"),
    "tells-of-another": (told(record_of("RN-0000000")), 502, "source.bad_answer"),
    "knows-nobody": (answer(b"{}", status="404 Gone"), 403, "subject.not_released"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_p6_closed_by_default_when_a_source(misruled: WatchedCountry, fault: str):
    agency, resident = misruled.agency(), misruled.consented()
    said, status, reason = FAULTS[fault]
    misruled.office.tells(resident.number, lambda _: said)
    refused(misruled, agency.exchange(resident.number, INCOME, [YEAR]), status, reason)
    misruled.office.tells(resident.number, honest)
    assert agency.exchange(resident.number, INCOME, [YEAR]).status == 200


def test_p6_closed_by_default_when_a_source_is_slow(misruled: WatchedCountry):
    agency, resident, over = misruled.agency(), misruled.consented(), threading.Event()

    def too_late(question: Question) -> bytes:
        over.wait(30)
        return honest(question)

    misruled.office.tells(resident.number, too_late)
    late = agency.exchange(resident.number, INCOME, [YEAR])
    over.set()
    refused(misruled, late, 504, "source.timeout")


def test_p6_closed_by_default_when_a_source_is_not_there(watched: WatchedCountry):
    agency, resident = watched.agency(), watched.consented()
    drop = watched.country.sources.schools / "enrolments.csv"
    away = drop.rename(drop.with_suffix(".away"))
    try:
        gone = agency.exchange(resident.number, ENROLMENT, ["/enrolments/*/since"])
    finally:
        away.rename(drop)
    refused(watched, gone, 503, "source.unavailable")
    again = agency.exchange(resident.number, ENROLMENT, ["/enrolments/*/since"])
    assert again.status == 200


@pytest.mark.parametrize(
    "field", ["/name/given", "/address/postcode"], ids=["nonsense", "a-duty-nobody-knows"]
)
def test_p6_closed_by_default_when_the_policies_answer(misruled: WatchedCountry, field: str):
    agency, resident = misruled.agency(), misruled.consented()
    unusable = agency.exchange(resident.number, RESIDENTS, [field])
    assert (unusable.status, unusable.reason) == (503, "policy.unavailable")
    assert misruled.trail(unusable.json["exchange"]) == ["exchange.refusal"]


def test_p6_closed_by_default_when_nobody_can_know_whether_a_proof_was_used(
    watched: WatchedCountry,
):
    agency, resident = watched.agency(), watched.consented()
    assert agency.token
    [store] = (watched.state / "gateway" / "short-lived").glob("*.db")
    away = store.rename(store.with_suffix(".away"))
    try:
        answered = agency.exchange(resident.number, INCOME, [YEAR])
    finally:
        away.rename(store)
    assert (answered.status, answered.reason) == (503, "state.unavailable")
    assert watched.office.asked_about(resident.number) == []
    assert agency.exchange(resident.number, INCOME, [YEAR]).status == 200


@pytest.mark.parametrize(
    ("asked", "status", "reason"),
    [
        ({"agreement": "nobody-knows-it"}, 403, "agreement.unknown"),
        ({"service": "nobody/knows-it"}, 403, "service.not_agreed"),
        ({"fields": ["/nobody/knows/it"]}, 400, "field.unknown"),
        ({"subject": {"scheme": "shoe-size", "value": "RN-0000000"}}, 400, "subject.malformed"),
        ({"subject": {"scheme": "resident-number", "value": "44"}}, 400, "subject.malformed"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_p6_closed_by_default_when_something_is_unknown(
    watched: WatchedCountry, asked: dict, status: int, reason: str
):
    resident = watched.resident()
    answered = watched.agency().exchange(
        resident.number, **{"service": INCOME, "fields": [YEAR], **asked}
    )
    assert (answered.status, answered.reason) == (status, reason)
    assert watched.office.asked_about(resident.number) == []


def test_p6_closed_by_default_when_the_register_does_not_know_the_person(watched: WatchedCountry):
    [child, *_] = next(one.children for one in watched.country.sources.people if one.children)
    fields = {"fields": ["/name/family"], "agreement": "child-maintenance"}
    unknown = watched.agency("child-maintenance").exchange(child.number, RESIDENTS, **fields)
    refused(watched, unknown, 403, "subject.not_released")


def test_p6_closed_by_default_when_nobody_agreed_or_the_consent_is_used_up(
    watched: WatchedCountry,
):
    agency, nobody = watched.agency(), watched.resident()
    absent = agency.exchange(nobody.number, INCOME, [YEAR])
    once = watched.consenting("--uses", "1")
    first, second = (agency.exchange(once.number, INCOME, [YEAR, TOTAL]) for _ in range(2))
    assert first.status == 200
    for no in (absent, second):
        assert (no.status, no.reason) == (403, "subject.not_released")
        assert watched.trail(no.json["exchange"]) == ["exchange.refusal"]


def refused(country: WatchedCountry, no: object, status: int, reason: str) -> None:
    """Assert that nothing left after the decision, and that the ledger says so."""
    assert "sealed" not in no.json
    assert (no.status, no.reason) == (status, reason)
    assert country.trail(no.json["exchange"]) == ["exchange.decision", "exchange.refusal"]
