"""P1, no data without a trace: the decision is durable before the source is asked, and the
release before a byte leaves."""

from contextlib import ExitStack

import pytest

from tests.country import INCOME
from tests.flow.office import YEAR, Question, honest
from tests.flow.watched import Leaf, WatchedCountry


@pytest.mark.parametrize("place", ["watched", "misruled"])
def test_an_ordinary_exchange_is_answered(place: str, request: pytest.FixtureRequest):
    """The controls run this beside the promise's test: what they remove is a defence alone."""
    country = request.getfixturevalue(place)
    answer = country.agency().exchange(country.consented().number, INCOME, [YEAR])
    assert answer.status == 200, answer.body
    assert set(answer.json) == {"exchange", "sealed", "receipt", "withheld"}


def test_p1_no_data_without_a_trace_the_decision_is_committed_before_the_source_is_asked(
    watched: WatchedCountry,
):
    resident, seen = watched.consented(), []

    def look_into_the_ledger(question: Question) -> bytes:
        seen.append(watched.committed())
        return honest(question)

    watched.office.tells(resident.number, look_into_the_ledger)
    answer = watched.agency().exchange(resident.number, INCOME, [YEAR])
    assert answer.status == 200, answer.body
    [at_the_source] = seen
    [decision] = of(answer.json["exchange"], at_the_source)
    assert (decision["type"], decision["decision"]) == ("exchange.decision", "permit")
    _, release = of(answer.json["exchange"], watched.committed())
    assert release["type"] == "exchange.release"


def test_p1_no_data_without_a_trace_nothing_leaves_while_the_release_cannot_be_committed(
    watched: WatchedCountry,
):
    resident, agency = watched.consented(), watched.agency()
    with ExitStack() as held:

        def stop_the_ledger(question: Question) -> bytes:
            held.enter_context(watched.no_writing())
            return honest(question)

        watched.office.tells(resident.number, stop_the_ledger)
        answer = agency.exchange(resident.number, INCOME, [YEAR])
    assert "sealed" not in answer.json
    assert (answer.status, answer.reason) == (503, "ledger.unavailable")
    assert watched.trail(answer.json["exchange"]) == ["exchange.decision"]
    watched.office.tells(resident.number, honest)
    assert agency.exchange(resident.number, INCOME, [YEAR]).status == 200


def test_p1_no_data_without_a_trace_a_source_is_not_asked_while_the_decision_cannot_be_committed(
    watched: WatchedCountry,
):
    resident, agency = watched.consented(), watched.agency()
    assert agency.token
    with watched.no_writing():
        answer = agency.exchange(resident.number, INCOME, [YEAR])
    assert (answer.status, answer.reason) == (503, "ledger.unavailable")
    assert watched.office.asked_about(resident.number) == []
    assert watched.trail(answer.json["exchange"]) == []


def of(exchange: str, leaves: list[Leaf]) -> list[Leaf]:
    return [leaf for leaf in leaves if leaf.get("exchange") == exchange]
