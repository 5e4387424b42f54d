"""Time and chance: read in one place, handed to everybody else."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.chance import SystemChance
from kernel.clock import SECOND, Deadline, Micros, SystemClock, rfc3339


class Stepping(SystemClock):
    """A clock whose monotonic time is set by the test."""

    def __init__(self) -> None:
        self.at = 100.0

    def monotonic(self) -> float:
        return self.at


def test_a_deadline_lies_ahead_and_runs_down_to_nothing():
    clock = Stepping()
    deadline = Deadline.within(2.5, clock)
    assert deadline.left() == 2.5
    clock.at += 2
    assert deadline.left() == 0.5
    clock.at += 2
    assert deadline.left() == 0.0


def test_the_machines_clock_tells_microseconds_and_never_runs_back():
    clock = SystemClock()
    first = clock.monotonic()
    assert clock.monotonic() >= first
    now = datetime.fromtimestamp(clock.now() / SECOND, UTC)
    assert now.year >= 2026


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (1_795_000_000_123_456, "2026-11-18T11:06:40.123456Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
    ],
)
def test_an_instant_is_told_in_utc_to_the_microsecond(at, text):
    assert rfc3339(Micros(at)) == text


@given(st.integers(0, 4_102_444_800 * SECOND))
def test_an_instant_that_is_told_can_be_read_back(at):
    told = datetime.fromisoformat(rfc3339(Micros(at)))
    assert (told - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution) == at


def test_an_identifier_carries_its_prefix_and_any_of_32_letters_in_each_place():
    chance = SystemChance()
    names = {chance.identifier("ex") for _ in range(1000)}
    assert len(names) == 1000
    assert {len(set(place)) for place in zip(*names, strict=True)} == {1, 32}
    assert all(re.fullmatch(r"ex_[a-z2-7]{26}", name) for name in names)


def test_bits_are_as_many_as_asked_for():
    assert [len(SystemChance().bits(size)) for size in (0, 1, 16, 32)] == [0, 1, 16, 32]
