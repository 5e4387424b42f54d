"""A few of a thing for many callers: each is lent to one at a time, and always comes back."""

import threading
import time

import pytest

from kernel.clock import Deadline, SystemClock
from kernel.pool import Pool
from kernel.waits import OwnThread


def soon(seconds: float = 30) -> Deadline:
    return Deadline.within(seconds, SystemClock())


def made(most: int) -> Pool[object]:
    return Pool(object, most, OwnThread())


def test_what_was_used_last_is_lent_first_and_no_more_are_made_than_are_needed():
    pool = made(3)
    with pool.lent(soon()) as one, pool.lent(soon()) as other:
        assert one is not other
    for _ in range(4):
        with pool.lent(soon()) as again:
            assert again is one
    assert len(pool.free()) == 2


def test_who_finds_none_free_is_told_in_time():
    pool = made(1)
    with pool.lent(soon()) as one, pytest.raises(TimeoutError), pool.lent(soon(0.02)):
        pass
    with pool.lent(soon(0)) as again:
        assert again is one


def test_whatever_happens_to_a_caller_what_it_was_lent_comes_back():
    pool = made(1)
    for error in (ValueError, KeyboardInterrupt, GeneratorExit):
        with pytest.raises(error), pool.lent(soon(0)):
            raise error
    assert len(pool.free()) == 1


def test_what_is_taken_out_for_good_makes_room_for_others():
    pool = made(1)
    with pool.lent(soon()) as one:
        assert pool.free() == []
    assert pool.free() == [one]
    with pool.lent(soon(0)) as other:
        assert other is not one


def test_those_who_wait_are_served_in_the_order_in_which_they_asked():
    pool, served, threads = made(1), [], []

    def ask(n: int) -> None:
        with pool.lent(soon()):
            served.append(n)

    with pool.lent(soon()):
        for n in range(8):
            threads.append(threading.Thread(target=ask, args=(n,)))
            threads[-1].start()
            while len(pool._line) <= n:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert served == list(range(8))
    assert len(pool.free()) == 1
