"""No more work at once than there are turns; who steps aside holds none."""

import threading

import pytest

from gateway.load.turns import Turns


def test_no_more_work_at_once_than_may():
    turns, mutex, working, most = Turns(3), threading.Lock(), [], []

    def work() -> None:
        for _ in range(50):
            with turns.working():
                with mutex:
                    working.append(1)
                    most.append(len(working))
                turns.aside(lambda: None)
                with mutex:
                    working.pop()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert turns._free.qsize() == 3
    assert working == []
    assert max(most) >= 1


def test_who_steps_aside_lets_another_work():
    turns, seen = Turns(1), threading.Event()

    def other() -> None:
        with turns.working():
            seen.set()

    thread = threading.Thread(target=other)
    with turns.working():
        thread.start()
        assert not seen.wait(0.05)
        assert turns.aside(lambda: seen.wait(120))
    thread.join()


def test_a_turn_comes_back_whatever_happens():
    def broken() -> None:
        raise ValueError("broken")

    turns = Turns(1)
    with pytest.raises(ValueError, match="broken"), turns.working():
        turns.aside(broken)
    assert turns._free.qsize() == 1


def test_a_thread_without_a_turn_steps_aside_from_none():
    turns = Turns(1)
    assert turns.aside(turns._free.qsize) == 1
    assert turns._free.qsize() == 1
