"""Hosts are known by their heartbeats; the dead are passed over, and their rows used again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.serving.heart import Heart
from gateway.serving.hosts import EVERY, FORGOTTEN, MISSED, Hosts, State
from gateway.serving.worker import Worker
from kernel.clock import SECOND, Deadline, Micros, SystemClock
from kernel.database import Database, open_database
from kernel.migrations import migrate


@dataclass
class Settable:
    """A clock that stands where it is put."""

    seconds: int = 1_000_000

    def now(self) -> Micros:
        return Micros(self.seconds * SECOND)

    def monotonic(self) -> float:
        return SystemClock().monotonic()


@pytest.fixture
def clock() -> Settable:
    return Settable()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/causeway.db"
    migrate(url, Deadline.within(30, SystemClock()))
    made = open_database(url)
    yield made
    made.close(Deadline.within(30, SystemClock()))


@pytest.fixture
def hosts(database: Database, clock: Settable) -> Hosts:
    return Hosts(database, clock)


def names(hosts: Hosts) -> list[tuple[str, str]]:
    return [(one.name, one.worker) for one in hosts.live()]


def rows(database: Database) -> int:
    (count,) = database.read().execute("SELECT count(*) FROM host").fetchone()
    return count


def test_who_was_seen_within_three_beats_is_live(hosts: Hosts, clock: Settable) -> None:
    hosts.beat("a", "1", "r1", State.SERVING)
    clock.seconds += EVERY * MISSED - 1
    hosts.beat("b", "1", "r2", State.PREPARED)
    assert names(hosts) == [("a", "1"), ("b", "1")]
    (_, told) = hosts.live()
    assert (told.revision, told.state, told.seen) == ("r2", State.PREPARED, clock.now())
    clock.seconds += 1
    assert names(hosts) == [("b", "1")]


def test_a_beat_takes_the_place_of_the_one_before(
    hosts: Hosts, clock: Settable, database: Database
) -> None:
    for revision in ("r1", "r2"):
        clock.seconds += EVERY
        hosts.beat("a", "1", revision, State.SERVING)
        hosts.beat("a", "2", revision, State.SERVING)
    assert [one.revision for one in hosts.live()] == ["r2", "r2"]
    assert rows(database) == 2


def test_who_left_is_not_live(hosts: Hosts) -> None:
    hosts.beat("a", "1", "r1", State.LEAVING)
    assert [one.state for one in hosts.live()] == [State.LEAVING]
    hosts.beat("a", "1", "r1", State.LEFT)
    assert hosts.live() == ()


def test_a_sign_of_life_from_the_future_is_none(hosts: Hosts, clock: Settable) -> None:
    hosts.beat("a", "1", "r1", State.SERVING)
    clock.seconds -= 600
    assert hosts.live() == ()


def test_rows_of_the_dead_are_used_again_so_that_they_stay_few(
    hosts: Hosts, clock: Settable, database: Database
) -> None:
    for number in range(20):
        hosts.beat(f"pod-{number}", "1", "r1", State.SERVING)
        assert names(hosts) == [(f"pod-{number}", "1")]
        clock.seconds += FORGOTTEN + 1
    assert rows(database) == 1


def test_a_heart_says_goodbye_and_survives_a_database_that_does_not_answer(
    hosts: Hosts, database: Database
) -> None:
    leaving = False
    heart = Heart(hosts, Worker("a", 1, lambda: leaving), lambda: "r1")
    with database._lock.held(Deadline.within(30, SystemClock())):
        heart.start()
    seen = []
    deadline = Deadline.within(60, SystemClock())
    while not seen and deadline.left():
        seen = list(hosts.live())
    assert [one.state for one in seen] == [State.SERVING]
    leaving = True
    while hosts.live()[0].state is not State.LEAVING:
        assert deadline.left()
    heart.stop()
    assert hosts.live() == ()
