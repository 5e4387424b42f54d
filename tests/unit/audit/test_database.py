"""The database file: one writer in turn, readers that cannot write, nothing after a fork."""

import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kernel.clock import Deadline, SystemClock
from kernel.database import Forked, Replaced, StorageError, open_database
from kernel.database_sqlite import SqliteDatabase
from kernel.filelock import FileLock, refuse_network
from kernel.migrations import HEAD, BadSchema, migrate, revision
from kernel.tables import metadata
from tests.contract.ledger_stage import environment

CLOCK = SystemClock()


def soon(seconds: float = 10) -> Deadline:
    return Deadline.within(seconds, CLOCK)


def rows(connection: sqlite3.Connection, query: str) -> list[tuple]:
    return [tuple(row) for row in connection.execute(query)]


@pytest.fixture
def database(tmp_path):
    migrate(f"sqlite:///{tmp_path}/gateway.db", soon())
    database = SqliteDatabase(tmp_path / "gateway.db")
    yield database
    database.close(soon())


def test_the_schema_is_that_of_the_tables_and_migrating_again_changes_nothing(database):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    migrate(f"sqlite:///{database.path}", soon())
    engine = create_engine(f"sqlite:///{database.path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    engine.dispose()
    assert revision(f"sqlite:///{database.path}", soon()) == HEAD


def test_head_is_the_newest_revision_of_the_scripts():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    import kernel.migrations

    config = Config()
    config.set_main_option("script_location", str(Path(kernel.migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_schema_of_a_later_version_is_refused_by_name(database):
    with database.sequence(soon()) as writer:
        writer.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(BadSchema, match="9999"):
        migrate(f"sqlite:///{database.path}", soon())


def test_a_migration_that_is_cut_off_leaves_no_half_schema(tmp_path):
    database = SqliteDatabase(tmp_path / "gateway.db")
    with database.sequence(soon()) as writer:
        writer.execute("CREATE TABLE consent (x)")  # in the way of the first revision
    with pytest.raises(BadSchema, match="already exists"):
        migrate(f"sqlite:///{database.path}", soon())
    assert rows(database.read(), "SELECT name FROM sqlite_master") == [("consent",)]
    database.close(soon())


def fail_within(database: SqliteDatabase) -> None:
    with database.sequence(soon()) as writer:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO control VALUES ('b', '1')")
        raise ZeroDivisionError


def test_a_url_names_a_file_or_a_postgresql_and_nothing_else(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/gateway.db")
    assert isinstance(database, SqliteDatabase)
    assert database.path == tmp_path / "gateway.db"
    database.close(soon())
    for url in ("mysql://db/gateway", "sqlite://", "sqlite:///", "/gateway.db"):
        with pytest.raises(ValueError, match="sqlite:///"):
            open_database(url)


def test_only_the_owner_may_read_the_files(database):
    for path in database.path.parent.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_every_connection_is_durable_and_none_checkpoints_by_itself(database):
    with database.sequence(soon()) as writer:
        for connection in (writer, database.read()):
            for pragma, expected in (
                ("wal_autocheckpoint", 0),
                ("synchronous", 2),
                ("secure_delete", 1),
                ("foreign_keys", 1),
                ("journal_mode", "wal"),
            ):
                assert rows(connection, f"PRAGMA {pragma}") == [(expected,)], pragma


def test_a_reader_cannot_write_and_each_thread_has_its_own(database):
    with pytest.raises(StorageError) as failed:
        database.read().execute("DELETE FROM consent")
    assert "readonly" in str(failed.value)
    mine, others = database.read(), []
    thread = threading.Thread(target=lambda: others.append(database.read()))
    thread.start()
    thread.join()
    assert mine is database.read()
    assert others.pop() is not mine
    assert len(database._readers) == 1  # a thread that ended lets its connection go


def test_a_transaction_that_was_left_open_is_rolled_back(database):
    with database.sequence(soon()) as writer:
        writer.execute("BEGIN")
        writer.execute("INSERT INTO control VALUES ('a', '1')")
    with pytest.raises(ZeroDivisionError):
        fail_within(database)
    assert rows(database.read(), "SELECT * FROM control") == []
    with database.sequence(soon()) as writer:
        writer.execute("INSERT INTO control VALUES ('c', '1')")


def test_threads_write_one_after_another_and_a_late_one_is_told(database):
    with database.sequence(soon()):
        late: list[type] = []

        def write() -> None:
            try:
                with database.sequence(soon(0.05)):
                    late.append(type(None))
            except TimeoutError as error:
                late.append(type(error))

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert late == [TimeoutError]


def test_another_process_waits_and_a_late_one_is_told(database):
    other = FileLock(database.path)
    with other.held(soon()), pytest.raises(TimeoutError), database.sequence(soon(0.05)):
        pass
    with database.sequence(soon()):
        pass
    other.close()


def test_who_waits_at_the_turnstile_gets_the_lock_before_its_last_holder(tmp_path):
    busy, command = FileLock(tmp_path / "x"), FileLock(tmp_path / "x")
    turns: list[str] = []
    waiting = threading.Event()

    def run() -> None:
        waiting.set()
        with command.held(soon()):
            turns.append("command")

    thread = threading.Thread(target=run)
    with busy.held(soon()):
        thread.start()
        waiting.wait()
        turnstile = os.open(tmp_path / "x.turn", os.O_RDWR)
        while True:  # until the command stands in the turnstile
            try:
                fcntl.flock(turnstile, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                break
            fcntl.flock(turnstile, fcntl.LOCK_UN)
            threading.Event().wait(0.001)
        os.close(turnstile)
    with busy.held(soon()):
        turns.append("busy")
    thread.join()
    assert turns == ["command", "busy"]
    busy.close()
    command.close()


def test_a_forked_child_is_refused(database):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            database.read()
        except Forked:
            try:
                with database.sequence(soon(1)):
                    pass
            except Forked:
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_file_that_was_exchanged_is_noticed_once_and_then_read_anew(database, tmp_path):
    database.read()
    other = SqliteDatabase(tmp_path / "other.db")
    migrate(f"sqlite:///{other.path}", soon())
    with other.sequence(soon()) as writer:
        writer.execute("INSERT INTO control VALUES ('other', '1')")
    other.close(soon())
    for left in ("-wal", "-shm"):
        database.path.with_name(database.path.name + left).unlink()
    other.path.replace(database.path)
    with pytest.raises(Replaced), database.sequence(soon()):
        pass
    with database.sequence(soon()) as writer:
        expected = [("other", "1")]
        assert rows(writer, "SELECT * FROM control") == expected
        assert rows(database.read(), "SELECT * FROM control") == expected


def test_the_write_ahead_log_stays_bounded(database, monkeypatch):
    import kernel.database_sqlite

    monkeypatch.setattr(kernel.database_sqlite, "_CHECKPOINT_ROWS", 10)
    monkeypatch.setattr(kernel.database_sqlite, "_TRUNCATE_BYTES", 100_000)
    for n in range(60):
        with database.sequence(soon()) as writer:
            writer.execute("BEGIN")
            rows = [(f"{n}-{i}", "x" * 1000) for i in range(20)]
            writer.executemany("INSERT INTO control VALUES (?, ?)", rows)
            writer.execute("COMMIT")
    assert database.path.with_name("gateway.db-wal").stat().st_size < 300_000


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_network_file_system_is_refused_by_name(tmp_path, kind):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 1 8:1 / / rw shared:1 - ext4 /dev/vda rw\n"
        f"2 1 0:9 / {tmp_path} rw shared:2 - {kind} server:/x rw\n",
        encoding="utf-8",
    )
    with pytest.raises(OSError, match=kind):
        refuse_network(tmp_path / "state", mounts)
    refuse_network(Path("/usr"), mounts)
    refuse_network(tmp_path, tmp_path / "not there")


def test_a_process_that_ends_at_any_moment_leaves_the_lock_free(database):
    script = (
        "import os, sys; from pathlib import Path; from kernel.clock import *\n"
        "from kernel.database_sqlite import SqliteDatabase\n"
        "with SqliteDatabase(Path(sys.argv[1])).sequence(Deadline.within(5, SystemClock())):\n"
        "    os._exit(7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(database.path)], env=environment(), check=False
    )
    assert done.returncode == 7
    with database.sequence(soon(1)):
        pass
