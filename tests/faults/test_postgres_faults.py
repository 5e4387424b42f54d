"""PostgreSQL dies, hangs, breaks off in the commit, is full or read-only, answers garbage: nothing
that was acknowledged is lost, nobody waits past the deadline, and nothing is started again."""

import itertools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from audit import verify
from audit.export import export
from audit.model import Limits
from audit.verify_source import Directory
from kernel.effect import Effect, Key, Write
from kernel.errors import Reason, Refusal
from tests.both import Sites, on_postgres
from tests.contract import ledger_stage as stage
from tests.postgres_server import PostgresServer, postgres_server
from tests.severed import Proxy, proxy

pytestmark = pytest.mark.fault
PATIENCE = 120.0
LIMITS = Limits(patience=2.0)
GENEROUS = 30.0
"""Far more than the deadline, and far less than for ever."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as started:
        yield started


@pytest.fixture(scope="module")
def own(server: PostgresServer) -> Sites:
    return Sites(server)


@pytest.fixture
def between(server: PostgresServer) -> Iterator[Proxy]:
    with proxy(server.port) as made:
        yield made


@pytest.fixture
def site(own: Sites, tmp_path: Path) -> Iterator[stage.Stage]:
    with on_postgres(own, tmp_path):
        yield stage.Stage(tmp_path, limits=LIMITS)


@pytest.fixture
def severed(site: stage.Stage, server: PostgresServer, between: Proxy) -> stage.Stage:
    """The log, reached through the proxy."""
    told = site.directory / "database.url"
    told.write_text(told.read_text().replace(f":{server.port}/", f":{between.port}/"))
    return site


def used(name: str) -> Effect:
    key = Key("control", (name,))
    return Effect((key,), lambda *_: [Write(key, {"name": name, "value": "1"})])


def append(log: stage.Opened, name: str) -> int | None:
    """Return the index of an entry, or None where the ledger refused it by its own reason."""
    began = time.monotonic()
    try:
        return log.ledger.append(stage.decision(name, stage.person(1)), used(name)).index
    except Refusal as refusal:
        if refusal.reason is not Reason.LEDGER_UNAVAILABLE:
            raise
        return None
    finally:
        assert time.monotonic() - began < GENEROUS


def recovered(log: stage.Opened, name: str = "ex_after") -> int:
    """Return the index of an entry, as soon as the ledger takes one again."""
    deadline = time.monotonic() + PATIENCE
    while (index := append(log, name)) is None:
        assert time.monotonic() < deadline, log.ledger.fault
        time.sleep(0.05)
    return index


def check(log: stage.Opened, told: dict[int, str]) -> list[str]:
    """Check that the log verifies and holds what was acknowledged, each entry with its effect and
    no effect without its entry; return the exchanges that it holds."""
    out = log.site.directory / f"out-{time.monotonic_ns()}"
    tree = export(log.database.read(), out, log.keys.signer)
    verify.verify(Directory(out), verify.Question(log.keys.signer.vkey), lambda _: None)
    held = [log.ledger.entry(index).get("exchange") for index in range(tree.size)]
    for index, name in told.items():
        assert held[index] == name
    names = sorted(name for name in held if name is not None)
    assert len(set(names)) == len(names)
    rows = log.database.read().execute("SELECT name FROM control ORDER BY name").fetchall()
    assert [row["name"] for row in rows] == names
    return names


def test_a_commit_whose_answer_is_lost_is_looked_up_and_acknowledged_once(severed, between):
    with severed.open() as log:
        told = {append(log, "ex_1"): "ex_1"}

        def cut(some: bytes) -> bytes | None:
            if b"COMMIT\0" not in some:  # the tag of a commit that is done
                return some
            between.answered = None
            return None

        between.answered = cut
        told[append(log, "ex_2")] = "ex_2"
        assert None not in told
        assert between.answered is None
        assert check(log, told) == ["ex_1", "ex_2"]
        assert append(log, "ex_3") == 3


def test_a_commit_that_never_arrived_is_refused_and_leaves_nothing(severed, between):
    with severed.open() as log:
        told = {append(log, "ex_1"): "ex_1"}
        between.cut()  # a new connection says each statement by its text

        def cut(some: bytes) -> bytes | None:
            if b"COMMIT\0" not in some:
                return some
            between.asked = None
            return None

        between.asked = cut
        assert append(log, "ex_2") is None
        assert between.asked is None
        assert "broke" in str(log.ledger.fault)
        told[recovered(log, "ex_3")] = "ex_3"
        assert check(log, told) == ["ex_1", "ex_3"]


def test_a_lost_commit_that_cannot_be_looked_up_is_refused_and_never_acknowledged_twice(
    severed, between
):
    with severed.open() as log:
        told = {append(log, "ex_1"): "ex_1"}

        def cut(some: bytes) -> bytes | None:
            if b"COMMIT\0" not in some:
                return some
            between.open.clear()
            between.answered = None
            return None

        between.answered = cut
        closing = threading.Thread(target=lambda: between.open.wait() or None)
        closing.start()
        assert append(log, "ex_2") is None
        between.open.set()
        closing.join()
        told[recovered(log, "ex_3")] = "ex_3"
        assert check(log, told) == ["ex_1", "ex_2", "ex_3"]  # in the ledger, though nobody relied


def test_another_writer_after_a_lost_commit_does_not_hide_it(severed, between):
    with severed.open() as log, severed.open() as other:
        append(log, "ex_1")
        between.cut()

        def cut(some: bytes) -> bytes | None:
            if b"COMMIT\0" not in some:
                return some
            between.answered = None
            assert append(other, "ex_3") == 3
            return None

        between.answered = cut
        assert append(log, "ex_2") == 2
        assert check(log, {2: "ex_2", 3: "ex_3"}) == ["ex_1", "ex_2", "ex_3"]


def test_a_cut_at_any_moment_leaves_each_entry_whole_or_not_at_all(severed, between):
    with severed.open() as log:
        told: dict[int, str] = {}
        for step in range(12):
            passed = 0

            def cut(some: bytes, step: int = step) -> bytes | None:
                nonlocal passed
                passed += 1
                return None if passed == step // 2 + 1 else some

            between.asked, between.answered = (cut, None) if step % 2 else (None, cut)
            name = f"ex_{step:02d}"
            index = append(log, name)
            between.asked = between.answered = None
            if index is not None:
                told[index] = name
        told[recovered(log)] = "ex_after"
        check(log, told)
        assert len(told) > 1


def test_a_kill_in_the_middle_of_batches_loses_nothing_and_needs_no_new_start(site, server):
    with site.open() as log:
        told: dict[int, str] = {}
        refused = threading.Event()
        stop = threading.Event()

        def work(n: int) -> None:
            count = 0
            while not stop.is_set():
                name = f"ex_{n}_{count}"
                index = append(log, name)
                if index is None:
                    refused.set()
                else:
                    told[index] = name
                count += 1

        workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for worker in workers:
            worker.start()
        for _ in range(2):
            before = len(told)
            while len(told) < before + 20:
                time.sleep(0.01)
            server.kill()
            assert refused.wait(PATIENCE)
            server.start()
            refused.clear()
        before, deadline = len(told), time.monotonic() + PATIENCE
        while len(told) < before + 20:
            assert time.monotonic() < deadline, log.ledger.fault
            time.sleep(0.01)
        stop.set()
        for worker in workers:
            worker.join()
        names = check(log, told)
        assert len(names) >= len(told) > 60


def test_while_it_is_dead_everything_is_refused_and_reading_too(site, server):
    with site.open() as log:
        append(log, "ex_1")
        server.kill()
        try:
            assert append(log, "ex_2") is None
            with pytest.raises(Refusal, match=r"no connection|broke"):
                log.database.read().execute("SELECT 1").fetchall()
            assert log.ledger.fault is not None
        finally:
            server.start()
        index = recovered(log)
        assert check(log, {index: "ex_after"}) == ["ex_1", "ex_after"]
        assert log.ledger.fault is None


def test_while_it_hangs_nobody_waits_past_the_deadline(site, server):
    with site.open() as log:
        append(log, "ex_1")
        with server.stopped():
            assert append(log, "ex_2") is None
            with pytest.raises(Refusal):
                log.database.read().execute("SELECT 1").fetchall()
        index = recovered(log)
        assert check(log, {index: "ex_after"})[-1] == "ex_after"


def test_where_it_stops_to_answer_in_the_middle_nobody_waits_past_the_deadline(severed, between):
    with severed.open() as log:
        append(log, "ex_1")
        between.open.clear()
        assert append(log, "ex_2") is None
        between.open.set()
        index = recovered(log)
        check(log, {index: "ex_after"})


def test_garbage_in_its_place_is_refused(severed, between):
    with severed.open() as log:
        append(log, "ex_1")
        for garbage in (b"HTTP/1.1 200 OK\r\n\r\n" * 40, os.urandom(600), b"\0" * 600, b"Z"):
            between.answered = lambda _, garbage=garbage: garbage
            assert append(log, "ex_2") is None
            with pytest.raises(Refusal):
                log.database.read().execute("SELECT 1").fetchall()
            between.answered = None
            between.cut()
        index = recovered(log)
        check(log, {index: "ex_after"})


def test_without_a_free_connection_it_refuses_and_goes_on_with_one(site, server):
    taken: list[psycopg.Connection] = []
    with site.open() as log:
        append(log, "ex_1")
        log.site.change(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        url = (site.directory / "database.url").read_text()
        name = url.rpartition("/")[2]
        server_role = f"writer_{name}"
        site.change(f'ALTER ROLE "{server_role}" CONNECTION LIMIT 1')
        taken.append(psycopg.connect(url))
        try:
            assert append(log, "ex_2") is None
            assert "too many connections" in str(log.ledger.fault)
        finally:
            taken.pop().close()
        site.change(f'ALTER ROLE "{server_role}" CONNECTION LIMIT -1')
        index = recovered(log)
        assert check(log, {index: "ex_after"}) == ["ex_1", "ex_after"]


def test_one_that_became_read_only_takes_nothing_until_it_is_not_any_more(site):
    with site.open() as log:
        append(log, "ex_1")
        name = (site.directory / "database.url").read_text().rpartition("/")[2]
        leave = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        site.change(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        site.change(leave)
        assert append(log, "ex_2") is None
        assert "read-only" in str(log.ledger.fault)
        site.change("SET default_transaction_read_only = off")
        with psycopg.connect(
            (site.directory / "superuser.url").read_text(),
            autocommit=True,
            options="-c default_transaction_read_only=off",
        ) as admin:
            admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            admin.execute(leave)
        index = recovered(log)
        assert check(log, {index: "ex_after"}) == ["ex_1", "ex_after"]


def test_one_that_does_not_keep_what_it_commits_is_refused(site):
    name = (site.directory / "database.url").read_text().rpartition("/")[2]
    site.change(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(Refusal, match="may not be off"):
        site.open()
    site.change(f"ALTER DATABASE {name} RESET synchronous_commit")


def test_who_holds_the_ledgers_row_keeps_others_waiting_no_longer_than_their_deadline(site):
    with site.open() as log:
        append(log, "ex_1")
        url = (site.directory / "superuser.url").read_text()
        with psycopg.connect(url) as holder:
            holder.execute("SELECT 1 FROM ledger_state FOR UPDATE")
            assert append(log, "ex_2") is None
            assert "holds the ledger's row" in str(log.ledger.fault)
        index = recovered(log)
        assert check(log, {index: "ex_after"}) == ["ex_1", "ex_after"]


def test_a_commit_that_no_standby_confirmed_is_not_acknowledged(site, server):
    def told(statement: str) -> list[tuple]:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            cursor = admin.execute(statement)
            return cursor.fetchall() if cursor.description else []

    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    with site.open() as log:
        append(log, "ex_1")
        try:
            told("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            told("SELECT pg_reload_conf()")
            # The commit waits for ever, and nobody can see whether it will have happened.
            names = (f"ex_2_{n}" for n in itertools.count())
            while append(log, next(names)) is not None:
                time.sleep(0.05)  # until the server has read its settings
            assert told(waiting)
        finally:
            told("ALTER SYSTEM RESET synchronous_standby_names")
            told("SELECT pg_reload_conf()")
        index = recovered(log)
        names = check(log, {index: "ex_after"})
        assert names[0] == "ex_1"
        assert log.ledger.fault is None


def test_a_commit_whose_wait_for_a_standby_is_cancelled_is_not_acknowledged(own, server, tmp_path):
    statement = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    with (
        on_postgres(own, tmp_path),
        stage.Stage(tmp_path, limits=Limits(patience=20.0)).open() as log,
        psycopg.connect(server.url(), autocommit=True) as admin,
    ):
        append(log, "ex_1")
        answers: list[int | None] = []
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        admin.execute("SELECT pg_reload_conf()")
        try:

            def until_one_waits() -> None:  # once the server has read its settings
                while None not in answers:
                    answers.append(append(log, f"ex_{len(answers) + 2}"))

            caller = threading.Thread(target=until_one_waits)
            caller.start()
            deadline = time.monotonic() + PATIENCE
            while not admin.execute(statement).fetchall():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            caller.join()  # an end of the waiting by the settings would say nothing of it
        finally:
            admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
            admin.execute("SELECT pg_reload_conf()")
        assert answers[-1] is None
        index = recovered(log)
        written = [f"ex_{n + 1}" for n in range(len(answers) + 1)]
        assert check(log, {index: "ex_after"}) == sorted([*written, "ex_after"])
