"""The contract of the sessions port, run on every implementation of it."""

import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Protocol

import pytest

from crypto import base64url
from identity.model import Level, Realm, SignedIn
from identity.sessions import AT_MOST, IDLE, PER_PERSON, Sessions
from identity.sessions_embedded import EmbeddedSessions, SessionFile
from identity.sessions_redis import RedisSessions
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.names import Subject
from kernel.redis_address import RedisAddress
from kernel.redis_store import RedisStore
from tests.redis_server import RedisServer, SharedClock
from tests.unit.identity.parts import START, SetClock

ROOT = bytes(range(32))
ISSUER = "https://login.example"
AMINA = SignedIn(
    Realm.RESIDENT,
    ISSUER,
    "sub-of-amina",
    Subject("resident-number", "RN-canary-1"),
    Level.LOW,
    START,
    "sid-1",
)
OFFICER = SignedIn(Realm.OFFICER, ISSUER, "sub-of-officer", None, Level.HIGH, START, None)
MINUTE = 60


class Stage(Protocol):
    """Opens one store again and again, as processes and reboots would."""

    clock: SetClock

    def __call__(self, cap: int = 1000) -> Sessions: ...

    def reboot(self) -> None:
        """Have the machine of the store start anew."""

    def break_it(self) -> None:
        """Have the store answer nothing any more."""

    def bytes(self) -> bytes:
        """Return everything that the store has written."""

    def swap(self) -> None:
        """Put the payloads of its two rows in each other's place."""

    def close(self) -> None: ...


class Embedded:
    """The store of one machine, in a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SetClock()
        self.boot = "boot-1"
        self.files: list[SessionFile] = []

    def __call__(self, cap: int = 1000) -> EmbeddedSessions:
        self.files.append(SessionFile.open(self.directory, self.clock, self.boot))
        return EmbeddedSessions(self.files[-1], ROOT, self.clock, SystemChance(), cap)

    def reboot(self) -> None:
        self.boot = "boot-2"

    def break_it(self) -> None:
        for file in self.files:
            file._connection.close()

    def bytes(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.directory.iterdir())

    def swap(self) -> None:
        connection: sqlite3.Connection = self.files[0]._connection
        rows = connection.execute("SELECT id, sealed FROM session").fetchall()
        for (row, _), (_, sealed) in zip(rows, reversed(rows), strict=True):
            connection.execute("UPDATE session SET sealed = ? WHERE id = ?", (sealed, row))

    def close(self) -> None:
        for file in self.files:
            file.close()


class InRedis:
    """The store of several hosts, in a real Redis whose clock a test sets as well."""

    def __init__(self, directory: Path) -> None:
        self.server = RedisServer(directory, seconds=START).start()
        self.clock = SharedClock(self.server)
        self.stores: list[RedisStore] = []

    def __call__(self, cap: int = 1000) -> RedisSessions:
        self.stores.append(RedisStore(RedisAddress.parse(self.server.url), SystemClock()))
        return RedisSessions(self.stores[-1], ROOT, self.clock, SystemChance(), cap)

    def reboot(self) -> None:
        self.server.save()
        self.server.restart()

    def break_it(self) -> None:
        self.server.kill()

    def bytes(self) -> bytes:
        self.server.save()
        return (self.server.directory / "dump.rdb").read_bytes()

    def swap(self) -> None:
        with self.server.client() as client:
            one, two = client.keys("causeway:session:s:*")
            sealed = client.hget(one, "sealed"), client.hget(two, "sealed")
            client.hset(one, "sealed", sealed[1])
            client.hset(two, "sealed", sealed[0])

    def close(self) -> None:
        for store in self.stores:
            store.close()
        self.server.kill()


IMPLEMENTATIONS: dict[str, Callable[[Path], Stage]] = {"embedded": Embedded, "redis": InRedis}


@pytest.fixture(params=IMPLEMENTATIONS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    made = IMPLEMENTATIONS[request.param](tmp_path / "sessions")
    yield made
    made.close()


def test_a_session_is_found_as_it_began(stage: Stage) -> None:
    sessions: Sessions = stage()
    found = sessions.find(Realm.RESIDENT, sessions.begin(AMINA))
    assert found is not None
    assert found.who == AMINA


def test_an_officers_session_has_nobody_elses_number(stage: Stage) -> None:
    sessions: Sessions = stage()
    found = sessions.find(Realm.OFFICER, sessions.begin(OFFICER))
    assert found is not None
    assert found.who == OFFICER


def test_a_cookie_is_256_bits_that_never_repeat(stage: Stage) -> None:
    sessions = stage()
    cookies = {sessions.begin(AMINA) for _ in range(PER_PERSON)}
    assert len(cookies) == PER_PERSON
    assert {len(base64url.decode(cookie)) for cookie in cookies} == {32}


def test_the_forms_token_is_the_sessions_own_and_stays(stage: Stage) -> None:
    sessions = stage()
    one, two = sessions.begin(AMINA), sessions.begin(AMINA)
    first, again, other = (sessions.find(Realm.RESIDENT, cookie) for cookie in (one, one, two))
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.csrf == again.csrf != other.csrf
    assert first.csrf not in {one, two}


@pytest.mark.parametrize(("who", "other"), [(AMINA, Realm.OFFICER), (OFFICER, Realm.RESIDENT)])
def test_a_session_of_one_realm_is_none_of_the_other(
    stage: Stage, who: SignedIn, other: Realm
) -> None:
    sessions = stage()
    cookie = sessions.begin(who)
    assert sessions.find(other, cookie) is None
    sessions.end(other, cookie)
    assert sessions.find(who.realm, cookie) is not None


@pytest.mark.parametrize("cookie", ["", "x", "é" * 43, "A" * 43, "A" * 5000, "A" * 44, "a=b;c"])
def test_what_was_never_given_out_is_nobody(stage: Stage, cookie: str) -> None:
    sessions = stage()
    sessions.begin(AMINA)
    assert sessions.find(Realm.RESIDENT, cookie) is None
    sessions.end(Realm.RESIDENT, cookie)


def test_a_page_within_fifteen_minutes_keeps_the_session(stage: Stage) -> None:
    sessions = stage()
    cookie = sessions.begin(AMINA)
    for _ in range(4):
        stage.clock.seconds += IDLE - 1
        assert sessions.find(Realm.RESIDENT, cookie) is not None


def test_fifteen_minutes_without_a_page_end_the_session(stage: Stage) -> None:
    sessions = stage()
    cookie = sessions.begin(AMINA)
    stage.clock.seconds += IDLE
    assert sessions.find(Realm.RESIDENT, cookie) is None


def test_eight_hours_end_the_session_in_any_case(stage: Stage) -> None:
    sessions = stage()
    cookie = sessions.begin(AMINA)
    for _ in range(AT_MOST // (10 * MINUTE) - 1):
        stage.clock.seconds += 10 * MINUTE
        assert sessions.find(Realm.RESIDENT, cookie) is not None
    stage.clock.seconds += 10 * MINUTE
    assert sessions.find(Realm.RESIDENT, cookie) is None


def test_a_wall_clock_that_is_set_back_keeps_nobody_signed_in(stage: Stage) -> None:
    sessions = stage()
    cookie = sessions.begin(AMINA)
    stage.clock.leapt = -3600
    stage.clock.seconds += IDLE
    assert sessions.find(Realm.RESIDENT, cookie) is None


def test_what_a_leaping_clock_ended_stays_ended_when_it_leaps_back(stage: Stage) -> None:
    sessions = stage()
    cookie = sessions.begin(AMINA)
    stage.clock.leapt = 3600
    assert sessions.find(Realm.RESIDENT, cookie) is None
    stage.clock.leapt = 0
    assert sessions.find(Realm.RESIDENT, cookie) is None


def test_what_was_ended_never_revives(stage: Stage) -> None:
    sessions = stage()
    cookie = sessions.begin(AMINA)
    sessions.end(Realm.RESIDENT, cookie)
    assert sessions.find(Realm.RESIDENT, cookie) is None
    assert sessions.begin(AMINA, cookie) != cookie
    assert sessions.find(Realm.RESIDENT, cookie) is None


def test_rotating_ends_the_old_and_starts_another_at_the_new_level(stage: Stage) -> None:
    sessions = stage()
    old = sessions.begin(AMINA)
    new = sessions.begin(replace(AMINA, level=Level.HIGH), old)
    assert sessions.find(Realm.RESIDENT, old) is None
    found = sessions.find(Realm.RESIDENT, new)
    assert found is not None
    assert found.who.level is Level.HIGH


def test_a_provider_ends_what_one_of_its_sessions_began(stage: Stage) -> None:
    sessions = stage()
    ended = [sessions.begin(AMINA) for _ in range(2)]
    kept = sessions.begin(replace(AMINA, sid="sid-2"))
    assert sessions.end_all(ISSUER, AMINA.sub, "sid-1") == 2
    assert [sessions.find(Realm.RESIDENT, cookie) for cookie in ended] == [None, None]
    assert sessions.find(Realm.RESIDENT, kept) is not None


def test_a_provider_ends_everything_of_one_person_and_of_nobody_else(stage: Stage) -> None:
    sessions = stage()
    ended = [sessions.begin(replace(AMINA, sid=sid)) for sid in (None, "sid-1", "sid-2")]
    others = [
        sessions.begin(replace(AMINA, sub="somebody-else")),
        sessions.begin(replace(AMINA, issuer="https://other.example")),
    ]
    assert sessions.end_all(ISSUER, AMINA.sub, None) == 3
    assert [sessions.find(Realm.RESIDENT, cookie) for cookie in ended] == [None] * 3
    assert all(sessions.find(Realm.RESIDENT, cookie) for cookie in others)


@pytest.mark.parametrize(
    ("issuer", "sub", "sid"),
    [
        (ISSUER, "nobody", None),
        (ISSUER, None, "unknown"),
        (ISSUER, None, None),
        ("https://other.example", AMINA.sub, "sid-1"),
        (ISSUER, "sid-1", None),
    ],
)
def test_ending_what_is_not_there_ends_nothing(
    stage: Stage, issuer: str, sub: str | None, sid: str | None
) -> None:
    sessions = stage()
    cookie = sessions.begin(AMINA)
    assert sessions.end_all(issuer, sub, sid) == 0
    assert sessions.find(Realm.RESIDENT, cookie) is not None


def test_one_session_too_many_ends_the_persons_oldest(stage: Stage) -> None:
    sessions = stage()
    other = sessions.begin(replace(AMINA, sub="somebody-else"))
    cookies = []
    for _ in range(PER_PERSON + 1):
        cookies.append(sessions.begin(AMINA))
        stage.clock.seconds += 1
    assert sessions.find(Realm.RESIDENT, cookies[0]) is None
    assert all(sessions.find(Realm.RESIDENT, cookie) for cookie in (*cookies[1:], other))


def test_a_full_store_takes_nobody_more_until_somebody_leaves(stage: Stage) -> None:
    sessions = stage(cap=3)
    cookies = [sessions.begin(replace(AMINA, sub=f"sub-{n}")) for n in range(3)]
    with pytest.raises(Refusal) as refused:
        sessions.begin(replace(AMINA, sub="one more"))
    assert refused.value.reason is Reason.STATE_UNAVAILABLE
    assert all(sessions.find(Realm.RESIDENT, cookie) for cookie in cookies)
    sessions.end(Realm.RESIDENT, cookies[0])
    assert sessions.begin(replace(AMINA, sub="one more"))


def test_what_ran_out_makes_room(stage: Stage) -> None:
    sessions = stage(cap=2)
    for n in range(2):
        sessions.begin(replace(AMINA, sub=f"sub-{n}"))
    stage.clock.seconds += IDLE
    assert sessions.begin(AMINA)


def test_a_store_that_does_not_answer_lets_nobody_in(stage: Stage) -> None:
    sessions = stage()
    cookie = sessions.begin(AMINA)
    stage.break_it()
    for operation in (
        lambda: sessions.find(Realm.RESIDENT, cookie),
        lambda: sessions.begin(AMINA),
        lambda: sessions.begin(AMINA, cookie),
        lambda: sessions.end(Realm.RESIDENT, cookie),
        lambda: sessions.end_all(ISSUER, AMINA.sub, None),
    ):
        with pytest.raises(Refusal) as refused:
            operation()
        assert refused.value.reason is Reason.STATE_UNAVAILABLE


def test_the_store_holds_nobodys_number_name_or_cookie(stage: Stage) -> None:
    sessions = stage()
    cookie = sessions.begin(AMINA)
    found = sessions.find(Realm.RESIDENT, cookie)
    assert found is not None
    assert AMINA.person is not None
    written = stage.bytes()
    secret = base64url.decode(cookie)
    for canary in (AMINA.person.value, AMINA.sub, ISSUER, "sid-1", cookie, found.csrf):
        assert canary.encode() not in written
    assert secret not in written


def test_a_session_has_no_repr_that_names_anybody(stage: Stage) -> None:
    sessions = stage()
    found = sessions.find(Realm.RESIDENT, sessions.begin(AMINA))
    assert "canary" not in repr(found)
    assert AMINA.sub not in repr(found)


def test_what_one_process_ends_another_does_not_find(stage: Stage) -> None:
    here, there = stage(), stage()
    cookie = here.begin(AMINA)
    assert there.find(Realm.RESIDENT, cookie) is not None
    there.end(Realm.RESIDENT, cookie)
    assert here.find(Realm.RESIDENT, cookie) is None


def test_no_session_survives_a_reboot(stage: Stage) -> None:
    cookie = stage().begin(AMINA)
    stage.reboot()
    assert stage().find(Realm.RESIDENT, cookie) is None


def _begin_again(directory: str, cookie: str, start: Barrier, told: "Queue[str]") -> None:
    clock = SystemClock()
    file = SessionFile.open(Path(directory), clock, "boot-1")
    sessions = EmbeddedSessions(file, ROOT, clock, SystemChance())
    start.wait(120)
    for _ in range(20):
        sessions.find(Realm.RESIDENT, cookie)
    told.put(sessions.begin(AMINA, cookie))
    file.close()


def test_two_processes_that_step_up_at_once_leave_no_old_session_behind(tmp_path: Path) -> None:
    clock = SystemClock()
    file = SessionFile.open(tmp_path / "sessions", clock, "boot-1")
    sessions = EmbeddedSessions(file, ROOT, clock, SystemChance())
    old = sessions.begin(AMINA)
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_begin_again, args=(str(tmp_path / "sessions"), old, start, told))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    new = [told.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sessions.find(Realm.RESIDENT, old) is None
    assert all(sessions.find(Realm.RESIDENT, cookie) for cookie in new)
    file.close()


def test_a_session_that_is_ended_while_many_look_for_it_is_gone_for_all(tmp_path: Path) -> None:
    clock = SystemClock()
    files = [SessionFile.open(tmp_path / "sessions", clock, "boot-1") for _ in range(2)]
    here, there = (EmbeddedSessions(file, ROOT, clock, SystemChance()) for file in files)
    cookie = here.begin(AMINA)

    def look(n: int) -> bool:
        if n == 20:
            there.end_all(ISSUER, AMINA.sub, AMINA.sid)
        return here.find(Realm.RESIDENT, cookie) is not None

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(look, range(60)))
    assert seen[0]
    assert here.find(Realm.RESIDENT, cookie) is None
    assert there.find(Realm.RESIDENT, cookie) is None
    for file in files:
        file.close()


def test_a_file_that_was_deleted_lets_nobody_in(tmp_path: Path) -> None:
    stage = Embedded(tmp_path / "sessions")
    sessions = stage()
    cookie = sessions.begin(AMINA)
    for path in stage.directory.glob("*.db*"):
        if path.suffix == ".db":
            path.unlink()
    with pytest.raises(Refusal):
        sessions.find(Realm.RESIDENT, cookie)


def test_a_directory_that_cannot_be_used_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("a file")
    with pytest.raises(Refusal) as refused:
        SessionFile.open(tmp_path / "sessions", SetClock(), "boot-1")
    assert refused.value.reason is Reason.STATE_UNAVAILABLE


def test_a_payload_moved_to_another_row_opens_for_nobody(stage: Stage) -> None:
    sessions = stage()
    mine, theirs = sessions.begin(AMINA), sessions.begin(replace(AMINA, sub="somebody-else"))
    stage.swap()
    assert sessions.find(Realm.RESIDENT, mine) is None
    assert sessions.find(Realm.RESIDENT, theirs) is None
