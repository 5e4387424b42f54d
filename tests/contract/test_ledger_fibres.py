"""Callers without threads of their own, and the thread that writes for them."""

import threading

import pytest

from audit.model import Limits
from gateway.load.fibres import Fibres
from kernel.clock import Deadline
from kernel.errors import Reason, Refusal
from kernel.waits import OwnThread
from tests.contract import ledger_stage as stage
from tests.fibred import carried_out

PATIENCE = 120.0


def soon(site: stage.Stage) -> Deadline:
    return Deadline.within(20, site.clock)


def until_it_serves(log: stage.Opened) -> None:
    patience = Deadline.within(PATIENCE, log.clock)
    while log.ledger.fault is not None:
        assert patience.left(), log.ledger.fault
        threading.Event().wait(0.01)


def test_entries_of_many_fibres_share_batches_with_those_of_threads(place):
    fibres = Fibres(OwnThread())
    site = stage.Stage(place, limits=Limits(patience=PATIENCE, waits=fibres))
    with site.open() as log:
        turns = []
        log.ledger.watch(lambda turn: turns.append(len(turn.entries)))

        def append(name: str) -> int:
            return log.ledger.append(stage.decision(f"ex_{name}")).index

        threads = [threading.Thread(target=append, args=(f"thread-{n}",)) for n in range(8)]
        calls = [lambda n=n: append(f"fibre-{n}") for n in range(64)]
        for thread in threads:
            thread.start()
        told = carried_out(fibres, *calls)
        for thread in threads:
            thread.join()
        assert len(set(told)) == 64
        assert log.ledger.size == 73
        assert sum(turns) == 72
        assert max(turns) > 8
        for n, index in enumerate(told):
            assert log.ledger.entry(index)["exchange"] == f"ex_fibre-{n}"
    assert not log.ledger._keeper.is_alive()


def test_a_fibre_whose_entry_does_not_come_to_the_disk_in_time_is_refused(tmp_path):
    fibres = Fibres(OwnThread())
    site = stage.Stage(tmp_path, limits=Limits(patience=1.0, waits=fibres))
    with site.open() as log:
        other = site.database()
        with other.sequence(soon(site)), pytest.raises(Refusal) as refused:
            carried_out(fibres, lambda: log.ledger.append(stage.decision("ex_1")))
        assert refused.value.reason is Reason.LEDGER_UNAVAILABLE
        other.close(soon(site))
        until_it_serves(log)
        assert carried_out(fibres, lambda: log.ledger.append(stage.decision("ex_2")).index) == [1]


def test_a_ledger_that_is_closed_writes_for_every_fibre_that_stands_in_line(tmp_path):
    fibres = Fibres(OwnThread())
    log = stage.Stage(tmp_path, limits=Limits(patience=PATIENCE, waits=fibres)).open()

    def append(n: int) -> int:
        return log.ledger.append(stage.decision(f"ex_{n}")).index

    # The last one closes it before the loop has come to hand the lead over.
    told = carried_out(fibres, *[lambda n=n: append(n) for n in range(40)], log.ledger.close)
    assert sorted(told[:-1]) == list(range(1, 41))
    log.close()


def test_a_ledger_that_is_closed_answers_every_fibre_first(tmp_path):
    fibres = Fibres(OwnThread())
    log = stage.Stage(tmp_path, limits=Limits(patience=PATIENCE, waits=fibres)).open()
    closer = threading.Thread(target=log.ledger.close)

    def append(n: int) -> Reason | None:
        if n == 20:
            closer.start()
        try:
            log.ledger.append(stage.decision(f"ex_{n}"))
        except Refusal as refusal:
            return refusal.reason
        return None

    told = carried_out(fibres, *[lambda n=n: append(n) for n in range(40)])
    closer.join()
    assert set(told) <= {None, Reason.LEDGER_UNAVAILABLE}
    assert log.ledger.size == 1 + told.count(None)
    log.close()
