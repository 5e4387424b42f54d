"""What every source promises, whichever adapter reads it, shown with the real part behind it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.base import Source
from kernel.errors import Exact, Reason, Refusal
from tests.contract.asking import ask, person, refusal, soon
from tests.contract.sources import ALL, DOWN, PEOPLE, STAGES

ANSWERS_ONLY_WHAT_IS_ASKED = {"sql", "csv", "json"}


@pytest.fixture(params=STAGES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source(kind: str, tmp_path: Path) -> Iterator[Source]:
    with STAGES[kind](tmp_path) as source:
        yield source


@pytest.mark.parametrize("number", PEOPLE)
def test_the_record_of_a_person_comes_back_whole_in_every_script(
    source: Source, number: str
) -> None:
    assert ask(source, *ALL, number=number) == PEOPLE[number]


def test_the_identifier_of_the_person_is_always_there(source: Source) -> None:
    record = ask(source, "/name/family")
    assert record["number"] == "RN-1"
    assert record["name"]["family"] == "Ünal"


def test_only_the_asked_fields_come_from_what_the_adapter_itself_reads(
    kind: str, source: Source
) -> None:
    record = ask(source, "/children/*/birth_date")
    if kind in ANSWERS_ONLY_WHAT_IS_ASKED:
        assert record == {"number": "RN-1", "children": [{"birth_date": "2026-01-02"}, {}]}
    else:
        assert record == PEOPLE["RN-1"]


@pytest.mark.parametrize(
    "number",
    [
        "RN-9",
        "",
        ".",
        "..",
        "RN-1\n",
        "rn-1",
        "RN-1 ",
        "RN-1' OR '1'='1",
        'RN-1" OR 1=1 --',
        "%",
        "RN-1/../RN-2",
        "RN-1?x=",
        "RN-1\0",
        "\ud800",
        "R" * 257,
        "*",
    ],
)
def test_a_person_whom_the_source_does_not_know_is_one_refusal(source: Source, number: str) -> None:
    with pytest.raises(Refusal) as refused:
        ask(source, *ALL, number=number)
    assert refused.value.reason is Reason.SUBJECT_NOT_RELEASED
    assert refused.value.exact is Exact.SUBJECT_UNKNOWN
    assert number not in refused.value.detail or len(number) < 2


def test_no_time_left_is_a_timeout(source: Source) -> None:
    assert refusal(source, *ALL, seconds=0).reason is Reason.SOURCE_TIMEOUT


def test_many_threads_get_each_their_own_person(source: Source) -> None:
    def right(number: str) -> bool:
        return source.fetch(person(number), ALL, soon()) == PEOPLE[number]

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(right, [*PEOPLE] * 20))


def test_a_record_can_be_changed_without_changing_the_next(source: Source) -> None:
    ask(source, *ALL)["name"].clear()
    assert ask(source, *ALL) == PEOPLE["RN-1"]


@pytest.mark.parametrize("down", DOWN)
def test_a_source_that_is_down_is_unavailable_and_says_which_it_is(
    down: str, tmp_path: Path
) -> None:
    with DOWN[down](tmp_path) as source:
        assert refusal(source, *ALL).reason is Reason.SOURCE_UNAVAILABLE
