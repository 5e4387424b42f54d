"""The roles on a real PostgreSQL: what each can do, and what `doctor` says of one that can more."""

import psycopg
import pytest

from kernel.clock import Deadline, SystemClock
from kernel.finding import Finding
from kernel.granted import granted
from kernel.grants import ERASED, rights
from kernel.migrations import migrate
from kernel.tables import metadata
from tests.postgres_server import PostgresServer, Site

WRITER, ERASER = tuple(rights(erases=False)), tuple(rights(erases=True))
LEAF = "INSERT INTO ledger_leaf (index, hash, leaf) VALUES (0, 'h', 'l')"
PERSON = "INSERT INTO person (ref, secret, number, last) VALUES ('r', 's', 1, 0)"


def soon() -> Deadline:
    return Deadline.within(30, SystemClock())


def migrated(server: PostgresServer) -> Site:
    site = server.site()
    migrate(site.migrator, soon(), site.roles)
    with psycopg.connect(site.writer) as writer:
        writer.execute(LEAF)
        writer.execute(PERSON)
    return site


@pytest.fixture(scope="module")
def right(postgres) -> Site:
    """A database as `migrate` leaves it, which no test changes."""
    return migrated(postgres)


@pytest.fixture(scope="module")
def made(postgres) -> Site:
    return migrated(postgres)


@pytest.fixture
def site(made) -> Site:
    """A database to spoil: its roles have what `migrate` gives them, whatever was done before."""
    who = f"writer_{made.name}"
    made.execute(
        f"ALTER ROLE {who} NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS",
        f"ALTER TABLE notice OWNER TO migrator_{made.name}",
        f"ALTER DATABASE {made.name} OWNER TO migrator_{made.name}",
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC",
        f"REVOKE CREATE ON SCHEMA public FROM PUBLIC, {who}",
        f"REVOKE pg_write_all_data FROM {who}",
        f"REVOKE eraser_{made.name} FROM {who}",
    )
    migrate(made.migrator, soon(), made.roles)
    return made


def found(url: str, expected=WRITER) -> list[Finding]:
    return list(granted(url, expected, soon()))


@pytest.mark.parametrize(
    "act", ['DELETE FROM "{}"', 'TRUNCATE "{}"', 'DROP TABLE "{}"', 'ALTER TABLE "{}" ADD x TEXT']
)
def test_the_writer_can_take_nothing_away(right, act):
    with psycopg.connect(right.writer, autocommit=True) as writer:
        for table in metadata.tables:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                writer.execute(act.format(table))


@pytest.mark.parametrize(
    "act",
    [
        "UPDATE ledger_leaf SET leaf = 'other'",
        "UPDATE ledger_leaf SET index = 7",
        "UPDATE ledger_tile SET root = 'other'",
        "UPDATE ledger_body SET sealed = 'other'",
        "UPDATE ledger_restriction SET index = 7",
        "UPDATE ledger_state SET shard = 7",
        "UPDATE person SET secret = 'other'",
        "UPDATE consent SET subject_ref = 'other'",
        "UPDATE consent_event SET event_state = 'other'",
        "UPDATE client SET jwks = 'other'",
        "UPDATE policy_bundle SET content = 'other'",
        "UPDATE alembic_version SET version_num = '9'",
        "CREATE TABLE mine (x TEXT)",
        LEAF + " ON CONFLICT (index) DO UPDATE SET leaf = 'other'",
    ],
)
def test_the_writer_cannot_alter_what_is_written_once(right, act):
    refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
    with psycopg.connect(right.writer) as writer, refused:
        writer.execute(act)


def test_the_writer_holds_the_state_row_and_writes_what_changes(right):
    with psycopg.connect(right.writer) as writer:
        writer.execute("SELECT size FROM ledger_state WHERE shard = 1 FOR UPDATE")
        changed = writer.execute("UPDATE person SET number = 2, last = 1 WHERE ref = 'r'")
        assert changed.rowcount == 1


def test_the_eraser_destroys_secrets_and_bodies_and_nothing_else(right):
    with psycopg.connect(right.eraser) as eraser:
        assert eraser.execute("DELETE FROM person WHERE ref = 'r'").rowcount == 1
        eraser.execute("DELETE FROM ledger_body WHERE person = 'r'")
        eraser.rollback()
    with psycopg.connect(right.eraser, autocommit=True) as eraser:
        for table in sorted(set(metadata.tables) - set(ERASED)):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                eraser.execute(f'DELETE FROM "{table}"')


def test_what_migrate_grants_is_found_to_be_right(right):
    assert found(right.writer) == []
    assert found(right.eraser, ERASER) == []


@pytest.mark.parametrize(
    ("wrong", "what", "fix"),
    [
        ("ALTER ROLE {w} SUPERUSER", "is SUPERUSER", "NOSUPERUSER"),
        ("ALTER ROLE {w} CREATEROLE", "is CREATEROLE", "NOCREATEROLE"),
        ("ALTER ROLE {w} BYPASSRLS", "is BYPASSRLS", "NOBYPASSRLS"),
        ("GRANT pg_write_all_data TO {w}", "member of pg_write_all_data", "REVOKE"),
        ("GRANT {e} TO {w}", "member of eraser", "REVOKE"),
        ("ALTER TABLE notice OWNER TO {w}", "owns notice", "OWNER TO"),
        ("ALTER DATABASE {d} OWNER TO {w}", "owns the database", "ALTER DATABASE"),
        ("GRANT CREATE ON SCHEMA public TO {w}", "may create tables", "REVOKE CREATE"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "may create tables", "REVOKE CREATE"),
        ("GRANT DELETE ON ledger_leaf TO {w}", "may DELETE on ledger_leaf", "REVOKE DELETE"),
        ("GRANT TRUNCATE ON person TO {w}", "may TRUNCATE on person", "REVOKE TRUNCATE"),
        ("GRANT UPDATE ON ledger_body TO PUBLIC", "UPDATE on ledger_body", ", PUBLIC"),
        ("GRANT UPDATE (leaf) ON ledger_leaf TO {w}", "UPDATE leaf of", "REVOKE UPDATE"),
        ("GRANT UPDATE (secret) ON person TO PUBLIC", "UPDATE secret of", "PUBLIC"),
        ("REVOKE INSERT ON exchange FROM {w}", "lacks what it needs on exchange", "migrate"),
        ("REVOKE UPDATE (size) ON ledger_state FROM {w}", "may not update", "migrate"),
    ],
)
def test_each_difference_is_found_with_its_fix(site, wrong, what, fix):
    names = {"w": f"writer_{site.name}", "e": f"eraser_{site.name}", "d": site.name}
    site.execute(wrong.format(**names))
    told = [one for one in found(site.writer) if what in one.what]
    assert len(told) == 1
    assert fix in told[0].fix
    assert told[0].refuses


@pytest.mark.parametrize(
    "wrong",
    [
        "GRANT DELETE ON ledger_leaf TO {w}",
        "GRANT UPDATE (leaf) ON ledger_leaf TO {w}",
        "GRANT UPDATE (secret) ON person TO PUBLIC",
        "GRANT UPDATE ON ledger_body TO PUBLIC",
        "GRANT pg_write_all_data TO {w}",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "ALTER ROLE {w} CREATEDB",
    ],
)
def test_the_fix_that_is_printed_mends_it(site, wrong):
    site.execute(wrong.format(w=f"writer_{site.name}"))
    # A membership lets everything else look too much as well: first things first.
    while told := found(site.writer):
        site.execute(told[0].fix)
    assert found(site.writer) == []


def test_migrating_again_takes_back_what_was_granted_by_hand(site):
    site.execute(f"GRANT ALL ON ledger_leaf, person TO writer_{site.name}")
    migrate(site.migrator, soon(), site.roles)
    assert found(site.writer) == []
