"""The schema: the same on both databases, brought to head beside others, and never half."""

import ast
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import kernel.migrations.versions
from kernel.clock import Deadline, SystemClock
from kernel.database import StorageError
from kernel.grants import CHANGES, ERASED, Roles
from kernel.migrations import HEAD, BadSchema, check, migrate, revision
from kernel.migrations.alembic_run import configuration
from kernel.migrations.naming import Named, refuse_unserved
from kernel.migrations.on_postgres import LOCK
from kernel.migrations.plan import Plan
from kernel.tables import metadata

OWN = Path(kernel.migrations.versions.__file__).parent
SCRIPTS = sorted(OWN.glob("[0-9]*.py"))
ADDED = '''
"""Something more."""
from alembic import op
from sqlalchemy import BigInteger, Column, Text
revision = "9001_serves_0001"
down_revision = "{head}"
phase = "expand"
def upgrade():
    op.create_table("later", Column("id", Text(), primary_key=True))
    op.add_column("exchange", Column("later", BigInteger(), nullable=True))
'''
INDEXED = '''
"""An index."""
from kernel.migrations.online import create_index
revision = "9001_serves_0001"
down_revision = "{head}"
phase = "expand"
def upgrade():
    create_index("exchange_agency", "exchange", ["agency"])
'''
TAKEN = '''
"""Something less."""
from alembic import op
revision = "9002_serves_9001"
down_revision = "9001_serves_0001"
phase = "contract"
def upgrade():
    op.drop_column("exchange", "receipt")
'''


def soon(seconds: float = 30) -> Deadline:
    return Deadline.within(seconds, SystemClock())


@pytest.fixture(params=["sqlite", "postgres"])
def owner(request, tmp_path) -> str:
    """The URL of an empty database, as its owner."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/gateway.db"
    return str(request.getfixturevalue("postgres").site().migrator)


@pytest.fixture
def later(tmp_path) -> Plan:
    """What a version after this one brings."""
    versions = tmp_path / "later"
    versions.mkdir()
    (versions / "9001_more.py").write_text(ADDED.format(head=HEAD))
    return Plan("9001_serves_0001", (OWN, versions))


@pytest.fixture
def contracted(later) -> Plan:
    """What a version brings that takes something away."""
    (later.versions[1] / "9002_less.py").write_text(TAKEN)
    return Plan("9002_serves_9001", later.versions)


def columns(url: str, table: str) -> set[str]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    with psycopg.connect(url) as connection:
        query = "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
        return {row[0] for row in connection.execute(query, (table,))}


def test_a_migrated_database_is_what_the_tables_say(owner):
    migrate(owner, soon())
    engine = create_engine(owner.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()
    assert found == []


def test_migrating_again_changes_nothing(owner):
    assert revision(owner, soon()) is None
    migrate(owner, soon())
    migrate(owner, soon())
    assert revision(owner, soon()) == HEAD


def test_head_is_the_newest_revision_of_the_scripts():
    assert ScriptDirectory.from_config(configuration(Plan())).get_current_head() == HEAD


def test_a_schema_that_is_not_there_or_too_old_says_what_to_run(owner):
    with pytest.raises(BadSchema, match="no schema yet: run `python -m gateway migrate`"):
        check(owner, soon())
    migrate(owner, soon(), plan=Plan("0001"))  # head of the scripts all the same
    with pytest.raises(BadSchema, match=r"needs 9999.*run `python -m gateway migrate`"):
        refuse_unserved(revision(owner, soon()), "9999_serves_0001")


def test_a_newer_schema_that_only_adds_is_served_and_left_alone(owner, later):
    migrate(owner, soon(), plan=later)
    check(owner, soon())
    migrate(owner, soon())
    assert revision(owner, soon()) == "9001_serves_0001"
    assert "later" in columns(owner, "exchange")


def test_a_newer_schema_that_took_something_away_is_refused_in_plain_words(owner, contracted):
    migrate(owner, soon(), plan=contracted)
    with pytest.raises(BadSchema, match=r"9002_serves_9001.*install a version that knows 9001"):
        check(owner, soon())
    with pytest.raises(BadSchema, match="install a version"):
        migrate(owner, soon())


def test_a_schema_that_nobody_made_is_refused_by_name(owner):
    migrate(owner, soon())
    change = "UPDATE alembic_version SET version_num = 'sixteen'"
    if owner.startswith("sqlite"):
        with closing(sqlite3.connect(owner.removeprefix("sqlite:///"))) as connection:
            connection.execute(change)
            connection.commit()
    else:
        with psycopg.connect(owner) as connection:
            connection.execute(change)
    with pytest.raises(BadSchema, match="sixteen"):
        check(owner, soon())


def test_a_migration_that_fails_leaves_the_revision_before_it(owner, contracted):
    (contracted.versions[1] / "9002_less.py").write_text(
        TAKEN.replace('"receipt")', '"receipt")\n    op.drop_column("exchange", "nothing")')
    )
    with pytest.raises(BadSchema, match="cannot be brought to head"):
        migrate(owner, soon(), plan=contracted)
    assert revision(owner, soon()) == "9001_serves_0001"
    assert "receipt" in columns(owner, "exchange")


def test_two_who_migrate_at_once_do_it_once(owner):
    failed: list[BaseException] = []

    def run() -> None:
        try:
            migrate(owner, soon(60))
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert revision(owner, soon()) == HEAD


class TestOnPostgres:
    """What only a database of many can do wrong."""

    @pytest.fixture
    def site(self, postgres):
        site = postgres.site()
        migrate(site.migrator, soon(), site.roles)
        return site

    def test_another_migration_is_waited_for_until_the_deadline(self, site):
        with psycopg.connect(site.migrator) as holder:
            holder.execute(f"SELECT pg_advisory_lock({LOCK})")
            with pytest.raises(TimeoutError, match="another process migrates"):
                migrate(site.migrator, soon(0.5))

    def test_a_busy_table_is_waited_for_without_a_queue_behind(self, site, later):
        """A statement that waits for a table makes everybody behind it wait: ours gives up, lets
        them pass and comes again."""
        with psycopg.connect(site.writer) as busy:
            busy.execute("SELECT count(*) FROM exchange")  # holds the table until it commits
            migrating = threading.Thread(
                target=migrate, args=(site.migrator, soon(60), site.roles, later)
            )
            migrating.start()
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            deadline = time.monotonic() + 120
            while not site.rows(f"{waits} AND datname = '{site.name}'"):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            with psycopg.connect(site.writer, options="-c statement_timeout=20s") as reader:
                reader.execute("SELECT count(*) FROM exchange")  # not behind it for ever
            assert migrating.is_alive()
        migrating.join(60)
        assert revision(site.writer, soon()) == "9001_serves_0001"

    def test_it_gives_up_at_the_deadline_where_a_table_stays_busy(self, site, later):
        with psycopg.connect(site.writer) as busy:
            busy.execute("SELECT count(*) FROM exchange")
            with pytest.raises(TimeoutError, match="stays busy"):
                migrate(site.migrator, soon(1), site.roles, later)
        assert revision(site.writer, soon()) == HEAD

    def test_an_index_whose_making_was_cut_off_is_made_anew(self, site, later):
        (later.versions[1] / "9001_more.py").write_text(INDEXED.format(head=HEAD))
        site.execute(
            "CREATE INDEX exchange_agency ON exchange (state)",
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'exchange_agency'::regclass",
            f"ALTER TABLE exchange OWNER TO migrator_{site.name}",
        )
        migrate(site.migrator, soon(), site.roles, later)
        made = "SELECT indisvalid, pg_get_indexdef(indexrelid) FROM pg_index"
        ((valid, text),) = site.rows(f"{made} WHERE indexrelid = 'exchange_agency'::regclass")
        assert valid
        assert text.endswith("(agency)")

    def test_a_role_that_is_not_there_is_named_with_what_to_run(self, site):
        with pytest.raises(BadSchema, match=r'"nobody_here".*CREATE ROLE'):
            migrate(site.migrator, soon(), Roles("nobody_here"))

    def test_who_does_not_own_the_database_is_told_whom_to_name(self, postgres):
        with pytest.raises(BadSchema, match="GATEWAY_MIGRATOR_URL"):
            migrate(postgres.site().writer, soon())

    def test_a_server_that_is_not_there_is_one_sentence_without_a_password(self):
        with pytest.raises(StorageError) as refused:
            check("postgresql://writer:opensesame@127.0.0.1:1/none", soon(2))
        assert "opensesame" not in str(refused.value)
        assert "\n" not in str(refused.value)


class TestScripts:
    """The rule of expand and contract, where a script can be asked (ADR 9)."""

    @pytest.fixture(params=SCRIPTS, ids=lambda path: path.stem)
    def script(self, request) -> ast.Module:
        return ast.parse(request.param.read_text(encoding="utf-8"))

    def test_no_script_looks_at_the_tables_of_today(self, script):
        imported = {
            node.module for node in ast.walk(script) if isinstance(node, ast.ImportFrom)
        } | {
            alias.name
            for node in ast.walk(script)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert not {name for name in imported if name and "tables" in name}

    def test_each_says_its_phase_and_its_name_says_whom_it_serves(self, script):
        said = named(script)
        assert said["phase"] in {"expand", "contract"}
        one = Named.of(said["revision"])
        if said["down_revision"] is None:
            return
        before = Named.of(said["down_revision"])
        assert one.number == before.number + 1
        if said["phase"] == "expand":
            assert one.serves == before.serves
        else:  # the version before keeps serving while hosts change over one by one
            assert before.serves <= one.serves <= before.number

    def test_one_that_expands_only_adds(self, script):
        if named(script)["phase"] == "expand":
            assert wrong(script) == []

    @pytest.mark.parametrize(
        ("line", "what"),
        [
            ('op.drop_table("person")', "drop_table"),
            ('op.drop_column("person", "last")', "drop_column"),
            ('op.alter_column("person", "last", nullable=False)', "alter_column"),
            ('op.execute("DELETE FROM person")', "execute"),
            ('op.create_index("i", "person", ["last"])', "create_index"),
            ('op.add_column("person", Column("x", Text(), nullable=False))', "add_column"),
            ('op.add_column("person", Column("x", Text()))', "add_column"),
            (
                'create_index("i", "t", ["x"]); op.create_table("t", Column("x", Text()))',
                "create_index beside others",
            ),
        ],
    )
    def test_one_that_does_more_is_found(self, line, what):
        assert wrong(ast.parse(f"def upgrade():\n    {line}")) == [what]

    @pytest.mark.parametrize(
        "line",
        [
            'op.create_table("t", Column("x", Text()))',
            'op.add_column("person", Column("x", Text(), nullable=True))',
            'op.add_column("p", Column("x", Text(), nullable=False, server_default=""))',
            'create_index("i", "person", ["last"])',
        ],
    )
    def test_one_that_adds_passes(self, line):
        assert wrong(ast.parse(f"def upgrade():\n    {line}")) == []


def named(script: ast.Module) -> dict[str, str]:
    """Return what a script says of itself."""
    return {
        target.id: ast.literal_eval(node.value)
        for node in script.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and not target.id.startswith("_")
    }


def wrong(script: ast.Module) -> list[str]:
    """Return what a script does that one which expands may not."""
    made = {call.args[0].value for name, call in calls(script) if name == "create_table"}
    found = []
    beside = [one for one in ast.walk(script) if isinstance(one, ast.Call)]
    if calls(script) and any(
        isinstance(one.func, ast.Name) and one.func.id == "create_index" for one in beside
    ):
        found.append("create_index beside others")  # a kill would leave the others done
    for name, call in calls(script):
        if name == "create_table" or (name == "create_index" and call.args[1].value in made):
            continue
        if name != "add_column" or not harmless(call.args[1]):
            found.append(name)
    return found


def calls(script: ast.Module) -> list[tuple[str, ast.Call]]:
    return [
        (node.func.attr, node)
        for node in ast.walk(script)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "op"
    ]


def is_bare(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def harmless(column: ast.Call) -> bool:
    """Tell whether a version that does not know a column can still write its rows."""
    said = {word.arg: word.value for word in column.keywords}
    return "server_default" in said or (
        isinstance(said.get("nullable"), ast.Constant) and said["nullable"].value is True
    )


class TestGrants:
    """Every table has its word about who may do what."""

    def test_each_table_says_which_of_its_columns_are_written_again(self):
        assert set(CHANGES) == set(metadata.tables)

    def test_only_columns_that_are_there_are_named(self):
        for table, changed in CHANGES.items():
            assert changed <= set(metadata.tables[table].columns.keys())

    def test_nothing_of_the_log_is_ever_written_again(self):
        log = {name for name in metadata.tables if name.startswith("ledger_")} - {"ledger_state"}
        assert not [name for name in log if CHANGES[name]]

    def test_a_secret_is_erased_by_the_eraser_and_overwritten_by_nobody(self):
        assert "secret" not in CHANGES["person"]
        assert set(ERASED) == {"person", "ledger_body"}
