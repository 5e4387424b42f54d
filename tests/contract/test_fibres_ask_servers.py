"""Exchanges have no threads while PostgreSQL or Redis answers: one that hangs keeps only those who
ask it, few connections serve many, and whoever goes leaves none of them behind."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

import pytest
import uvloop

from gateway.load.fibres import Fibres
from kernel import postgres_reader, redis_store
from kernel.clock import Deadline, SystemClock
from kernel.database_postgres import PostgresDatabase
from kernel.errors import Reason, Refusal
from kernel.redis_address import RedisAddress
from kernel.redis_store import RedisStore, remembering
from kernel.waits import OwnThread
from tests.both import Sites
from tests.fibred import carried_out
from tests.redis_server import RedisServer, redis_server
from tests.severed import Proxy, proxy

LARGE = 8 * 1024 * 1024
NAME: ContextVar[int] = ContextVar("name", default=-1)
_SAME = remembering("return tonumber(ARGV[2])")
_LENGTH = remembering("return #ARGV[2]")
_WRONG = remembering("return redis.call('NOTHING')")


@dataclass
class Asked:
    """A server, most often behind a proxy, and who asks it as fibres do."""

    proxy: Proxy
    reason: Reason
    most: int
    fibres: Fibres = field(default_factory=lambda: Fibres(OwnThread()))
    same: Callable[[int], int] = lambda n: n
    """Has the server tell a number back."""
    length: Callable[[str], int] = len
    wrong: Callable[[], object] = lambda: None
    """Asks what the server refuses."""

    @property
    def connections(self) -> int:
        """Return how many connections were made so far."""
        return len(self.proxy._held) // 2

    def refused(self, ask: Callable[[], object]) -> None:
        with pytest.raises(Refusal) as caught:
            ask()
        assert caught.value.reason is self.reason


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as started:
        yield started


@contextmanager
def taking_nobody() -> Iterator[int]:
    """Listen, and have as many waiting at the door as may; whoever comes then is not heard."""
    with ExitStack() as parts, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = parts.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield int(listening.getsockname()[1])


def over_postgres(sites: Sites, parts: ExitStack) -> Asked:
    site = parts.enter_context(sites.one())
    between = parts.enter_context(proxy(site.server.port))
    asked = Asked(between, Reason.LEDGER_UNAVAILABLE, postgres_reader.MOST)
    url = site.writer.replace(f":{site.server.port}/", f":{between.port}/")
    at_postgres(asked, url, parts)
    return asked


def at_postgres(asked: Asked, url: str, parts: ExitStack) -> None:
    database = PostgresDatabase(url, waits=asked.fibres)
    parts.callback(lambda: database.close(Deadline.within(30, SystemClock())))

    def told(sql: str, value: int | str) -> int:
        return database.read().execute(sql, (value,)).fetchone()[0]

    asked.same = partial(told, "SELECT ?::bigint")
    asked.length = partial(told, "SELECT length(?::text)::bigint")
    asked.wrong = partial(told, "SELECT 1 / ?::bigint", 0)


def over_redis(redis: RedisServer, parts: ExitStack) -> Asked:
    between = parts.enter_context(proxy(redis.port))
    asked = Asked(between, Reason.STATE_UNAVAILABLE, redis_store.MOST)
    at_redis(asked, f"redis://127.0.0.1:{between.port}", parts)
    return asked


def at_redis(asked: Asked, url: str, parts: ExitStack) -> None:
    address = RedisAddress.parse(url)
    store = RedisStore(address, SystemClock(), 2.0, asked.fibres)
    parts.callback(store.close)
    asked.same = lambda n: int(store.run(_SAME, (), n))
    asked.length = lambda text: int(store.run(_LENGTH, (), text))
    asked.wrong = lambda: store.run(_WRONG, ())


@pytest.fixture(params=["PostgreSQL", "Redis"])
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    with ExitStack() as parts:
        if request.param == "Redis":
            yield over_redis(request.getfixturevalue("redis"), parts)
        else:
            yield over_postgres(request.getfixturevalue("sites"), parts)


def keeps_nobody_else(asked: Asked) -> None:
    events: list[str] = []

    def hung() -> None:
        asked.refused(lambda: asked.same(2))
        events.append("refused")

    def other() -> None:
        for _ in range(20):
            asked.fibres.aside(lambda: time.sleep(0.001))
        events.append("another")

    carried_out(asked.fibres, hung, hung, other)
    assert events == ["another", "refused", "refused"]


@pytest.mark.parametrize("connected", [True, False], ids=["asking", "greeting"])
def test_a_server_that_hangs_keeps_those_who_ask_it_and_nobody_else(asked, connected):
    if connected:
        assert carried_out(asked.fibres, lambda: asked.same(1)) == [1]
    asked.proxy.open.clear()
    keeps_nobody_else(asked)
    asked.proxy.open.set()
    assert carried_out(asked.fibres, lambda: asked.same(3)) == [3]


@pytest.mark.parametrize(
    ("reason", "at", "scheme"),
    [
        pytest.param(Reason.LEDGER_UNAVAILABLE, at_postgres, "postgresql", id="PostgreSQL"),
        pytest.param(Reason.STATE_UNAVAILABLE, at_redis, "redis", id="Redis"),
    ],
)
def test_a_server_that_takes_no_connection_keeps_those_who_ask_it_and_nobody_else(
    reason, at, scheme
):
    with ExitStack() as parts:
        port = parts.enter_context(taking_nobody())
        asked = Asked(parts.enter_context(proxy(port)), reason, 1)
        at(asked, f"{scheme}://127.0.0.1:{port}", parts)
        keeps_nobody_else(asked)


def test_many_fibres_and_threads_share_few_connections_and_each_gets_its_own_answer(asked):
    def often(n: int) -> list[int]:
        NAME.set(n)
        return [asked.same(1000 * n + time) for time in range(4)] + [NAME.get()]

    told: list[object] = []
    threads = [threading.Thread(target=lambda n=n: told.append(often(n))) for n in range(4)]
    for thread in threads:
        thread.start()
    count = 3 * asked.most
    told += carried_out(asked.fibres, *[partial(often, n) for n in range(4, count)])
    for thread in threads:
        thread.join()
    wanted = [[1000 * n, 1000 * n + 1, 1000 * n + 2, 1000 * n + 3, n] for n in range(count)]
    assert sorted(told) == wanted
    assert 1 < asked.connections <= asked.most


def test_whoever_goes_in_the_middle_leaves_its_connection_to_others_and_no_answer(asked):
    fibres, count = asked.fibres, asked.most + 8

    async def many() -> list[int]:
        async with asyncio.timeout(60):
            first = [fibres.run(asked.same, n) for n in range(asked.most)]
            assert await asyncio.gather(*first) == list(range(asked.most))
            asked.proxy.open.clear()
            going = [asyncio.ensure_future(fibres.run(asked.same, -n)) for n in range(count)]
            await asyncio.sleep(0)
            assert fibres.taken == count
            for one in going:
                one.cancel()
            await asyncio.gather(*going, return_exceptions=True)
            asked.proxy.open.set()
            return await asyncio.gather(*[fibres.run(asked.same, n) for n in range(count)])

    assert uvloop.run(many()) == list(range(count))
    assert fibres.taken == 0


def test_an_answer_that_came_in_time_counts_also_where_nobody_had_time_to_look(asked):
    def busy() -> None:
        time.sleep(2.3)  # longer than anybody waits for an answer

    assert carried_out(asked.fibres, lambda: asked.same(1)) == [1]
    assert carried_out(asked.fibres, lambda: asked.same(7), busy) == [7, None]


def test_a_question_that_fails_leaves_its_connection_to_others(asked):
    def often() -> int:
        for _ in range(asked.most + 1):
            asked.refused(asked.wrong)
        return asked.same(7)

    assert carried_out(asked.fibres, often) == [7]


def test_a_question_larger_than_the_wire_takes_at_once_goes_out_piece_by_piece(asked):
    assert carried_out(asked.fibres, lambda: asked.length("x" * LARGE)) == [LARGE]
