"""The SQL adapter against real SQLite files that are blocked, slow, broken or not as described."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Source
from adapters.registry import build
from adapters.sql import CONNECTIONS
from kernel.errors import Reason
from tests.contract.asking import ask, refusal
from tests.contract.sources import ALL, PEOPLE, SQL_READ, SUBJECT_AT, at, write_database

Change = Callable[[str], None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_database(tmp_path / "people.db")
    return tmp_path / "people.db"


@pytest.fixture
def source(file: Path) -> Iterator[Source]:
    with reading(file) as source:
        yield source


@contextmanager
def reading(file: Path, read: dict[str, Any] = SQL_READ) -> Iterator[Any]:
    source = build("sql", read, SUBJECT_AT, at("register", f"sqlite:///{file}"))
    try:
        yield source
    finally:
        source.close()


def run(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.executescript(script)


def test_a_crafted_identifier_leaves_the_tables_as_they_are(source: Source, file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(Exception, match=r"subject\.not_released"):
        ask(source, *ALL, number="RN-1'; DROP TABLE person; --")
    assert file.read_bytes() == before


def test_the_connection_cannot_write(file: Path) -> None:
    with reading(file) as source, closing(source._database.connect()) as connection:
        for statement in ("DELETE FROM person", "CREATE TABLE t (x)", "PRAGMA user_version = 7"):
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                connection.execute(statement)
        with pytest.raises(sqlite3.OperationalError, match="too many attached"):
            connection.execute("ATTACH ':memory:' AS other")


def test_a_blocked_database_is_a_timeout_and_the_next_request_works(
    source: Source, file: Path
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert refusal(source, *ALL, seconds=0.2).reason is Reason.SOURCE_TIMEOUT
        writer.execute("ROLLBACK")
    assert ask(source, *ALL) == PEOPLE["RN-1"]


def test_a_slow_view_is_stopped_at_the_deadline(file: Path) -> None:
    run(
        file,
        "CREATE VIEW slow AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT 'RN-1' AS number, i AS family_name FROM n WHERE i < 0",
    )
    read = {"table": "slow", "key": "number", "columns": {"/number": "number", "/n": "family_name"}}
    with reading(file, read) as source:
        assert refusal(source, "/n", seconds=0.2).reason is Reason.SOURCE_TIMEOUT


def test_a_request_that_finds_no_free_connection_waits_no_longer_than_its_deadline(
    file: Path,
) -> None:
    with reading(file) as source:
        for _ in range(CONNECTIONS):
            source._free.acquire()
        assert refusal(source, *ALL, seconds=0.1).reason is Reason.SOURCE_TIMEOUT


def test_a_list_is_read_only_when_it_is_asked_for(source: Source, file: Path) -> None:
    run(file, "DROP TABLE child")
    assert ask(source, "/name/family") == {"number": "RN-1", "name": {"family": "Ünal"}}
    assert refusal(source, *ALL).reason is Reason.SOURCE_BAD_ANSWER


def test_a_file_that_is_no_database_is_a_bad_answer(tmp_path: Path) -> None:
    (tmp_path / "people.db").write_bytes(b"this is not a database" * 100)
    with reading(tmp_path / "people.db") as source:
        assert refusal(source, *ALL).reason is Reason.SOURCE_BAD_ANSWER


def test_a_missing_column_is_a_bad_answer_and_never_its_name_as_text(file: Path) -> None:
    read = {**SQL_READ, "columns": {"/number": "number", "/name/family": "no_such_column"}}
    with reading(file, read) as source:
        assert refusal(source, "/name/family").reason is Reason.SOURCE_BAD_ANSWER


def test_a_field_without_a_column_is_never_asked(source: Source) -> None:
    assert refusal(source, "/religion").reason is Reason.SOURCE_BAD_ANSWER


def test_two_rows_for_one_person_are_a_bad_answer(source: Source, file: Path) -> None:
    run(file, "INSERT INTO person (number, family_name) VALUES ('RN-1', 'another')")
    assert refusal(source, *ALL).reason is Reason.SOURCE_BAD_ANSWER


def test_more_items_than_the_catalogue_allows_are_a_bad_answer(source: Source, file: Path) -> None:
    run(file, "INSERT INTO child VALUES" + ",".join(["('RN-1', 9, 'x', NULL)"] * 4))
    assert refusal(source, *ALL).reason is Reason.SOURCE_BAD_ANSWER


@pytest.mark.parametrize(
    "value",
    [
        "x'00ff'",
        "9007199254740992",
        "9e999",
        "CAST(x'c328' AS TEXT)",
        "printf('%.*c', 3000000, 'x')",
    ],
    ids=["blob", "big integer", "infinity", "bad UTF-8", "3 MB text"],
)
def test_a_value_that_json_cannot_carry_is_a_bad_answer(
    source: Source, file: Path, value: str
) -> None:
    run(file, f"UPDATE person SET family_name = {value} WHERE number = 'RN-1'")
    found = refusal(source, "/name/family")
    assert found.reason is Reason.SOURCE_BAD_ANSWER
    assert ask(source, "/name/family", number="RN-2")["number"] == "RN-2"


def test_a_record_may_not_be_large_in_sum_either(source: Source, file: Path) -> None:
    run(file, "UPDATE child SET name = printf('%.*c', 1900000, 'x') WHERE parent = 'RN-1'")
    assert refusal(source, *ALL).reason is Reason.SOURCE_BAD_ANSWER


def test_numbers_stay_numbers(source: Source, file: Path) -> None:
    run(file, "ALTER TABLE person ADD COLUMN income; UPDATE person SET income = 2.5")
    read = {"table": "person", "key": "number", "columns": {"/number": "number", "/a/b": "income"}}
    with reading(file, read) as other:
        assert ask(other, "/a/b") == {"number": "RN-1", "a": {"b": 2.5}}


def test_names_from_the_catalogue_are_quoted(file: Path) -> None:
    run(file, 'CREATE TABLE "order" (number, "select"); INSERT INTO "order" VALUES (\'RN-1\', 1)')
    read = {
        "table": "main.order",
        "key": "number",
        "columns": {"/number": "number", "/x": "select"},
    }
    with reading(file, read) as source:
        assert ask(source, "/x") == {"number": "RN-1", "x": 1}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///relative.db", "absolute"),
        ("sqlite://", "absolute"),
        ("sqlite:////x.db?mode=rwc", "absolute"),
        ("oracle://host/db", "oracle"),
        ("nonsense", "database URL"),
    ],
)
def test_an_address_that_is_none_is_refused_at_the_start(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build("sql", SQL_READ, SUBJECT_AT, at("register", url))
