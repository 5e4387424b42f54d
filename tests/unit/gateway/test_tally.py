"""Tally: every event is counted once, whichever thread saw it, and nobody waits for anybody."""

import threading

from prometheus_client import CollectorRegistry, Counter

from gateway.observing.tally import Buckets, Children, Tally


def figures():
    registry = CollectorRegistry()
    return (
        registry,
        Children(Counter("done", "Done.", ("how",), registry=registry)),
        Children(Buckets("took_seconds", "Took.", ("how",), registry=registry, buckets=(1, 2))),
    )


def test_what_many_threads_count_is_added_up_while_they_go_on():
    registry, done, took = figures()
    tally, ended = Tally(), threading.Event()

    def work():
        for _ in range(2_000):
            tally.count(done["well",])
            tally.time(took["well",], 1.5)

    def look():
        while not ended.is_set():
            tally.settle()

    threads = [threading.Thread(target=work) for _ in range(4)]
    looking = threading.Thread(target=look)
    for thread in (*threads, looking):
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    looking.join()
    tally.settle()
    tally.settle()
    told = {"how": "well"}
    assert registry.get_sample_value("done_total", told) == 8_000
    assert registry.get_sample_value("took_seconds_count", told) == 8_000
    assert registry.get_sample_value("took_seconds_sum", told) == 12_000


def test_a_bucket_holds_what_is_at_most_its_bound():
    registry, _, took = figures()
    tally = Tally()
    for seconds in (0.5, 1, 1.5, 2, 2.5):
        tally.time(took["well",], seconds)
    tally.settle()
    held = [
        registry.get_sample_value("took_seconds_bucket", {"how": "well", "le": bound})
        for bound in ("1.0", "2.0", "+Inf")
    ]
    assert held == [2, 4, 5]


def test_nothing_is_told_before_it_is_added_up():
    registry, done, _ = figures()
    tally = Tally()
    tally.count(done["well",], 3)
    assert registry.get_sample_value("done_total", {"how": "well"}) == 0
    tally.settle()
    assert registry.get_sample_value("done_total", {"how": "well"}) == 3
