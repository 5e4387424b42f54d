"""A Redis that lost its memory lets nothing old pass: each of the losses, on real servers."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from identity.model import Level, Realm, SignedIn
from identity.oidc_attempt import Attempts
from identity.replay import AHEAD, TOLERANCE
from identity.replay_redis import RedisReplay
from identity.sessions_redis import RedisSessions
from kernel.chance import SystemChance
from kernel.clock import SECOND, SystemClock
from kernel.errors import Reason, Refusal
from kernel.names import Subject
from kernel.redis_address import RedisAddress
from kernel.redis_store import RedisStore
from tests.contract.lagging import Lagging
from tests.redis_server import RedisServer, SharedClock
from tests.unit.identity.parts import START

ROOT = bytes(range(32))
WAIT = AHEAD + TOLERANCE


class Host:
    """A gateway's short-lived state, over a Redis of several shapes."""

    def __init__(self, url: str) -> None:
        self.clock = SystemClock()
        self.store = RedisStore(RedisAddress.parse(url), self.clock, within=5)
        self.replay = RedisReplay(self.store, self.clock)
        self.sessions = RedisSessions(self.store, ROOT, self.clock, SystemChance())
        self.attempts = Attempts(Realm.RESIDENT, ROOT, self.replay, self.clock, SystemChance())
        self.store.begin_at_first()

    def now(self) -> int:
        return self.clock.now() // SECOND

    def claim(self, jti: str, made_at: int | None = None, audience: str = "dpop") -> bool:
        made_at = self.now() if made_at is None else made_at
        return self.replay.claim(audience, "key", jti, made_at, made_at + 300)


class Single:
    """One Redis."""

    def __init__(self, directory: Path) -> None:
        self.server = RedisServer(directory).start()
        self.url = self.server.url

    def close(self) -> None:
        self.server.kill()

    def keep(self) -> None:
        self.server.save()

    def restart(self) -> None:
        (self.server.directory / "dump.rdb").unlink(missing_ok=True)
        self.server.restart()

    def restart_from_an_old_file(self) -> None:
        self.server.restart()

    def flush(self) -> None:
        with self.server.client() as client:
            client.flushall()


class Pair(Lagging):
    """A master, a replica that lags, and the Sentinel that promotes it."""

    def keep(self) -> None:
        """Have everything on the replica, and nothing more from now on."""
        self.replicated()
        self.lag()


LOSSES: dict[str, tuple[type[Single] | type[Pair], Callable]] = {
    "restart": (Single, Single.restart),
    "old file": (Single, Single.restart_from_an_old_file),
    "flush": (Single, Single.flush),
    "failover to a replica that lags": (Pair, Pair.fail_over),
}


@pytest.fixture(params=LOSSES)
def loss(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple]:
    kind, lose = LOSSES[request.param]
    made = kind(tmp_path)
    yield made, lambda: lose(made)
    made.close()


def answering(host: Host) -> None:
    """Wait until the store serves again, without claiming anything."""
    deadline = time.monotonic() + 120
    while (fault := host.store.fault()) is not None:
        assert time.monotonic() < deadline, fault
        time.sleep(0.05)


def refused(host: Host, *claim: object) -> str:
    with pytest.raises(Refusal) as caught:
        host.claim(*claim)
    assert caught.value.reason is Reason.STATE_UNAVAILABLE
    return caught.value.detail


def test_nothing_that_was_used_passes_again_after_a_loss(loss) -> None:
    stage, lose = loss
    host = Host(stage.url)
    before = host.now()
    for audience in ("dpop", "assertion"):
        assert host.claim("kept", before, audience)
    attempt = host.attempts.begin("/home", Level.LOW, None)
    stage.keep()
    for audience in ("dpop", "assertion"):
        assert host.claim("lost", before, audience)
    host.attempts.claim(attempt)
    lose()
    answering(host)
    for audience in ("dpop", "assertion"):
        for jti in ("kept", "lost", "never used"):
            assert "a new one in 12 seconds" in refused(host, jti, before, audience)
    with pytest.raises(Refusal) as caught:
        host.attempts.claim(attempt)
    assert caught.value.reason is Reason.STATE_UNAVAILABLE


def test_what_is_made_twelve_seconds_after_a_loss_counts_once(loss) -> None:
    stage, lose = loss
    host = Host(stage.url)
    assert host.claim("before")
    stage.keep()
    assert host.claim("more")
    lose()
    answering(host)
    born = host.now()
    assert "a new one" in refused(host, "early", born + WAIT - 1)
    assert host.claim("late", born + WAIT + 1)
    assert not host.claim("late", born + WAIT + 1)


def test_a_session_that_was_ended_does_not_come_back_by_a_loss(loss) -> None:
    stage, lose = loss
    host = Host(stage.url)
    person = Subject("resident-number", "RN-1")
    who = SignedIn(Realm.RESIDENT, "https://i", "s", person, Level.LOW, host.now(), None)
    ended, open_ = host.sessions.begin(who), host.sessions.begin(who)
    stage.keep()
    host.sessions.end(Realm.RESIDENT, ended)
    lose()
    answering(host)
    assert host.sessions.find(Realm.RESIDENT, ended) is None
    assert host.sessions.find(Realm.RESIDENT, open_) is None
    assert host.sessions.find(Realm.RESIDENT, host.sessions.begin(who)) is not None


def test_the_failover_really_lost_what_the_replica_did_not_have(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    host = Host(pair.url)
    assert host.claim("kept")
    pair.keep()
    assert host.claim("lost")
    pair.fail_over()
    answering(host)
    with pair.replica.client() as client:
        assert len(client.keys("causeway:used:*")) == 1
    pair.close()


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Single]:
    made = Single(tmp_path)
    yield made
    made.close()


def test_a_second_host_that_connects_later_finds_the_loss_too(single: Single) -> None:
    here, there = Host(single.url), Host(single.url)
    before = here.now()
    assert here.claim("once", before)
    assert not there.claim("once", before)
    single.flush()
    assert "a new one" in refused(there, "once", before)
    assert "a new one" in refused(here, "once", before)
    assert there.claim("new", here.now() + WAIT + 2)
    assert not here.claim("new", here.now() + WAIT + 2)


def test_the_first_start_ever_is_told_once_and_never_hides_a_loss(single: Single) -> None:
    host = Host(single.url)
    assert host.claim("once")
    host.store.begin_at_first()
    assert not host.claim("once")
    single.flush()
    refused(host, "other")
    host.store.begin_at_first()
    refused(host, "once")


@pytest.fixture
def timed(tmp_path: Path) -> Iterator[tuple[RedisServer, SharedClock, RedisReplay]]:
    server = RedisServer(tmp_path, seconds=START).start()
    clock = SharedClock(server)
    store = RedisStore(RedisAddress.parse(server.url), SystemClock())
    store.begin_at_first()
    yield server, clock, RedisReplay(store, clock)
    store.close()
    server.kill()


def test_what_has_run_out_is_forgotten_and_still_not_new(timed) -> None:
    server, clock, replay = timed
    assert replay.claim("dpop", "k", "j", START, START + 70)
    clock.seconds += 3600
    assert not replay.claim("dpop", "k", "j", START, START + 70)
    with server.client() as client:
        assert client.keys("causeway:used:*") == []


def test_a_redis_whose_clock_ran_back_is_taken_for_one_that_forgot(timed) -> None:
    _, clock, replay = timed
    assert replay.claim("dpop", "k", "j", START, START + 70)
    clock.seconds += 3600
    assert replay.claim("dpop", "k", "other", START + 3600, START + 3700)
    clock.seconds -= 3600
    for jti in ("j", "never used"):
        with pytest.raises(Refusal) as caught:
            replay.claim("dpop", "k", jti, START, START + 70)
        assert "a new one in 12 seconds" in caught.value.detail


@pytest.mark.parametrize("leap", [-3, 3, -3600, 3600])
def test_a_host_and_a_redis_that_disagree_about_the_time_accept_nothing(timed, leap) -> None:
    _, clock, replay = timed
    clock.leapt = leap
    with pytest.raises(Refusal) as caught:
        replay.claim("dpop", "k", "j", START, START + 70)
    assert "disagree about the time" in caught.value.detail
    clock.leapt = 0
    assert replay.claim("dpop", "k", "j", START, START + 70)


def test_no_key_of_a_claim_names_anybody(timed) -> None:
    server, _, replay = timed
    assert replay.claim("dpop", "canary-key", "canary-jti", START, START + 70)
    with server.client() as client:
        held = client.keys("*") + [client.dump(key) for key in client.keys("*")]
    assert not any(b"canary" in one for one in held)


def test_a_redis_that_forgot_our_scripts_is_given_them_again(single: Single) -> None:
    host = Host(single.url)
    assert host.claim("one")
    with single.server.client() as client:
        client.script_flush()
    assert host.claim("two")
    assert not host.claim("one")


def test_nothing_is_claimed_twice_when_an_answer_does_not_come(single: Single) -> None:
    host = Host(single.url)
    host.claim("warm")
    host.store._within = 0.3
    made_at = host.now()

    def calls() -> int:
        with single.server.client() as client:
            return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])

    before = calls()
    with single.server.stopped():
        refused(host, "late", made_at)
    host.store._within = 5
    assert host.claim("later")
    with single.server.client() as client:
        assert len(client.keys("causeway:used:*")) == 3
    assert calls() == before + 2
    assert not host.claim("late", made_at)
