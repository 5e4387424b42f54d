"""Recovery: a lost end is said and signed, its restrictions come first, and no fork is signed."""

import json
from base64 import b64decode
from dataclasses import replace

import pytest

from audit import store, verify
from audit.disclosures import Unreadable
from audit.evidence import evidence
from audit.export import export, write
from audit.guard import GuardUnreadable, Restriction
from audit.guard_directory import DirectoryGuard
from audit.journal import unsealed
from audit.model import BadLedger, Tree
from audit.person import activity, one, recovered
from audit.verify_evidence import verify as verify_evidence
from audit.verify_source import Directory
from kernel.clock import Deadline, SystemClock
from kernel.database import open_database
from kernel.entry import EntryType
from kernel.errors import Refusal
from tests.contract import ledger_stage as stage
from tests.contract.recovering import Lost

WITHDRAWN = EntryType.CONSENT_WITHDRAWN
AGAIN = "gateway.example/audit/2"


def withdrawal(name: str, n: int = 1):
    return stage.consent(WITHDRAWN, name, stage.person(n), restricts=True)


def entries(log, start: int, end: int) -> None:
    for n in range(start, end):
        log.ledger.append(stage.decision(f"ex_{n}", stage.person(1)))


@pytest.fixture
def fresh(place):
    """A log that has no entry yet, on each of the databases."""
    return Lost(stage.Stage(place))


@pytest.fixture
def lost(fresh):
    """A log of nine entries whose database is a copy of when there were four; entry 2 is a
    restriction that both know, entries 5 and 7 two that only the guard knows."""
    lost = fresh
    with lost.site.open() as log:
        entries(log, 1, 2)
        log.ledger.append(withdrawal("co_early", 2))
        entries(log, 3, 4)
    lost.keep()
    with lost.site.open() as log:
        entries(log, 4, 5)
        log.ledger.append(withdrawal("co_1"))
        log.ledger.append(stage.activated())
        log.ledger.append(withdrawal("co_2", 3))
        entries(log, 8, 9)
    lost.restore()
    return lost


def full(*_: object) -> None:
    raise OSError("no space left")


def types(log) -> list[str]:
    return [str(log.ledger.entry(n)["type"]) for n in range(log.ledger.size)]


def test_what_was_lost_is_named_and_looking_changes_nothing(lost):
    before = lost.journal
    loss = lost.examine()
    assert (loss.head.size, loss.end) == (4, 9)
    assert [line.index for line in loss.restrictions] == [5, 7]
    assert lost.journal == before
    with pytest.raises(BadLedger, match="older copy"):
        lost.site.open()


def test_the_log_goes_on_under_the_next_origin_with_the_lost_restrictions_first(lost):
    lost.recover()
    with lost.site.open() as log:
        assert types(log)[4:] == ["log.recovered", "consent.withdrawn", "consent.withdrawn"]
        assert log.ledger.entry(5)["consent"] == "co_1"
        assert log.ledger.signer.name == AGAIN
        assert log.ledger.append(stage.decision("ex_new", stage.person(1))).origin == AGAIN


def test_the_entry_holds_the_signed_checkpoint_of_what_was_lost_and_all_of_it_verifies(
    lost, tmp_path
):
    old = lost.guard.signed()[1]
    lost.recover()
    with lost.site.open() as log:
        said = log.ledger.entry(4)
        assert (said["previous"], said["kept"], said["size"]) == (stage.ORIGIN, "4", "9")
        assert str(said["signature"]) in old
        export(log.database.read(), tmp_path / "out", log.ledger.signer)
        question = verify.Question(log.ledger.signer.vkey)
    assert verify.verify(Directory(tmp_path / "out"), question, print).size == 7


@pytest.mark.parametrize(
    ("member", "value"),
    [("size", "8"), ("root", "A" * 42 + "E="), ("kept", "3"), ("previous", "other.example/audit")],
)
def test_a_recovery_that_says_otherwise_than_what_was_signed_is_bad(lost, tmp_path, member, value):
    lost.recover()
    with lost.site.open() as log:
        said = [log.ledger.entry(n) for n in range(log.ledger.size)]
        said[4] = {**said[4], member: value}
        texts = [json.dumps(one, sort_keys=True, separators=(",", ":")).encode() for one in said]
        write(texts, tmp_path / "forged", log.ledger.signer)
        question = verify.Question(log.ledger.signer.vkey)
    with pytest.raises(verify.Bad) as bad:
        verify.verify(Directory(tmp_path / "forged"), question, print)
    assert bad.value.index == 4


def test_the_restrictions_tell_whom_they_are_about_only_under_the_root_key(lost):
    lines = [Restriction.of_line(line) for line in lost.journal.splitlines()]
    said = unsealed(lost.site.keys.root, lines[1])
    assert [one.subject.value for one in said.people] == ["RN-0000001"]
    assert said.disclosures == {"actor": {"method": "counter"}}
    assert b"RN-" not in lost.journal
    assert stage.person(1).ref.encode() not in b64decode(
        json.loads(lost.journal.splitlines()[1])["sealed"]
    )


def test_a_line_of_the_journal_opens_at_its_own_place_alone(lost):
    line = Restriction.of_line(lost.journal.splitlines()[1])
    for elsewhere in (replace(line, index=6), replace(line, origin=AGAIN)):
        with pytest.raises(Unreadable):
            unsealed(lost.site.keys.root, elsewhere)


def test_the_control_epoch_comes_after_every_one_of_the_lost_timeline(lost):
    lost.recover()
    with lost.site.open() as log:
        assert store.head(log.database.read()).epoch > 9


def test_a_persons_list_goes_on_gapless_over_the_recovery(lost):
    lost.recover()
    person = stage.person(1)
    with lost.site.open() as log:
        assert recovered(log.database.read()) == log.ledger.entry(4)["time"]
        log.ledger.append(stage.decision("ex_new", person))
        seen = list(activity(log.database.read(), lost.site.keys.root, person.ref))
        assert [each.number for each in seen] == list(range(1, len(seen) + 1))
        assert [each.index for each in seen] == [1, 3, 5, 7]
        places = [each.disclosures["subject"]["log"]["origin"] for each in seen]
        assert places == [stage.ORIGIN, stage.ORIGIN, AGAIN, AGAIN]


@pytest.mark.parametrize("number", [1, 3])
def test_evidence_of_before_and_after_the_recovery_verifies_under_the_key_of_now(lost, number):
    lost.recover()
    with lost.site.open() as log:
        shown = one(log.database.read(), lost.site.keys.root, stage.person(1).ref, number)
        file = evidence(shown, log.ledger.proof(shown.index), log.ledger.signer.vkey)
        assert verify_evidence(file, log.ledger.signer.vkey).number == number


def test_between_the_commit_and_the_guard_nothing_opens_and_the_recovery_goes_on(lost):
    lost.write()
    with pytest.raises(BadLedger, match="begun and not ended"):
        lost.site.open()
    assert lost.examine().written
    lost.finish()
    with lost.site.open() as log:
        assert log.ledger.append(stage.decision("ex_new")).index == 7


def test_a_crash_between_the_guards_journal_and_its_head_writes_no_line_twice(lost, monkeypatch):
    lost.write()
    with monkeypatch.context() as patch:
        patch.setattr(
            DirectoryGuard, "keep", lambda *_: (_ for _ in ()).throw(OSError("no space left"))
        )
        with pytest.raises(OSError, match="no space"):
            lost.finish()
    written = lost.journal
    with pytest.raises(BadLedger, match="begun and not ended"):
        lost.site.open()
    lost.finish()
    assert lost.journal == written
    with lost.site.open() as log:
        assert types(log)[4] == "log.recovered"


def test_while_the_guard_follows_nobody_else_has_the_right_to_write(lost, monkeypatch):
    others = []
    restrict = DirectoryGuard.restrict

    def watched(*arguments: object) -> None:
        other = open_database(lost.site.url)
        with pytest.raises(TimeoutError), other.sequence(Deadline.within(0.5, SystemClock())):
            pass
        others.append(other)
        restrict(*arguments)

    monkeypatch.setattr(DirectoryGuard, "restrict", watched)
    lost.recover()
    (other,) = others
    other.close(Deadline.within(20, SystemClock()))


def test_a_line_that_a_crash_tore_during_the_recovery_is_written_again(lost):
    lost.recover()
    whole = lost.journal
    (lost.site.guard / "restrictions.jsonl").write_bytes(whole[:-30])
    lost.finish()
    assert lost.journal == whole


def test_a_host_that_ran_all_the_time_refuses_meanwhile_and_follows_without_a_restart(fresh):
    lost = fresh
    with lost.site.open() as log:
        entries(log, 1, 3)
    lost.keep()
    with lost.site.open() as log:
        log.ledger.append(withdrawal("co_1"))
        lost.exchange()
        for _ in range(2):
            with pytest.raises(Refusal):
                log.ledger.append(stage.decision("ex_9"))
        assert "older copy" in log.ledger.fault
        lost.recover()
        assert log.ledger.append(stage.decision("ex_10")).index == 5
        assert types(log)[3:] == ["log.recovered", "consent.withdrawn", "exchange.decision"]
        assert log.ledger.checkpoint().startswith(f"{AGAIN}\n6\n")


def test_a_copy_that_somebody_went_on_with_is_never_recovered_nor_signed(lost):
    head = lost.examine().head
    with lost.unguarded():
        lost.guard.keep(lost.site.keys.signer.sign(Tree(head.size, head.root)))
        with lost.site.open() as log:
            entries(log, 20, 30)
    for refused in (lost.site.open, lost.examine):
        with pytest.raises(BadLedger, match="history"):
            refused()


def test_a_copy_with_other_entries_where_the_guard_knows_a_restriction_is_refused(lost):
    lost.site.restore({table: [] for table in lost.site.rows()})
    with lost.unguarded(), lost.site.open() as log:
        entries(log, 1, 4)
    with pytest.raises(BadLedger, match="no beginning of the log"):
        lost.examine()


def test_the_backups_checkpoint_exposes_a_copy_that_was_changed(lost):
    loss = lost.examine()
    assert lost.examine(Tree(loss.head.size, loss.head.root)).head == loss.head
    with pytest.raises(BadLedger, match="rewritten"):
        lost.examine(Tree(loss.head.size, b"x" * 32))


@pytest.mark.parametrize("file", ["head", "restrictions.jsonl"])
def test_without_a_guard_that_can_be_read_nothing_is_recovered(lost, file):
    (lost.site.guard / file).write_bytes(b"garbled\n")
    with pytest.raises(GuardUnreadable):
        lost.examine()


def test_without_a_guard_nothing_is_recovered(lost):
    (lost.site.guard / "head").unlink()
    with pytest.raises(GuardUnreadable, match="cannot be read"):
        lost.examine()


def test_an_empty_database_is_not_recovered(lost):
    lost.site.restore({table: [] for table in lost.site.rows()})
    with pytest.raises(BadLedger, match="holds no log"):
        lost.examine()


def test_a_database_that_has_everything_needs_no_recovery(lost):
    lost.recover()
    assert lost.examine() is None
    with lost.site.open() as log:
        entries(log, 20, 22)
    assert lost.examine() is None


def test_the_copy_from_before_a_recovery_is_refused_and_can_be_recovered_once_more(lost):
    lost.recover()
    lost.restore()
    with pytest.raises(BadLedger, match="from before a recovery"):
        lost.site.open()
    loss = lost.examine()
    kinds = [line.header["type"] for line in loss.restrictions]
    assert kinds == ["log.recovered", "consent.withdrawn", "consent.withdrawn"]
    lost.recover()
    with lost.site.open() as log:
        assert log.ledger.signer.name == "gateway.example/audit/3"
        assert types(log)[4:] == ["log.recovered", "consent.withdrawn", "consent.withdrawn"]
        assert log.ledger.entry(4)["previous"] == AGAIN


def test_a_guard_that_goes_back_to_before_the_recovery_stops_who_saw_the_later_one(fresh):
    lost = fresh
    with lost.site.open() as log:
        entries(log, 1, 3)
    lost.keep()
    with lost.site.open() as log:
        log.ledger.append(withdrawal("co_1"))
    kept = (lost.site.guard / "head").read_bytes()
    lost.restore()
    lost.recover()
    with lost.site.open() as log:
        lost.exchange()
        (lost.site.guard / "head").write_bytes(kept)
        with pytest.raises(Refusal):
            log.ledger.append(stage.decision("ex_9"))
        with pytest.raises(Refusal):
            log.ledger.append(stage.decision("ex_9"))
        assert "went back" in log.ledger.fault
