"""A job in line is written or refused, never both, and somebody always writes for who waits."""

import threading

import pytest

from audit import leaf
from audit.waiting import Job, Line, settle
from kernel.chance import SystemChance
from kernel.errors import Reason, Refusal
from tests.contract import ledger_stage as stage


def waited(job: Job, seconds: float = 0.01) -> Refusal:
    def answered() -> None:
        job.wait(seconds)
        job.answer()

    with pytest.raises(Refusal) as refusal:
        answered()
    assert refusal.value.reason is Reason.LEDGER_UNAVAILABLE
    return refusal.value


def opened(most: int = 10) -> Line:
    line = Line(most)
    line.shut = None
    return line


def entered(line: Line, job: Job) -> tuple[threading.Thread, list[bool]]:
    """Let another thread enter; return when it stands in line."""
    before, leads = line._line.qsize(), []
    thread = threading.Thread(target=lambda: leads.append(line.enter(job, 10)))
    thread.start()
    while line._line.qsize() == before:
        threading.Event().wait(0.001)
    return thread, leads


def test_a_caller_out_of_patience_takes_its_job_back():
    job = Job(None)
    assert "in time" in waited(job).detail
    assert not job.claim()


def test_a_job_that_is_being_written_is_waited_for_a_second_time_and_then_unknown():
    job = Job(None)
    assert job.claim()
    assert "disk" in waited(job).detail


class Late:
    """Where a caller waits who is let go only while it waits a second time."""

    def __init__(self) -> None:
        self.job = Job(None, parked=self)
        self.waits, self.free = 0, False

    def acquire(self, *, timeout: float = -1) -> bool:
        self.waits += 1
        if self.waits == 2:
            self.job.settle()
        return self.free

    def release(self) -> None:
        self.free = True


def test_a_job_that_is_settled_in_the_second_wait_is_answered():
    job = Late().job
    assert job.claim()
    job.error = ValueError("its own")
    job.wait(0.01)
    with pytest.raises(ValueError, match="its own"):
        job.answer()


def test_a_job_whose_batch_was_given_up_is_refused():
    job = Job(None)
    job.settle()
    assert "given up" in waited(job).detail
    with pytest.raises(Refusal):
        job.placed(None)


def test_who_finds_nobody_writing_leads_at_once():
    line, job = opened(most=0), Job(None)
    assert line.enter(job, 0.01)
    assert job.leads
    assert not job.claim()


def test_who_comes_while_another_writes_is_written_by_that_one():
    line, second = opened(), Job(None)
    assert line.enter(Job(None), 0.01)
    thread, leads = entered(line, second)
    assert list(line.more(10)) == [second]
    second.settle()
    line.leave()
    thread.join()
    assert leads == [False]
    assert line.take()


def test_the_lead_goes_to_the_first_who_still_waits():
    line = opened()
    jobs = [Job(None) for _ in range(3)]
    assert line.enter(Job(None), 0.01)
    threads = [entered(line, job) for job in jobs]
    assert jobs[0].claim()  # out of patience
    line.leave()
    threads[1][0].join()
    assert threads[1][1] == [True]
    assert jobs[1].leads
    assert not line.take()
    assert list(line.more(10)) == [jobs[2]]
    for job in (jobs[0], jobs[2]):
        job.settle()
    for thread, _ in threads:
        thread.join()


def test_the_line_is_bounded_and_more_takes_no_more_than_asked_for():
    line = opened(most=3)
    assert line.take()
    threads = [entered(line, Job(None)) for _ in range(3)]
    with pytest.raises(Refusal) as refusal:
        line.enter(Job(None), 10)
    assert "too many" in refusal.value.detail
    taken = list(line.more(2))
    assert len(taken) == 2
    taken += line.more(2)
    assert len(taken) == 3
    for job in taken:
        job.settle()
    for thread, _ in threads:
        thread.join()


def test_nobody_enters_a_line_that_is_shut_and_who_was_on_the_way_in_turns_back_at_once():
    line, job = opened(), Job(None)
    assert line.take()
    line.shut = "it is closed"
    with pytest.raises(Refusal) as refusal:
        line.enter(Job(None), 10)
    assert "closed" in refusal.value.detail
    line.shut = None
    put = line._put

    def late(job: Job) -> None:
        put(job)
        line.shut = "it is closed"

    line._put = late
    with pytest.raises(Refusal) as refusal:
        line.enter(job, 10)
    assert "closed" in refusal.value.detail
    assert not job.claim()


def test_whoever_enters_is_written_though_nobody_but_they_themselves_write():
    line, written = opened(most=100), []

    def append() -> None:
        job = Job(None)
        if line.enter(job, 20):
            jobs = [job] if job.leads else []
            jobs += line.more(100)
            written.extend(jobs)
            for one in jobs:
                one.settle()
            line.leave()

    threads = [threading.Thread(target=lambda: [append() for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(written) == len(set(written)) == 1600
    assert line.take()


def test_a_draft_shows_nothing_of_what_it_discloses():
    drafted = leaf.draft(stage.decision("ex_1", stage.person(1)), SystemChance())
    assert repr(drafted) == "<draft of exchange.decision>"


def test_every_caller_of_a_batch_is_let_go_also_behind_one_who_went():
    jobs = [Job(None) for _ in range(9)]
    assert all(job.claim() for job in jobs)
    gone, stay = jobs[::4], [job for job in jobs if job not in jobs[::4]]
    for job in gone:
        waited(job)
    heard = [threading.Thread(target=job.wait, args=(60,)) for job in stay]
    for thread in heard:
        thread.start()
    settle(jobs)
    for thread in heard:
        thread.join(120)
    assert not any(thread.is_alive() for thread in heard)


def test_a_caller_that_goes_while_it_is_let_go_still_lets_go_of_those_after():
    first, second = Job(None), Job(None)
    assert first.claim()
    assert second.claim()
    first.after = second
    assert first._here.acquire(blocking=False)  # as `settle` does before anything else
    threading.Timer(0.1, first._done.release).start()
    first.wait(0.01)
    second.wait(0)


def test_who_wrote_is_not_woken_and_breaks_no_row():
    own, others = Job(None), [Job(None) for _ in range(4)]
    own.leads = own.claim()
    settle([own, *others])
    for job in others:
        job.wait(0)
    assert own._done.locked()
