"""The contract of the replay port, run on every implementation of it."""

import multiprocessing
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import Key

from identity.replay import AHEAD, TOLERANCE, EmbeddedReplay
from identity.replay_redis import RedisReplay
from kernel import bootfile
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.keyvalue import KeyValue, boot_id
from kernel.redis_address import RedisAddress
from kernel.redis_store import RedisStore
from tests.redis_server import RedisServer, SharedClock
from tests.unit.identity.parts import START, SetClock

NOW = START
UNTIL = START + 70


class Opener:
    """Opens the embedded store again and again, as processes and reboots would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SetClock()
        self.boot = "boot-1"
        self.first = True
        self.open_stores = []

    def __call__(self, cap: Any = 1000) -> EmbeddedReplay:
        store = KeyValue.open(self.directory, self.clock, self.boot, lambda: self.first, cap)
        self.open_stores.append(store)
        return EmbeddedReplay(store)

    def close(self) -> None:
        for store in self.open_stores:
            store.close()
        self.open_stores.clear()


class InRedis:
    """Opens a store in a real Redis whose clock is set as well."""

    def __init__(self, directory: Path) -> None:
        self.server = RedisServer(directory, seconds=START).start()
        self.clock = SharedClock(self.server)

    def __call__(self) -> RedisReplay:
        # Fifty threads connect at once here, on a machine that has other work.
        store = RedisStore(RedisAddress.parse(self.server.url), SystemClock(), within=30)
        store.begin_at_first()
        return RedisReplay(store, self.clock)

    def close(self) -> None:
        self.server.kill()


Stage = Opener | InRedis
IMPLEMENTATIONS = {"embedded": Opener, "redis": InRedis}


@pytest.fixture(params=IMPLEMENTATIONS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    made = IMPLEMENTATIONS[request.param](tmp_path / "short-lived")
    yield made
    made.close()


@pytest.fixture
def opener(tmp_path: Any) -> Iterator[Opener]:
    made = Opener(tmp_path / "short-lived")
    yield made
    made.close()


def claim(
    replay: Any,
    jti: Any = "j",
    key: Key = "k",
    audience: Any = "dpop",
    made_at: Any = NOW,
    until: Any = UNTIL,
) -> bool:
    return replay.claim(audience, key, jti, made_at, until)


def fill(replay: EmbeddedReplay) -> None:
    for n in range(2000):
        claim(replay, jti=str(n))


def unavailable(replay: Any, **claims: Any) -> str:
    with pytest.raises(Refusal) as caught:
        claim(replay, **claims)
    assert caught.value.reason is Reason.STATE_UNAVAILABLE
    return caught.value.detail


def test_the_first_claim_wins_and_every_other_loses(stage: Stage) -> None:
    replay = stage()
    assert [claim(replay), claim(replay), claim(replay)] == [True, False, False]


def test_audience_key_and_jti_together_name_what_was_used(stage: Stage) -> None:
    replay = stage()
    assert claim(replay, audience="a", key="bc", jti="d")
    assert claim(replay, audience="ab", key="c", jti="d")
    assert claim(replay, audience="a", key="b", jti="cd")
    assert claim(replay, audience="a", key='b","c', jti="d")


def test_the_time_of_a_proof_does_not_make_it_new(stage: Stage) -> None:
    replay = stage()
    assert claim(replay)
    assert not claim(replay, made_at=NOW + 1, until=UNTIL + 1)


def test_any_text_can_be_claimed(stage: Stage) -> None:
    replay = stage()
    assert claim(replay, jti="é\0\n'; DROP TABLE seen; --" + "x" * 10_000)


def test_fifty_threads_have_one_winner(stage: Stage) -> None:
    replay, barrier = stage(), threading.Barrier(50)

    def run(_: Any) -> bool:
        barrier.wait()
        return claim(replay)

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(run, range(50))) == 1


def _claim_after(directory: Path, barrier: Barrier, results: "Queue[Any]") -> None:
    bootfile._WAIT = 60.0  # on a busy machine fifty at once take more than a second
    store = KeyValue.open(Path(directory), SystemClock(), boot_id(), lambda: True)
    replay = EmbeddedReplay(store)
    now = SystemClock().now() // 10**6
    barrier.wait()
    with ThreadPoolExecutor(10) as pool:
        won = pool.map(lambda _: replay.claim("dpop", "k", "j", now, now + 60), range(10))
        results.put(sum(won))
    store.close()


def test_fifty_claims_in_five_processes_have_one_winner(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(5), context.Queue()
    processes = [
        context.Process(target=_claim_after, args=(str(tmp_path / "s"), barrier, results))
        for _ in range(5)
    ]
    for process in processes:
        process.start()
    assert sum(results.get(timeout=60) for _ in processes) == 1
    for process in processes:
        process.join()


def _claim_and_die(directory: Path) -> None:
    store = KeyValue.open(Path(directory), SystemClock(), boot_id(), lambda: True)
    now = SystemClock().now() // 10**6
    EmbeddedReplay(store).claim("dpop", "k", "j", now, now + 60)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_forgets_nothing(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_claim_and_die, args=(str(tmp_path / "s"),)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    store = KeyValue.open(tmp_path / "s", SystemClock(), boot_id())
    now = SystemClock().now() // 10**6
    replay = EmbeddedReplay(store)
    assert not replay.claim("dpop", "k", "j", now, now + 60)
    assert replay.claim("dpop", "k", "other", now, now + 60)
    store.close()


def test_a_restart_in_the_same_boot_remembers_and_does_not_wait(opener: Opener) -> None:
    claim(opener())
    opener.close()
    opener.first = False
    replay = opener()
    assert not claim(replay)
    assert claim(replay, jti="new")


def test_the_first_start_ever_accepts_at_once(stage: Stage) -> None:
    assert claim(stage(), made_at=NOW - 60)


def test_a_reboot_accepts_nothing_that_may_have_been_used_before(opener: Opener) -> None:
    claim(opener())
    opener.close()
    opener.boot, opener.first = "boot-2", False
    opener.clock.seconds += 5
    born = NOW + 5
    replay = opener()
    for made_at in (NOW - 60, NOW, born, born + AHEAD + TOLERANCE - 1):
        assert "new one in 12 seconds" in unavailable(replay, made_at=made_at, jti=str(made_at))
    assert claim(replay, made_at=born + AHEAD + TOLERANCE)


def test_a_reboot_leaves_no_file_of_the_boot_before(opener: Opener) -> None:
    claim(opener())
    opener.close()
    opener.boot = "boot-2"
    opener()
    names = {path.name.split(".")[0] for path in opener.directory.iterdir()}
    assert names == {"boot-2"}


def test_a_store_that_was_deleted_is_born_anew(opener: Opener) -> None:
    claim(opener())
    opener.close()
    for path in opener.directory.iterdir():
        path.unlink()
    opener.first = False
    unavailable(opener())


def test_a_store_deleted_or_exchanged_under_a_running_server_refuses(opener: Opener) -> None:
    replay = opener()
    assert claim(replay)
    path = opener.directory / "boot-1.db"
    path.rename(path.with_name("away"))
    unavailable(replay, jti="new")
    path.write_bytes(b"")
    unavailable(replay, jti="new")


def test_a_store_that_lost_its_marker_is_born_anew(opener: Opener) -> None:
    claim(opener())
    opener.close()
    with sqlite3.connect(opener.directory / "boot-1.db") as connection:
        connection.execute("DELETE FROM store")
    connection.close()
    opener.first = False
    unavailable(opener())


def test_a_damaged_store_refuses_to_open(opener: Opener) -> None:
    opener.directory.mkdir()
    (opener.directory / "boot-1.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(Refusal) as caught:
        opener()
    assert caught.value.reason is Reason.STATE_UNAVAILABLE


def test_a_full_disk_or_a_closed_store_proves_nobody(opener: Opener) -> None:
    replay = opener()
    claim(replay)
    opener.open_stores[0]._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(Refusal):
        fill(replay)
    opener.open_stores[0]._connection.close()
    unavailable(replay)


def test_a_lock_that_nobody_gives_back_refuses_within_a_second(opener: Opener) -> None:
    replay, other = opener(), KeyValue.open(opener.directory, SystemClock(), "boot-1")
    opener.open_stores[0]._clock = SystemClock()
    with other._lock.held(other._deadline()):
        unavailable(replay)
    assert claim(replay)
    other.close()


def test_what_has_expired_is_tidied_away_and_still_not_new(opener: Opener) -> None:
    replay = opener()
    assert claim(replay)
    opener.clock.seconds += 3600
    opener.open_stores[0]._until_tidy = 0
    assert claim(replay, jti="new", until=UNTIL + 3600)
    (held,) = opener.open_stores[0]._connection.execute("SELECT count(*) FROM seen").fetchone()
    assert held == 1
    opener.clock.seconds -= 3600
    assert not claim(replay)


def test_a_clock_that_leaps_ahead_and_back_makes_nothing_forgotten(opener: Opener) -> None:
    replay = opener()
    assert claim(replay)
    opener.clock.leapt = 3600
    opener.open_stores[0]._until_tidy = 0
    assert claim(replay, jti="ahead", made_at=NOW + 3600, until=UNTIL + 3600)
    opener.clock.leapt = 0
    assert not claim(replay)
    assert claim(replay, jti="new")


def test_the_store_never_grows_beyond_its_cap(opener: Opener) -> None:
    replay = opener(cap=600)
    with pytest.raises(Refusal) as caught:
        fill(replay)
    assert caught.value.reason is Reason.STATE_UNAVAILABLE
    (held,) = opener.open_stores[0]._connection.execute("SELECT count(*) FROM seen").fetchone()
    assert held <= 600 + 512
    opener.clock.seconds += 100
    assert claim(replay, jti="after", made_at=NOW + 100, until=UNTIL + 100)


def test_the_file_holds_no_jti_and_belongs_to_its_owner(opener: Opener) -> None:
    claim(opener(), jti="canary-jti", key="canary-key")
    opener.close()
    for path in opener.directory.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert b"canary" not in path.read_bytes()
