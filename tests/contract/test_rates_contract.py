"""The contract of the rates port, run on every implementation of it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import pytest

from gateway.load.rates import Bucket, Limit, Rates
from gateway.load.rates_embedded import EmbeddedRates
from gateway.load.rates_redis import RedisRates
from kernel.clock import Deadline, SystemClock
from kernel.errors import Reason, Refusal
from kernel.filelock import FileLock
from kernel.redis_address import RedisAddress
from kernel.redis_store import RedisStore
from tests.redis_server import RedisServer, SharedClock
from tests.unit.identity.parts import START, SetClock


class Stage(Protocol):
    """Opens one store again and again, as workers would; its clock is set."""

    clock: SetClock

    def __call__(self) -> Rates: ...

    def break_it(self) -> None: ...

    def bytes(self) -> bytes: ...

    def close(self) -> None: ...


class Embedded:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SetClock()

    def __call__(self) -> EmbeddedRates:
        return EmbeddedRates(self.directory, "boot-1", self.clock)

    def break_it(self) -> None:
        self.held = FileLock(self.directory / "boot-1.rates").held(
            Deadline.within(5, SystemClock())
        )
        self.held.__enter__()

    def bytes(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.directory.iterdir())

    def close(self) -> None:
        if hasattr(self, "held"):
            self.held.__exit__(None, None, None)


class InRedis:
    def __init__(self, directory: Path) -> None:
        self.server = RedisServer(directory, seconds=START).start()
        self.clock = SharedClock(self.server)

    def __call__(self) -> RedisRates:
        return RedisRates(RedisStore(RedisAddress.parse(self.server.url), SystemClock(), within=30))

    def break_it(self) -> None:
        self.server.kill()

    def bytes(self) -> bytes:
        self.server.save()
        return (self.server.directory / "dump.rdb").read_bytes()

    def close(self) -> None:
        self.server.kill()


IMPLEMENTATIONS: dict[str, Callable[[Path], Stage]] = {"embedded": Embedded, "redis": InRedis}


@pytest.fixture(params=IMPLEMENTATIONS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    made = IMPLEMENTATIONS[request.param](tmp_path / "rates")
    yield made
    made.close()


def bucket(name: str = "a", count: int = 10, seconds: int = 1000) -> Bucket:
    return Bucket(("client", name), Limit(count, seconds))


def taken(rates: Rates, many: int, *buckets: Bucket) -> int:
    return sum(rates.take(*buckets) is None for _ in range(many))


def test_a_bucket_gives_what_it_holds_and_then_says_until_when(stage: Stage) -> None:
    rates = stage()
    assert taken(rates, 15, bucket()) == 10
    empty = rates.take(bucket())
    assert empty is not None
    assert empty.bucket == bucket()
    assert 98 <= empty.seconds <= 101


def test_it_fills_again_evenly_and_never_beyond_its_brim(stage: Stage) -> None:
    rates = stage()
    assert taken(rates, 15, bucket()) == 10
    stage.clock.seconds += 302
    assert taken(rates, 15, bucket()) == 3
    stage.clock.seconds += 100_000
    assert taken(rates, 15, bucket()) == 10


def test_what_was_refused_counts_for_nothing(stage: Stage) -> None:
    rates = stage()
    assert taken(rates, 100, bucket()) == 10
    stage.clock.seconds += 102
    assert taken(rates, 2, bucket()) == 1


def test_one_bucket_does_not_empty_another(stage: Stage) -> None:
    rates = stage()
    assert taken(rates, 15, bucket("a")) == 10
    assert taken(rates, 15, bucket("b")) == 10
    assert taken(rates, 15, Bucket(("agreement", "a"), Limit(10, 1000))) == 10
    assert taken(rates, 15, Bucket(("client", "a", ""), Limit(10, 1000))) == 10


def test_one_is_taken_from_all_buckets_or_from_none(stage: Stage) -> None:
    rates = stage()
    small, large = bucket("small", 3), bucket("large", 10)
    assert taken(rates, 8, large, small) == 3
    empty = rates.take(large, small)
    assert empty is not None
    assert empty.bucket == small
    assert taken(rates, 15, large) == 7


def test_a_limit_that_was_lowered_holds_at_once(stage: Stage) -> None:
    rates = stage()
    assert taken(rates, 10, bucket(count=100)) == 10
    assert taken(rates, 10, bucket(count=5)) <= 5


def test_workers_share_every_bucket(stage: Stage) -> None:
    here, there = stage(), stage()
    assert taken(here, 6, bucket()) == 6
    assert taken(there, 6, bucket()) == 4
    assert taken(here, 1, bucket()) == 0


def test_fifty_threads_take_no_more_than_there_is(stage: Stage) -> None:
    rates, start = stage(), threading.Barrier(50)

    def run(_: int) -> bool:
        start.wait()
        return rates.take(bucket()) is None

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(run, range(50))) == 10


def test_a_store_that_does_not_answer_lets_nobody_ask(stage: Stage) -> None:
    rates = stage()
    assert rates.take(bucket()) is None
    stage.break_it()
    if isinstance(rates, EmbeddedRates):
        rates._clock = SystemClock()
    with pytest.raises(Refusal) as refused:
        rates.take(bucket())
    assert refused.value.reason is Reason.STATE_UNAVAILABLE


def test_nothing_that_is_kept_names_anybody(stage: Stage) -> None:
    rates = stage()
    assert rates.take(bucket("canary")) is None
    assert b"canary" not in stage.bytes()


def test_a_full_file_refuses_and_what_filled_up_again_makes_room(tmp_path: Path) -> None:
    clock = SetClock()
    rates = EmbeddedRates(tmp_path, "boot-1", clock)
    with pytest.raises(Refusal) as refused:
        all(rates.take(bucket(str(n), seconds=100)) is None for n in range(70_000))
    assert refused.value.reason is Reason.STATE_UNAVAILABLE
    clock.seconds += 200
    assert rates.take(bucket("new")) is None
    rates.close()


def test_another_boot_begins_with_full_buckets_in_a_file_of_its_own(tmp_path: Path) -> None:
    clock = SetClock()
    assert taken(EmbeddedRates(tmp_path, "boot-1", clock), 15, bucket()) == 10
    assert taken(EmbeddedRates(tmp_path, "boot-2", clock), 15, bucket()) == 10
    assert {path.name.partition(".")[0] for path in tmp_path.iterdir()} == {"boot-2"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())


def test_the_file_has_all_its_room_before_anybody_is_counted(tmp_path: Path) -> None:
    EmbeddedRates(tmp_path, "boot-1", SetClock()).close()
    status = (tmp_path / "boot-1.rates").stat()
    assert status.st_size > 0
    assert status.st_blocks * 512 >= status.st_size, "a full disk would end the process"


def test_a_directory_that_cannot_be_used_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "rates").write_text("a file")
    with pytest.raises(Refusal):
        EmbeddedRates(tmp_path / "rates", "boot-1", SetClock())


@pytest.mark.parametrize(
    "text", ["", "0/1", "1/0", "1", "a/b", "1/1/1", "-1/1", "1/86401", "1e3/1"]
)
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="COUNT/SECONDS"):
        Limit.parse(text)


def test_a_limit_is_read_as_it_is_written() -> None:
    assert Limit.parse("1000/10") == Limit(1000, 10)
