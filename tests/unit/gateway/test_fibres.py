"""Exchanges share one thread: who waits gives it away, and each goes on with what is its own."""

import asyncio
import select
import socket
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

import pycurl
import pytest
import uvloop

from gateway.load.fibres import A_FEW, Fibres
from gateway.load.transfers import Transfers
from kernel.waits import OwnThread, Parked
from tests.fibred import carried_out

PATIENCE = 120.0
NAME: ContextVar[str] = ContextVar("name", default="nobody")


def berth(fibres: Fibres) -> Parked:
    found = fibres.parked()
    assert found is not None
    return found


def test_who_waits_lets_the_next_work_on_the_same_thread():
    fibres, events, threads = Fibres(OwnThread()), [], set()
    asked = threading.Event()

    def first() -> str:
        threads.add(threading.get_ident())
        events.append("first asks")
        fibres.aside(lambda: asked.wait(PATIENCE))
        threads.add(threading.get_ident())
        events.append("first goes on")
        return "one"

    def second() -> str:
        threads.add(threading.get_ident())
        events.append("second")
        asked.set()
        return "two"

    assert carried_out(fibres, first, second) == ["one", "two"]
    assert events == ["first asks", "second", "first goes on"]
    assert threads == {threading.get_ident()}


def test_what_is_asked_aside_has_the_context_of_who_asks_and_no_other():
    fibres = Fibres(OwnThread())

    def call(name: str) -> Callable[[], tuple[str, str]]:
        def named() -> tuple[str, str]:
            NAME.set(name)
            told = fibres.aside(lambda: (time.sleep(0.01), NAME.get())[1])
            return told, NAME.get()

        return named

    names = [f"exchange-{n}" for n in range(8)]
    told = carried_out(fibres, *map(call, names))
    assert told == [(name, name) for name in names]
    assert NAME.get() == "nobody"


def test_an_error_comes_back_to_who_asked_and_from_there_to_who_waits():
    fibres, seen = Fibres(OwnThread()), []

    def broken() -> None:
        raise LookupError("the source")

    def call() -> None:
        try:
            fibres.aside(broken)
        except LookupError as error:
            seen.append(str(error))
        raise ValueError("the exchange")

    with pytest.raises(ValueError, match="the exchange"):
        carried_out(fibres, call)
    assert seen == ["the source"]
    assert fibres.taken == 0


def test_a_caller_with_a_thread_of_its_own_waits_with_it():
    fibres = Fibres(OwnThread())
    assert fibres.parked() is None
    assert fibres.aside(threading.get_ident) == threading.get_ident()


def test_who_is_let_go_before_it_waits_does_not_wait():
    fibres = Fibres(OwnThread())

    def call() -> bool:
        place = berth(fibres)
        place.release()
        return place.acquire()

    assert carried_out(fibres, call) == [True]


def test_who_is_not_let_go_in_time_goes_on_and_may_wait_again():
    fibres = Fibres(OwnThread())

    def call() -> list[bool]:
        place = berth(fibres)
        first = place.acquire(timeout=0.01)
        threading.Timer(0.02, place.release).start()
        return [first, place.acquire(timeout=PATIENCE), place.acquire()]

    assert carried_out(fibres, call) == [[False, True, True]]


def test_many_are_let_go_from_any_thread_and_nobody_is_forgotten():
    fibres, places, done = Fibres(OwnThread()), [], threading.Event()

    def call() -> bool:
        place = berth(fibres)
        places.append(place)
        return place.acquire(timeout=PATIENCE)

    def let_go() -> None:
        while not done.is_set() or places:
            if places:
                places.pop().release()

    threads = [threading.Thread(target=let_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert carried_out(fibres, *[call] * 500) == [True] * 500
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_what_is_to_come_afterwards_comes_once_and_after_all_who_can_work():
    fibres, events = Fibres(OwnThread()), []

    def call(name: str) -> Callable[[], None]:
        def work() -> None:
            place = berth(fibres)
            events.append(name)
            place.afterwards(after)
            places.append(place)
            place.acquire(timeout=PATIENCE)

        return work

    def after() -> None:
        events.append("after")
        while places:
            places.pop().release()

    places: list[Parked] = []
    carried_out(fibres, *map(call, "abc"))
    assert events == ["a", "b", "c", "after"]


def test_a_few_go_on_at_a_time_and_the_loop_has_its_turn_between():
    fibres, places, events = Fibres(OwnThread()), [], []

    def call() -> None:
        place = berth(fibres)
        places.append(place)
        if len(places) == 3 * A_FEW:
            for one in places:
                one.release()
            asyncio.get_running_loop().call_soon(look)
        place.acquire(timeout=PATIENCE)
        events.append("fibre")

    def look() -> None:
        events.append("loop")
        if events.count("fibre") < 3 * A_FEW - 1:
            asyncio.get_running_loop().call_soon(look)

    carried_out(fibres, *[call] * (3 * A_FEW))
    told = "".join(event[0] for event in events)
    assert told.count("f") == 3 * A_FEW
    assert "f" * (A_FEW + 2) not in told


def test_no_more_are_under_way_than_may_be():
    fibres, most = Fibres(OwnThread(), at_once=3), []

    def call() -> None:
        most.append(fibres.taken)
        fibres.aside(lambda: time.sleep(0.002))

    carried_out(fibres, *[call] * 12)
    assert max(most) == 3
    assert len(most) == 12


def test_a_caller_that_went_leaves_nothing_behind_and_the_others_go_on():
    fibres, ended, asked = Fibres(OwnThread()), [], threading.Event()

    def call() -> None:
        try:
            fibres.aside(lambda: asked.wait(PATIENCE))
        finally:
            ended.append("went")

    async def gone() -> str:
        waiting = asyncio.ensure_future(fibres.run(call))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        del waiting
        asked.set()
        return await fibres.run(lambda: fibres.aside(lambda: "another"))

    assert uvloop.run(gone()) == "another"
    assert ended == ["went"]
    assert fibres.taken == 0


def test_a_caller_that_went_before_its_turn_never_begins_and_gives_its_room_back():
    fibres, asked, began = Fibres(OwnThread(), at_once=1), threading.Event(), []

    def call() -> None:
        fibres.aside(lambda: asked.wait(PATIENCE))

    async def gone() -> object:
        first = asyncio.ensure_future(
            fibres.run(lambda: fibres.aside(lambda: asked.wait(PATIENCE)))
        )
        await asyncio.sleep(0)
        second, third = (
            asyncio.ensure_future(fibres.run(lambda n=n: began.append(n))) for n in (2, 3)
        )
        await asyncio.sleep(0)
        second.cancel()
        asked.set()
        await first
        await third
        return await fibres.run(lambda: "another")

    assert uvloop.run(gone()) == "another"
    assert began == [3]
    assert fibres.taken == 0


def test_a_caller_that_went_while_all_rest_never_begins(monkeypatch):
    monkeypatch.setattr("gateway.load.fibres.LONGEST_REST", PATIENCE)
    fibres, began = Fibres(OwnThread()), []
    rest, over = threading.Event(), threading.Event()

    def work() -> None:
        with fibres.alone():
            rest.set()
            over.wait(PATIENCE)

    async def gone() -> object:
        waiting = [asyncio.ensure_future(fibres.run(lambda n=n: began.append(n))) for n in (1, 2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        over.set()
        await waiting[1]
        return await fibres.run(lambda: "another")

    worker = threading.Thread(target=work)
    worker.start()
    assert rest.wait(PATIENCE)
    assert uvloop.run(gone()) == "another"
    worker.join()
    assert began == [2]
    assert fibres.taken == 0


def test_a_transfer_that_cannot_begin_leaves_nothing_behind():
    fibres, handle, other = Fibres(OwnThread()), pycurl.Curl(), pycurl.CurlMulti()
    transfers = Transfers(fibres.parked, OwnThread().performing())
    other.add_handle(handle)
    with pytest.raises(pycurl.error):
        carried_out(fibres, lambda: transfers(handle))
    assert transfers._waiting == {}
    other.remove_handle(handle)
    transfers.close()


def test_who_waits_for_a_descriptor_lets_others_work_until_it_is_ready():
    fibres, events = Fibres(OwnThread()), []
    here, there = socket.socketpair()

    def reads() -> bytes:
        events.append("waits")
        assert fibres.ready(here.fileno(), select.POLLIN, PATIENCE) == select.POLLIN
        events.append("reads")
        return here.recv(1)

    def writes() -> None:
        events.append("writes")
        there.send(b"x")

    with here, there:
        assert carried_out(fibres, reads, writes) == [b"x", None]
    assert events == ["waits", "writes", "reads"]


def test_a_descriptor_that_is_not_ready_in_time_is_not_watched_any_more():
    fibres = Fibres(OwnThread())
    here, there = socket.socketpair()

    def call() -> list[int]:
        told = [fibres.ready(here.fileno(), select.POLLIN, 0.01)]
        there.send(b"x")
        loop = asyncio.get_running_loop()
        assert not loop.remove_reader(here.fileno())
        both = select.POLLIN | select.POLLOUT
        return [*told, fibres.ready(here.fileno(), both, PATIENCE)]

    with here, there:
        ((nothing, ready),) = carried_out(fibres, call)
    assert nothing == 0
    assert ready & select.POLLOUT


def test_a_caller_that_goes_while_it_waits_for_a_descriptor_leaves_nobody_watching():
    fibres = Fibres(OwnThread())
    here, there = socket.socketpair()

    async def gone() -> bool:
        ask = (fibres.ready, here.fileno(), select.POLLIN, PATIENCE)
        waiting = asyncio.ensure_future(fibres.run(*ask))
        await asyncio.sleep(0)
        assert fibres.taken == 1
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return not asyncio.get_running_loop().remove_reader(here.fileno())

    with here, there:
        assert uvloop.run(gone())


def test_fibres_rest_while_a_thread_works_for_them_and_not_while_it_waits_for_a_server():
    fibres = Fibres(OwnThread())
    here, there = socket.socketpair()
    with here, there, fibres.alone():
        assert fibres._resting() > 0
        assert fibres.ready(here.fileno(), select.POLLOUT, PATIENCE) == select.POLLOUT
        assert fibres._resting() <= 0
