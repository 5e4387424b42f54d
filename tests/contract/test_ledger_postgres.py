"""PostgreSQL under the ledger: three round trips, its own time, its identity, and what it says."""

import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import replace

import psycopg
import pytest

from audit.guard import Restriction
from audit.guard_directory import DirectoryGuard
from audit.ledger import Ledger
from kernel.chance import SystemChance
from kernel.clock import SECOND, Deadline, Micros, SystemClock
from kernel.database import Forked, Replaced, StorageError, open_database
from kernel.database_postgres import PostgresDatabase
from kernel.effect import Effect, Key, Write
from kernel.entry import EntryType
from kernel.errors import Reason, Refusal
from tests.both import on_postgres
from tests.contract import ledger_stage as stage

CLOCK = SystemClock()
LEAVE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Leapt(SystemClock):
    """A process's clock that stands wrong by so many seconds."""

    def __init__(self) -> None:
        self.by = 0.0

    def now(self) -> Micros:
        return Micros(super().now() + int(self.by * SECOND))


def soon(seconds: float = 60) -> Deadline:
    return Deadline.within(seconds, CLOCK)


@pytest.fixture
def site(sites, tmp_path):
    with on_postgres(sites, tmp_path):
        yield stage.Stage(tmp_path)


@pytest.fixture
def database(site):
    database = site.database()
    yield database
    database.close(soon())


def fail_within(database: PostgresDatabase) -> None:
    with database.sequence(soon()) as writer:
        writer.execute("INSERT INTO control VALUES ('b', '1')")
        raise ZeroDivisionError


def use(n: int) -> Effect:
    key = Key("consent_count", ("co_1", f"service-{n % 3}"))

    def apply(rows, _):
        uses = rows[key]["uses"] + 1 if rows[key] else 1
        row = {"consent": "co_1", "service": key.values[1], "term": 1, "uses": uses}
        return [Write(key, row), Write(Key("control", (f"c{n}",)), {"name": f"c{n}", "value": "x"})]

    return Effect((key,), apply)


def test_a_batch_takes_three_round_trips_whatever_it_holds(site):
    site.limits = replace(site.limits, head_age=3600.0)  # the guard's head costs trips of its own
    with site.open() as log:
        log.ledger.append(stage.decision("ex_0", stage.person(0)), use(0))
        wire = log.database._writer
        before = wire.trips
        log.ledger.append(stage.decision("ex_1", stage.person(1)), use(1))
        assert wire.trips - before == 3
        placed = []

        def append(n):
            entry = stage.release(f"ex_{n}", stage.person(n), stage.person(0))
            placed.append(log.ledger.append(entry, use(n)))

        threads = [threading.Thread(target=append, args=(n,)) for n in range(2, 40)]
        with log.database.sequence(soon()):
            held = wire.trips
            for thread in threads:
                thread.start()
            while log.ledger._line._line.qsize() < len(threads) - 1:
                threading.Event().wait(0.001)
        for thread in threads:
            thread.join()
        batches = len({id(one.committed) for one in placed})
        assert batches < len(placed) / 4
        assert wire is log.database._writer
        assert wire.trips - held <= 3 * batches + 1  # and what rolled back the turn we held


class Watching(DirectoryGuard):
    """A guard that notes whether nobody else could write whenever it was changed."""

    def __init__(self, site: stage.Stage) -> None:
        super().__init__(site.guard, site.keys.signer)
        self.site = site
        self.alone: list[bool] = []

    def look(self) -> None:
        try:
            self.site.change("SELECT size FROM ledger_state FOR UPDATE NOWAIT")
        except psycopg.errors.LockNotAvailable:
            self.alone.append(True)
        else:
            self.alone.append(False)

    def keep(self, note: str) -> None:
        self.look()
        super().keep(note)

    def restrict(self, restrictions: Sequence[Restriction]) -> None:
        self.look()
        super().restrict(restrictions)


def test_only_who_may_write_changes_the_guard_also_in_the_ledgers_first_moment(site):
    site.limits = replace(site.limits, head_age=0.0)
    guard = Watching(site)
    with site.open() as log:
        pass  # the row is there from now on
    site.restore({table: [] for table in log.site.rows()})
    for path in site.guard.iterdir():
        path.unlink()
    database = site.database()
    ledger = Ledger(database, guard, site.keys, CLOCK, SystemChance(), site.limits).open()
    assert guard.alone[0] is False  # nothing was there yet to hold
    assert guard.alone[1:]
    ledger.append(stage.decision("ex_1"))
    withdrawn = stage.consent(EntryType.CONSENT_WITHDRAWN, "co_1", restricts=True)
    ledger.append(withdrawn)
    ledger.close()
    database.close(soon())
    assert all(guard.alone[1:])
    assert len(guard.alone) >= 4


def test_an_entry_has_the_databases_time_and_a_clock_that_is_off_keeps_its_worker_shut(site):
    clock = Leapt()
    database = PostgresDatabase(site.url, clock)
    guard = site.guard
    with site.open() as log:
        clock.by = 1.0
        one = stage.Stage(site.directory, clock=Leapt())
        assert one.guard == guard
        before = CLOCK.now()
        assert before <= log.ledger.append(stage.decision("ex_1")).time <= CLOCK.now()
        for by in (600.0, -600.0):
            clock.by = by
            with (
                pytest.raises(StorageError, match="600 s off"),
                database.sequence(Deadline.within(10, clock)),
            ):
                pass
        clock.by = -1.0
        with database.sequence(Deadline.within(10, clock)) as right:
            assert abs(right.now - CLOCK.now()) < SECOND
    database.close(soon())


def test_a_restored_copy_under_the_same_name_is_checked_anew_and_stops_the_ledger(site, postgres):
    name = site.url.rpartition("/")[2]
    with site.open() as log:
        log.ledger.append(stage.decision("ex_1"))
        site.change(LEAVE)
        with psycopg.connect(postgres.url(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
        log.ledger.append(stage.decision("ex_2"))
        with psycopg.connect(postgres.url(), autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            admin.execute(f"ALTER DATABASE {name} RENAME TO {name}_before")
            admin.execute(f"ALTER DATABASE {name}_copy RENAME TO {name}")
            admin.execute(f"ALTER DATABASE {name}_before ALLOW_CONNECTIONS true")
        for _ in range(2):
            with pytest.raises(Refusal) as refusal:
                log.ledger.append(stage.decision("ex_3"))
            assert refusal.value.reason is Reason.LEDGER_UNAVAILABLE
        assert "older copy" in log.ledger.fault


@pytest.mark.parametrize(("seconds", "rest"), [(10, 5), (1800, 1790)])
def test_only_who_takes_long_may_rest_longer_within_the_transaction(database, seconds, rest):
    with database.sequence(soon(seconds)) as writer:
        ((told,),) = writer.execute(
            "SELECT setting::bigint / 1000 FROM pg_settings"
            " WHERE name = 'idle_in_transaction_session_timeout'"
        ).fetchall()
    assert rest <= told <= seconds


def test_another_database_is_said_once_and_then_served(database, site, monkeypatch):
    with database.sequence(soon()):
        pass
    site.change(LEAVE)
    database._identity = "another/1/00000001"
    with pytest.raises(Replaced), database.sequence(soon()):
        pass
    with database.sequence(soon()) as writer:
        assert writer.ask([]) == []


def test_a_reader_cannot_write(database):
    with pytest.raises(StorageError) as failed:
        database.read().execute("DELETE FROM consent")
    assert "read-only" in str(failed.value)


def test_a_reader_whose_connection_died_asks_again_over_another(database, site):
    assert database.read().execute("SELECT 1 AS one").fetchone()["one"] == 1
    site.change(LEAVE)
    row = database.read().execute("SELECT ? AS text, 7 AS n", ("é",)).fetchone()
    assert (row["text"], row[1], dict(row)) == ("é", 7, {"text": "é", "n": 7})


def test_a_text_with_a_zero_byte_is_refused_and_never_cut_off(database):
    with database.sequence(soon()) as writer:
        writer.put("INSERT INTO control VALUES (?, ?)", ("a", "b\0c"))
        with pytest.raises(StorageError) as failed:
            writer.commit()
    assert not failed.value.broken
    assert "b\0c" not in str(failed.value)
    with database.sequence(soon()) as writer, pytest.raises(OverflowError):
        writer.execute("SELECT ?", (1 << 63,))
    assert database.read().execute("SELECT * FROM control").fetchall() == []


def test_what_was_not_committed_is_gone_and_the_row_is_free(database):
    with database.sequence(soon()) as writer:
        writer.execute("INSERT INTO control VALUES ('a', '1')")
    with pytest.raises(ZeroDivisionError):
        fail_within(database)
    assert database.read().execute("SELECT * FROM control").fetchall() == []


def test_a_write_that_finds_another_number_of_rows_keeps_the_commit_from_happening(database):
    with database.sequence(soon()) as writer:
        writer.put("INSERT INTO control VALUES (?, ?)", ("a", "1"))
        writer.put("UPDATE control SET value = ? WHERE name = ?", ("2", "nobody"), exactly=1)
        with pytest.raises(StorageError, match="not as it was") as failed:
            writer.commit()
    assert failed.value.broken
    assert database.read().execute("SELECT * FROM control").fetchall() == []


def test_the_same_statement_with_other_sizes_of_values_stays_one_prepared_statement(database):
    with database.sequence(soon()) as writer:
        for value in ("1", None, "x" * 5000):
            writer.execute("SELECT CAST(? AS TEXT)", (value,))
        assert sum("CAST(? AS TEXT)" in text for text in writer._wire._prepared) == 1


def test_a_password_is_in_no_text_of_ours(site, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ValueError, match="libpq") as refused:
        open_database("postgresql://u:canary-of-postgres@[::1")
    assert "canary" not in f"{refused.value}{refused.value.__cause__!r}"
    url = site.url.replace("opensesame", "canary-of-postgres")
    database = open_database(url.rpartition("/")[0] + "/nowhere")
    assert "canary" not in repr(database)
    with pytest.raises(StorageError) as failed:
        database.read().execute("SELECT 1")
    assert "canary" not in f"{failed.value!r}{failed.value}{failed.value.__cause__!r}"
    assert "nowhere" in str(failed.value)
    database.close(soon())
    assert "canary" not in caplog.text


def test_a_forked_child_is_refused(database):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            database.read()
        except Forked:
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
