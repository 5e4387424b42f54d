"""What the ledger promises whoever appends: both or neither, in order, proven."""

import json
import threading
from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest

from audit.leaf import BadEntry
from audit.merkle import leaf_hash
from audit.model import Limits
from audit.person import activity
from audit.verify_tree import VerifierKey, check_inclusion
from kernel.effect import Effect, Key, Write
from kernel.entry import Change, EntryType
from kernel.errors import Exact, Outdated, Reason, Refusal, about_the_person
from tests.contract import ledger_stage as stage

NAME = Key("control", ("uses",))


@pytest.fixture
def log(place):
    with stage.Stage(place).open() as opened:
        yield opened


def put(key: Key, value: str) -> Effect:
    return Effect((), lambda rows, moment: [Write(key, {"name": key.values[0], "value": value})])


def once(most: int = 1) -> Effect:
    """Return the effect of using something that may be used so often."""

    def apply(rows, moment):
        row = rows[NAME]
        used = int(row["value"]) if row else 0
        if used >= most:
            raise about_the_person(Exact.CONSENT_EXHAUSTED)
        return [Write(NAME, {"name": "uses", "value": str(used + 1)})]

    return Effect((NAME,), apply)


def value(log, name: str) -> str | None:
    rows = log.database.read().execute("SELECT value FROM control WHERE name = ?", (name,))
    return next((row[0] for row in rows.fetchall()), None)


def together(log, jobs):
    """Let all jobs wait while another holds the lock, so that they make one batch."""
    threads = [threading.Thread(target=job) for job in jobs]
    with log.database.sequence(stage.Deadline.within(60, log.clock)):
        for thread in threads:
            thread.start()
        while log.ledger._line._line.qsize() < len(jobs) - 1:
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join()


def test_the_log_begins_with_log_opened_that_names_origin_and_key(log):
    first = log.ledger.entry(0)
    assert first["type"] == "log.opened"
    assert first["origin"] == stage.ORIGIN
    assert log.ledger.size == 1


def test_an_entry_gets_the_next_index_the_clocks_time_and_a_proof_that_verifies(place):
    site = stage.Stage(place, clock=stage.Set())
    with site.open() as log:
        logged = log.ledger.append(stage.decision("ex_1", stage.person(1)))
        assert (logged.index, logged.time, logged.origin) == (1, stage.START, stage.ORIGIN)
        key = VerifierKey.parse(site.keys.signer.vkey)
        for text in (logged.proof(), log.ledger.proof(1)):
            proof = key.proof(text)
            seen = proof.checkpoint
            check_inclusion(1, seen.size, logged.leaf_hash, proof.path, seen.root)


def test_time_never_runs_back_though_the_clock_does(place):
    clock = stage.Set()
    with stage.Stage(place, clock=clock).open() as log:
        before = log.ledger.append(stage.decision("ex_1"))
        clock.at -= 3_600_000_000
        after = log.ledger.append(stage.decision("ex_2"))
        assert after.time == before.time
        clock.at += 7_200_000_000
        assert log.ledger.append(stage.decision("ex_3")).time == clock.at


def test_entry_and_effect_commit_together(log):
    log.ledger.append(stage.decision("ex_1"), put(NAME, "7"))
    assert value(log, "uses") == "7"


def test_the_effect_learns_its_moment(log):
    seen = []
    effect = Effect((), lambda rows, moment: seen.append(moment) or [])
    logged = log.ledger.append(stage.decision("ex_1"), effect)
    assert [(moment.time, moment.index) for moment in seen] == [(logged.time, logged.index)]


def test_an_effect_that_refuses_leaves_nothing_behind(log):
    with pytest.raises(Refusal) as refusal:
        log.ledger.append(stage.release("ex_1"), once(0))
    assert refusal.value.exact is Exact.CONSENT_EXHAUSTED
    assert log.ledger.size == 1
    assert value(log, "uses") is None


def test_the_change_made_for_a_refusal_commits_instead_with_its_own_effect(log):
    other = Key("control", ("closed",))
    log.ledger.append(stage.decision("ex_0"), put(other, "before"))

    def instead(refusal):
        def apply(rows, moment):
            return [Write(other, {"name": "closed", "value": rows[other]["value"] + str(refusal)})]

        return Change(stage.refusal("ex_1", stage.person(1)), Effect((other,), apply))

    with pytest.raises(Refusal) as refusal:
        log.ledger.append(stage.release("ex_1", stage.person(1)), once(0), instead)
    assert refusal.value.reason is Reason.SUBJECT_NOT_RELEASED
    assert log.ledger.entry(2)["type"] == "exchange.refusal"
    assert value(log, "closed") == "before" + Reason.SUBJECT_NOT_RELEASED
    assert value(log, "uses") is None


def test_a_change_that_is_refused_as_well_writes_nothing(log):
    with pytest.raises(Refusal) as refusal:
        log.ledger.append(
            stage.release("ex_1"), once(0), lambda _: Change(stage.refusal("ex_1"), once(0))
        )
    assert refusal.value.exact is Exact.CONSENT_EXHAUSTED
    assert log.ledger.size == 1


def test_the_second_use_of_a_one_time_row_in_one_batch_sees_the_first(log):
    answers = []

    def use(n):
        try:
            log.ledger.append(stage.release(f"ex_{n}"), once())
            answers.append("used")
        except Refusal as refusal:
            answers.append(refusal.exact)

    together(log, [lambda n=n: use(n) for n in range(8)])
    assert sorted(map(str, answers)) == [Exact.CONSENT_EXHAUSTED] * 7 + ["used"]
    assert value(log, "uses") == "1"


def test_entries_that_wait_together_share_one_commit(log):
    placed = []
    together(
        log,
        [
            lambda n=n: placed.append(log.ledger.append(stage.decision(f"ex_{n}")))
            for n in range(20)
        ],
    )
    assert sorted(each.index for each in placed) == list(range(1, 21))
    assert len({id(each.committed) for each in placed}) < len(placed)
    key = VerifierKey.parse(log.keys.signer.vkey)
    for each in placed:
        proof = key.proof(each.proof())
        seen = proof.checkpoint
        check_inclusion(each.index, seen.size, each.leaf_hash, proof.path, seen.root)


def test_only_the_entry_that_the_database_cannot_take_fails(log):
    answers = {}
    too_large = Effect(
        (),
        lambda rows, moment: [Write(NAME, {"name": "uses", "value": 1 << 70})],  # no INTEGER
    )

    def append(n):
        try:
            log.ledger.append(stage.decision(f"ex_{n}"), too_large if n == 3 else None)
            answers[n] = "written"
        except OverflowError as error:
            answers[n] = type(error).__name__

    together(log, [lambda n=n: append(n) for n in range(6)])
    assert answers.pop(3) == "OverflowError"
    assert set(answers.values()) == {"written"}
    assert log.ledger.size == 6
    assert log.ledger.append(stage.decision("ex_9")).index == 6


@pytest.mark.parametrize(
    "effect",
    [
        Effect((), lambda rows, moment: [Write(NAME, {"name": "uses"})]),
        Effect((), lambda rows, moment: [Write(NAME, {"name": "other", "value": "1"})]),
        Effect((), lambda rows, moment: [Write(NAME, {"name": "uses", "value": "1", "x": 1})]),
        Effect((), lambda rows, moment: [Write(Key("nowhere", ("x",)), {"name": "x"})]),
        Effect((), lambda rows, moment: [Write(Key("person", ("x",)), {"ref": "x"})]),
        Effect((), lambda rows, moment: [Write(Key("ledger_leaf", (0,)), {"index": 0})]),
        Effect((), lambda rows, moment: rows[NAME] or []),
        Effect((Key("control", ("a", "b")),), lambda rows, moment: []),
        Effect((), lambda rows, moment: 1 // 0),
    ],
    ids=["short", "other key", "long", "nowhere", "person", "leaf", "undeclared", "key", "bug"],
)
def test_an_effect_that_breaks_its_contract_fails_alone_and_leaves_nothing(log, effect):
    with pytest.raises((ValueError, KeyError, ArithmeticError)):
        log.ledger.append(stage.decision("ex_1"), effect)
    assert log.ledger.append(stage.decision("ex_2")).index == 1
    assert value(log, "uses") is None


def test_an_entry_that_has_no_leaf_is_refused_before_it_waits(log):
    with pytest.raises(BadEntry):
        log.ledger.append(replace(stage.decision("ex_1"), header={}))
    assert log.ledger.size == 1


def test_an_entry_decided_under_an_older_epoch_is_outdated_and_not_written(log):
    log.ledger.append(stage.decision("ex_1", epoch=0))
    log.ledger.append(stage.activated())
    with pytest.raises(Outdated):
        log.ledger.append(stage.decision("ex_2", epoch=0))
    logged = log.ledger.append(stage.decision("ex_2", epoch=1))
    assert logged.index == 3


def test_a_control_entry_outdates_those_behind_it_in_its_own_batch(place):
    answers = []
    limits = Limits(patience=30.0, head_age=3600.0)  # nobody else takes the lead meanwhile

    def decide():
        try:
            answers.append(log.ledger.append(stage.decision("ex_1", epoch=0)).index)
        except Outdated:
            answers.append("outdated")

    def behind():
        while not log.ledger._line._lead.locked():
            threading.Event().wait(0.001)
        decide()

    def activate():
        answers.append(log.ledger.append(stage.activated()).index)

    with stage.Stage(place, limits=limits).open() as log:
        together(log, [activate, behind])
    assert answers.count("outdated") + answers.count(1) == 2


def test_each_person_has_a_gapless_list_of_their_own(log):
    amina, ben = stage.person(1), stage.person(2)
    log.ledger.append(stage.decision("ex_1", amina))
    log.ledger.append(stage.decision("ex_2", ben))
    log.ledger.append(stage.decision("ex_3", amina, ben))
    log.ledger.append(stage.release("ex_3", amina))
    root = log.keys.root
    places = {}
    for who in (amina, ben):
        for each in activity(log.database.read(), root, who.ref):
            mine = each.disclosures["subject"]
            assert mine["value"] == who.subject.value
            assert mine["log"]["origin"] == stage.ORIGIN
            assert mine["log"]["number"] == each.number
            places.setdefault(who.subject.value, []).append((each.index, mine["log"]["previous"]))
    assert places == {"RN-0000001": [(1, None), (3, 1), (4, 3)], "RN-0000002": [(2, None), (3, 2)]}
    assert list(activity(log.database.read(), root, stage.person(3).ref)) == []


def test_the_leaf_stored_is_the_leaf_hashed_and_holds_no_identifier(log):
    logged = log.ledger.append(stage.decision("ex_1", stage.person(1)))
    read = log.database.read()
    rows = read.execute('SELECT leaf, hash FROM ledger_leaf WHERE "index" = 1').fetchall()
    assert leaf_hash(rows[0][0]) == rows[0][1] == logged.leaf_hash
    assert len(json.loads(rows[0][0])["_sd"]) == 3
    everything = log.site.stored()
    for text in (b"RN-0000001", urlsafe_b64encode(b"xRN-0000001")[2:-4], b"clerk-4471"):
        assert text not in everything


def test_a_full_line_refuses_at_once(place):
    site = stage.Stage(place, limits=Limits(patience=30.0, waiting=0))
    with site.open() as log:
        first = threading.Thread(target=lambda: log.ledger.append(stage.decision("ex_1")))
        with log.database.sequence(stage.Deadline.within(60, log.clock)):
            first.start()
            while not log.ledger._line._lead.locked():
                threading.Event().wait(0.001)
            with pytest.raises(Refusal) as refusal:
                log.ledger.append(stage.decision("ex_2"))
        first.join()
        assert refusal.value.reason is Reason.LEDGER_UNAVAILABLE
        assert log.ledger.size == 2


def test_who_waited_too_long_is_refused_and_their_entry_is_never_written(place):
    site = stage.Stage(place, limits=Limits(patience=0.5))
    with site.open() as log:
        held = log.database.sequence(stage.Deadline.within(60, log.clock))
        with held, pytest.raises(Refusal) as refusal:
            log.ledger.append(stage.decision("ex_1"))
        assert refusal.value.reason is Reason.LEDGER_UNAVAILABLE
        assert log.ledger.append(stage.decision("ex_2")).index == 1
        assert log.ledger.size == 2


def test_closing_answers_everybody_who_waits_and_refuses_those_who_come_later(place):
    log = stage.Stage(place).open()
    answers = []

    def append(n):
        try:
            answers.append(log.ledger.append(stage.decision(f"ex_{n}")).index)
        except Refusal as refusal:
            answers.append(refusal.reason)

    threads = [threading.Thread(target=append, args=(n,)) for n in range(30)]
    for thread in threads:
        thread.start()
    log.ledger.close()
    for thread in threads:
        thread.join()
    assert len(answers) == 30
    with pytest.raises(Refusal):
        log.ledger.append(stage.decision("ex_99"))
    assert log.ledger.fault == "it is closed"
    written = [answer for answer in answers if isinstance(answer, int)]
    assert log.ledger.size == 1 + len(written)
    log.database.close(stage.Deadline.within(60, log.clock))


def test_the_newest_checkpoint_covers_what_another_writer_appended(place):
    site = stage.Stage(place)
    with site.open() as one, site.open() as two:
        logged = two.ledger.append(stage.decision("ex_1"))
        assert one.ledger.checkpoint().splitlines()[1] == "2"
        assert one.ledger.proof(1).splitlines()[1] == "index 1"
        assert one.ledger.append(stage.decision("ex_2")).index == logged.index + 1
        with pytest.raises(IndexError):
            one.ledger.proof(3)
        with pytest.raises(IndexError):
            one.ledger.entry(3)


def test_consent_entries_are_ledger_entries_like_any_other(log):
    logged = log.ledger.append(stage.consent(EntryType.CONSENT_GIVEN, "co_1", stage.person(1)))
    assert log.ledger.entry(logged.index)["consent"] == "co_1"
