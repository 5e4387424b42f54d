"""Opening: a database that is not what it was does not serve, and says what was found."""

import json
import shutil
import sqlite3
import threading
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Signer
from audit.guard import GuardUnreadable
from audit.guard_directory import DirectoryGuard
from audit.merkle import EMPTY
from audit.model import BadLedger, Limits, Tree
from kernel.entry import EntryType
from kernel.errors import Reason, Refusal
from tests.contract import ledger_stage as stage

WITHDRAWN = EntryType.CONSENT_WITHDRAWN


@pytest.fixture
def site(place):
    """A log of eleven entries, closed, with one restriction at index 5."""
    site = stage.Stage(place)
    with site.open() as log:
        for n in range(1, 11):
            if n == 5:
                entry = stage.consent(WITHDRAWN, "co_1", stage.person(1), restricts=True)
            else:
                entry = stage.decision(f"ex_{n}", stage.person(n))
            log.ledger.append(entry)
    return site


def journal(site) -> list[dict]:
    path = site.guard / "restrictions.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_an_untouched_log_opens_again_and_goes_on(site):
    with site.open() as log:
        assert log.ledger.append(stage.decision("ex_11")).index == 11


@pytest.mark.parametrize(
    ("statement", "value", "words"),
    [
        ('DELETE FROM ledger_leaf WHERE "index" = ?', 10, "state row says 11 entries"),
        ('DELETE FROM ledger_leaf WHERE "index" = ?', 4, "gone"),
        ("DELETE FROM ledger_state WHERE shard = ?", 1, "no state row"),
        ("UPDATE ledger_state SET size = ?", 10, "state row says 10 entries"),
        ("UPDATE ledger_state SET root = ?", bytes(32), "root in the state row"),
        ("UPDATE ledger_state SET edge = ?", bytes(96), "edge in the state row"),
        ("UPDATE ledger_state SET origin = ?", "elsewhere.example", "elsewhere.example"),
        ('UPDATE ledger_leaf SET leaf = ? WHERE "index" = 3', b"{}", "entry 3"),
        ('UPDATE ledger_leaf SET hash = ? WHERE "index" = 3', bytes(32), "do not lead"),
    ],
)
def test_a_changed_database_does_not_open_and_the_message_says_what_was_found(
    site, statement, value, words
):
    assert site.change(statement, value) == 1
    with pytest.raises(BadLedger, match=words):
        site.open()


def test_a_database_restored_from_an_older_copy_does_not_open(place):
    site = stage.Stage(place)
    with site.open() as log:
        log.ledger.append(stage.decision("ex_1"))
    yesterday = site.rows()
    with site.open() as log:
        log.ledger.append(stage.decision("ex_2"))
    site.restore(yesterday)
    with pytest.raises(BadLedger, match="older copy"):
        site.open()


def test_a_rewritten_history_of_the_same_length_does_not_open(tmp_path):
    site = stage.Stage(tmp_path / "real")
    other = stage.Stage(tmp_path / "fork")
    for each in (site, other):
        each.directory.mkdir()
        with each.open() as log:
            log.ledger.append(stage.decision("ex_1"))
    shutil.copy(other.path, site.path)
    with pytest.raises(BadLedger, match="history was rewritten"):
        site.open()


def test_without_its_guard_a_log_with_entries_does_not_open(site):
    shutil.rmtree(site.guard)
    with pytest.raises(GuardUnreadable, match="cannot be read"):
        site.open()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"x" * 9000])
def test_with_a_garbled_head_in_the_guard_it_does_not_open(site, content):
    (site.guard / "head").write_bytes(content)
    with pytest.raises(GuardUnreadable):
        site.open()


def test_a_guard_signed_by_another_key_is_not_ours(site):
    other = Signer(stage.ORIGIN, Ed25519PrivateKey.generate())
    (site.guard / "head").write_text(other.sign(Tree(0, EMPTY)), encoding="utf-8")
    with pytest.raises(GuardUnreadable, match="another key"):
        site.open()


def test_a_restriction_is_in_the_journal_before_it_is_acknowledged(site):
    (line,) = journal(site)
    assert line["index"] == 5
    assert line["header"]["type"] == "consent.withdrawn"
    assert line["header"]["consent"] == "co_1"
    assert "RN-" not in json.dumps(line)


def test_a_restriction_that_a_crash_kept_from_the_journal_is_added_on_opening(site):
    whole = (site.guard / "restrictions.jsonl").read_bytes()
    (site.guard / "restrictions.jsonl").unlink()
    with site.open():
        assert (site.guard / "restrictions.jsonl").read_bytes() == whole


def test_a_torn_line_at_the_journals_end_is_cut_off_and_written_again(site):
    path = site.guard / "restrictions.jsonl"
    whole = path.read_bytes()
    for torn in (whole[:-1], whole[:20], whole + b'{"ind'):
        path.write_bytes(torn)
        with site.open():
            assert path.read_bytes() == whole


def test_a_journal_that_knows_more_than_the_database_keeps_it_shut(site):
    line = {"header": {}, "index": 99, "leaf": b64encode(b"x" * 32).decode()}
    with (site.guard / "restrictions.jsonl").open("ab") as file:
        file.write(json.dumps(line).encode() + b"\n")
    with pytest.raises(BadLedger, match="restriction at index 99"):
        site.open()


def test_a_journal_that_knows_another_entry_there_keeps_it_shut(site):
    path = site.guard / "restrictions.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"index":5', b'"index":6'))
    with pytest.raises(BadLedger, match="entry 6 is not the restriction"):
        site.open()


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b'{"index":"5"}\n', b"\n"])
def test_a_damaged_journal_keeps_it_shut(site, line):
    (site.guard / "restrictions.jsonl").write_bytes(line)
    with pytest.raises(GuardUnreadable, match="damaged"):
        site.open()


def test_a_restriction_is_not_acknowledged_when_the_guard_cannot_take_it(site, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("no space left")

    with site.open() as log:
        with monkeypatch.context() as patch:
            patch.setattr(DirectoryGuard, "restrict", fail)
            with pytest.raises(Refusal) as refusal:
                log.ledger.append(stage.consent(WITHDRAWN, "co_2", restricts=True))
            assert refusal.value.reason is Reason.LEDGER_UNAVAILABLE
        log.ledger.append(stage.decision("ex_12"))  # checks everything, and writes what was missing
        assert [line["header"]["consent"] for line in journal(site)] == ["co_1", "co_2"]


def test_the_guards_head_is_no_older_than_its_age_and_current_after_closing(tmp_path):
    site = stage.Stage(tmp_path, limits=Limits(patience=30.0, head_age=0.05))
    with site.open() as log:
        log.ledger.append(stage.decision("ex_1"))
        guard = DirectoryGuard(site.guard, site.keys.signer)
        while guard.head().size < 2:
            threading.Event().wait(0.01)
        log.ledger.append(stage.decision("ex_2"))
    assert guard.head().size == 3


def test_a_kill_before_the_first_entry_leaves_a_log_that_opens(place):
    site = stage.Stage(place)
    site.database().close(stage.Deadline.within(10, site.clock))  # killed after the schema
    DirectoryGuard(site.guard, site.keys.signer).keep(
        site.keys.signer.sign(Tree(0, EMPTY))
    )  # and here
    with site.open() as log:
        assert log.ledger.entry(0)["type"] == "log.opened"


def test_an_empty_database_beside_a_guard_that_knows_entries_does_not_open(site):
    site.restore({table: [] for table in site.rows()})
    with pytest.raises(BadLedger, match="was signed, but the database has only 0"):
        site.open()


def test_a_database_exchanged_under_a_running_ledger_stops_it(tmp_path):
    site = stage.Stage(tmp_path)
    with site.open() as log:
        log.ledger.append(stage.decision("ex_1"))
        copy = tmp_path / "copy.db"
        with sqlite3.connect(copy) as connection:
            log.database.read().backup(connection)
        connection.close()
        log.ledger.append(stage.decision("ex_2"))
        for left in ("-wal", "-shm"):
            site.path.with_name(site.path.name + left).unlink()
        copy.replace(site.path)
        for _ in range(2):
            with pytest.raises(Refusal) as refusal:
                log.ledger.append(stage.decision("ex_3"))
            assert refusal.value.reason is Reason.LEDGER_UNAVAILABLE
        assert "older copy" in log.ledger.fault


def test_entries_that_another_writer_falsified_stop_the_ledger(place):
    site = stage.Stage(place)
    with site.open() as log:
        log.ledger.append(stage.decision("ex_1"))
        with site.open() as two:
            two.ledger.append(stage.decision("ex_2"))
            site.change('UPDATE ledger_leaf SET hash = ? WHERE "index" = 2', bytes(32))
        with pytest.raises(Refusal):
            log.ledger.append(stage.decision("ex_3"))
        assert "do not lead to the root" in log.ledger.fault


def test_a_writer_that_lags_far_behind_catches_up(place, monkeypatch):
    from audit import opening

    monkeypatch.setattr(opening, "_FOLLOWED", 3)
    site = stage.Stage(place)
    with site.open() as one, site.open() as two:
        for n in range(9):
            two.ledger.append(stage.decision(f"ex_{n}"))
        assert one.ledger.append(stage.decision("ex_9")).index == 10


def test_whoever_looks_after_the_head_rests_between_two_looks(tmp_path):
    site = stage.Stage(tmp_path, limits=Limits(patience=30.0, head_age=0.0))
    with site.open() as log:
        log.ledger.append(stage.decision("ex_1"))
        assert log.ledger._pause() > 0
        assert DirectoryGuard(site.guard, site.keys.signer).head().size == 2
