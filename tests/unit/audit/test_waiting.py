"""A job in line is written or refused, never both, and its caller always gets an answer."""

import threading
from queue import Empty

import pytest

from audit import leaf
from audit.waiting import Job, Queue
from kernel.chance import SystemChance
from kernel.errors import Reason, Refusal
from tests.contract import ledger_stage as stage


def waited(job: Job, seconds: float = 0.01) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        job.wait(seconds)
    assert refusal.value.reason is Reason.LEDGER_UNAVAILABLE
    return refusal.value


def test_a_caller_out_of_patience_takes_its_job_back():
    job = Job(None)
    assert "in time" in waited(job).detail
    assert not job.claim()


def test_a_job_that_is_being_written_is_waited_for_a_second_time_and_then_unknown():
    job = Job(None)
    assert job.claim()
    assert "disk" in waited(job).detail


def test_a_job_that_is_settled_in_the_second_wait_is_answered():
    job = Job(None)
    assert job.claim()
    job.error = ValueError("its own")
    threading.Timer(0.05, job.settle).start()
    with pytest.raises(ValueError, match="its own"):
        job.wait(0.03)


def test_a_job_whose_batch_was_given_up_is_refused():
    job = Job(None)
    job.settle()
    assert "given up" in waited(job).detail
    with pytest.raises(Refusal):
        job.placed(None)


def test_the_line_is_bounded_and_its_end_is_kept_behind_those_who_wait():
    line = Queue(2)
    jobs = [Job(None), Job(None)]
    for job in jobs:
        line.put(job)
    with pytest.raises(Refusal):
        line.put(Job(None))
    line.end()
    assert line.first(0.01) is jobs[0]
    assert list(line.more(10)) == [jobs[1]]
    assert line.first(0.01) is None
    with pytest.raises(Empty):
        line.first(0.01)


def test_more_takes_no_more_than_asked_for():
    line = Queue(10)
    for _ in range(5):
        line.put(Job(None))
    assert len(list(line.more(3))) == 3
    assert len(list(line.more(3))) == 2


def test_a_draft_shows_nothing_of_what_it_discloses():
    drafted = leaf.draft(stage.decision("ex_1", stage.person(1)), SystemChance())
    assert repr(drafted) == "<draft of exchange.decision>"
