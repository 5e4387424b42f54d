"""The sweep ends what a crash left open, once, after nobody can wait for it any more."""

import json
import shutil

import pytest

from audit import verify
from audit.export import export
from audit.person import activity
from audit.verify_source import Directory
from gateway.recovery.sweep import TOTAL_DEADLINE, Sweep
from gateway.rooms import opened
from kernel.clock import SECOND, Micros, SystemClock
from kernel.errors import Reason, Refusal
from tests.faults import worker


class Crash(BaseException):
    """Ends a request as a kill would: nothing of it runs any more."""


class Ahead(SystemClock):
    """A clock that is some seconds ahead."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def now(self) -> Micros:
        return Micros(super().now() + self._seconds * SECOND)


class Meanwhile:
    """A ledger before whose next append something else happens."""

    def __init__(self, ledger, happens) -> None:
        self._ledger = ledger
        self._happens = happens

    def append(self, *entry):
        self._happens()
        return self._ledger.append(*entry)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    state = tmp_path_factory.mktemp("sweep") / "state"
    worker.prepare(state)
    return state


@pytest.fixture
def rooms(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "state")
    with opened(worker.settings(tmp_path / "state")) as held:
        yield held


@pytest.fixture
def lines():
    return []


@pytest.fixture
def desk(rooms, lines):
    return worker.Desk(rooms, lambda **line: lines.append(line))


def crash():
    raise Crash


def left_open(desk) -> str:
    """Return the exchange that a crash during the source's answer leaves open."""
    with pytest.raises(Crash):
        desk.ask(3, meanwhile=crash)
    (row,) = exchanges(desk.rooms)
    assert row["state"] == "open"
    return row["id"]


def exchanges(rooms):
    return rooms.database.read().execute("SELECT * FROM exchange").fetchall()


def leaves(rooms):
    rows = rooms.database.read().execute('SELECT leaf FROM ledger_leaf ORDER BY "index"')
    return [json.loads(row[0]) for row in rows.fetchall()]


def sweep(rooms, seconds=TOTAL_DEADLINE + 1, ledger=None):
    return Sweep(rooms.database, ledger or rooms.ledger, rooms.pseudonyms.open, Ahead(seconds))()


def test_an_exchange_that_a_crash_left_open_is_ended_after_the_total_deadline(rooms, desk):
    exchange = left_open(desk)
    assert sweep(rooms, TOTAL_DEADLINE - 5) == 0
    assert sweep(rooms) == 1
    (row,) = exchanges(rooms)
    decision, refusal = leaves(rooms)[-2:]
    assert (row["state"], row["closing"]) == ("refused", row["decision"] + 1)
    assert (row["person"], row["identifier"], row["receipt"]) == (None, None, None)
    assert refusal["type"] == "exchange.refusal"
    assert refusal["exchange"] == exchange
    same = decision.keys() - {"_sd", "decision", "time", "type"}
    assert {name: refusal[name] for name in same} == {name: decision[name] for name in same}
    assert "decision" not in refusal


def test_it_is_ended_once_and_the_ledger_verifies(rooms, desk, tmp_path):
    left_open(desk)
    assert [sweep(rooms), sweep(rooms)] == [1, 0]
    export(rooms.database.read(), tmp_path / "out", rooms.signer)
    verify.verify(Directory(tmp_path / "out"), verify.Question(rooms.signer.vkey), lambda _: None)


def test_the_person_sees_that_nothing_came_of_it(rooms, desk):
    left_open(desk)
    sweep(rooms)
    ref = rooms.pseudonyms.ref(worker.subject(3))
    *_, last = activity(rooms.database.read(), rooms.root, ref)
    assert last.header["type"] == "exchange.refusal"
    assert last.disclosures["response"] == {"reason": Reason.INTERNAL, "exact": None}
    assert last.disclosures["actor"] == {"client": worker.CLIENT, "user": None}


def test_an_answer_that_comes_after_the_sweep_is_not_released(rooms, desk, lines):
    desk.ask(3, meanwhile=lambda: sweep(rooms))
    assert lines[-1]["refused"] == Reason.SOURCE_TIMEOUT
    (row,) = exchanges(rooms)
    assert row["state"] == "refused"
    kinds = [leaf["type"] for leaf in leaves(rooms) if leaf.get("exchange") == row["id"]]
    assert kinds == ["exchange.decision", "exchange.refusal"]


def test_an_exchange_that_ends_while_it_sweeps_is_left_alone(rooms, desk):
    left_open(desk)
    size = len(leaves(rooms))
    other = Meanwhile(rooms.ledger, lambda: sweep(rooms))
    assert sweep(rooms, ledger=other) == 0
    assert len(leaves(rooms)) == size + 1


def test_a_ledger_that_does_not_serve_stops_the_sweep_until_the_next_round(rooms, desk):
    def unavailable():
        raise Refusal(Reason.LEDGER_UNAVAILABLE, "Not now.")

    left_open(desk)
    with pytest.raises(Refusal):
        sweep(rooms, ledger=Meanwhile(rooms.ledger, unavailable))
    assert sweep(rooms) == 1
