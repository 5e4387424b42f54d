"""The clock of one process steps ten minutes: it serves nobody whose clock is right, the ledger's
time never runs back, and no consent lives longer than it should."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agency import Agency, Answer
from tests.country import RESIDENTS, RunningCountry, running
from tests.serving import Host, check_ledger, exchanges, own, serving, until
from tests.stepping import Stepping

pytestmark = pytest.mark.fault

FIELDS = ["/name/family"]
TEN_MINUTES, DAY = 600, 86_400
REFUSED = (403, "subject.not_released")
NOT_IN_TIME = {"dpop.invalid", "token.invalid", "token.expired", "state.unavailable"}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Stepping:
    """The clock of everybody but one host."""
    return Stepping.made(tmp_path_factory.mktemp("clocks"))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Stepping:
    """The clock of that one host."""
    return Stepping.made(tmp_path_factory.mktemp("clocks"))


@pytest.fixture(scope="module")
def country(ours: Stepping, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCountry]:
    place = tmp_path_factory.mktemp("stepping") / "demo"
    with running(place, 200, **ours.environ) as started:
        yield started


@pytest.fixture(scope="module")
def host(country: RunningCountry, theirs: Stepping) -> Iterator[Host]:
    with serving(country, **theirs.environ) as started:
        yield started


def ask(agency: Agency, number: str) -> Answer:
    return agency.exchange(number, RESIDENTS, FIELDS)


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json.get("reason", "")


def never_ran_back(country: RunningCountry, place: Path) -> None:
    times = [leaf["time"] for leaf in country.leaves(place)]
    assert times == sorted(times)


@pytest.mark.parametrize("step", [TEN_MINUTES, -TEN_MINUTES], ids=["ahead", "behind"])
def test_a_host_whose_clock_stepped_serves_nobody_whose_clock_is_right(
    country: RunningCountry, host: Host, theirs: Stepping, step: int, tmp_path: Path
) -> None:
    number, here, there = country.consenting().number, country.agency(), host.agency()
    answers = [ask(here, number), ask(there, number)]
    workers = host.workers()
    theirs.step(step)
    try:
        wrong = [ask(there, number) for _ in range(3)]
        assert {one.reason for one in wrong} <= NOT_IN_TIME
        assert host.agency().ask_token().status in {400, 401, 503}
        answers += [ask(here, number) for _ in range(3)]
        proven = replace(host.agency(), ahead=float(step))
        headers = proven.authorization("GET", "/v1/services")
        twice = [proven.request("GET", "/v1/services", None, headers) for _ in range(2)]
        assert [one.status for one in twice] == [200, 401]
        assert twice[1].reason == "dpop.replayed"
    finally:
        theirs.step(0)
    answers += [ask(host.agency(), number), ask(here, number)]
    assert {told(one) for one in answers} == {(200, "")}
    assert host.workers() == workers, "it serves again without a restart"
    until(host.ready)
    never_ran_back(country, tmp_path / "times")
    check_ledger(country, tmp_path / "log", exchanges(answers))


def under(country: RunningCountry, clock: Stepping) -> RunningCountry:
    """Return the same country, whose commands run under a clock of their own."""
    settings = {**country.country.settings, **clock.environ}
    return replace(country, country=replace(country.country, settings=settings))


def test_what_is_written_by_a_clock_that_is_behind_comes_after_what_was_there(
    country: RunningCountry, host: Host, theirs: Stepping, tmp_path: Path
) -> None:
    resident, other = country.consenting(), country.resident()
    assert told(ask(country.agency(), resident.number)) == (200, "")
    theirs.step(-TEN_MINUTES)
    try:
        late = under(country, theirs)
        assert late.consents("withdraw", resident).returncode == 0
        assert late.consents("give", other).returncode == 0
    finally:
        theirs.step(0)
    for agency in (country.agency(), host.agency()):
        assert told(ask(agency, resident.number)) == REFUSED
        assert told(ask(agency, other.number)) == (200, "")
    never_ran_back(country, tmp_path / "times")


def test_a_host_that_steps_back_releases_nothing_under_a_consent_that_ended(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    ours, theirs = (Stepping.made(tmp_path_factory.mktemp("clocks")) for _ in range(2))
    with ExitStack() as parts:
        country = parts.enter_context(running(tmp_path / "demo", 200, **ours.environ))
        host = parts.enter_context(serving(country, **theirs.environ))
        number = country.consenting("--valid-days", "1").number

        def at(one: Host, ahead: int) -> tuple[int, str]:
            return told(ask(replace(one.agency(), ahead=float(ahead)), number))

        seen = []
        for ahead in (DAY - TEN_MINUTES // 2, DAY + 60):
            ours.step(ahead)
            theirs.step(ahead)
            seen.append([at(one, ahead) for one in (own(country), host)])
        assert seen == [[(200, "")] * 2, [REFUSED] * 2]
        theirs.step(DAY + 60 - TEN_MINUTES)  # by its own clock the consent still stands
        assert at(host, DAY + 60 - TEN_MINUTES) == REFUSED
        # Given by a clock that is ahead, it counts once the others' clocks come to its beginning.
        theirs.step(DAY + 60 + TEN_MINUTES)
        number = (other := country.resident()).number
        assert under(country, theirs).consents("give", other).returncode == 0
        assert at(own(country), DAY + 60) == REFUSED
        ours.step(DAY + 120 + TEN_MINUTES)
        assert at(own(country), DAY + 120 + TEN_MINUTES) == (200, "")
        never_ran_back(country, tmp_path / "times")
