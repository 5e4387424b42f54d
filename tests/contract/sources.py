"""The same three people in every kind of source, each with the real part behind it."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from adapters.base import Source
from adapters.memory import MemorySource
from adapters.model import SourceAddress
from adapters.registry import build
from kernel.errors import Reason, Refusal
from kernel.names import Pointer
from tests.contract.loopback import answer, serving

SUBJECT_AT = Pointer("/number")
ALL = frozenset(
    map(
        Pointer,
        (
            "/name/family",
            "/name/given",
            "/nickname",
            "/children/*/name",
            "/children/*/birth_date",
        ),
    )
)
PEOPLE = {
    "RN-1": {
        "number": "RN-1",
        "name": {"family": "Ünal", "given": "Amina"},
        "children": [
            {"name": "Noor", "birth_date": "2026-01-02"},
            {"name": "ليلى"},
        ],
    },
    "RN-2": {
        "number": "RN-2",
        "name": {"family": "O'Brien; DROP TABLE person", "given": "Σωκράτης"},
        "nickname": 'the "quoted"\nand broken',
        "children": [{"name": "翔", "birth_date": "2020-02-29"}],
    },
    "RN/3 ?&#%": {
        "number": "RN/3 ?&#%",
        "name": {"family": "Иванова", "given": "Мария"},
        "children": [{"name": "अदिति", "birth_date": "2011-11-11"}],
    },
}

SQL_READ = {
    "table": "person",
    "key": "number",
    "columns": {
        "/number": "number",
        "/name/family": "family_name",
        "/name/given": "given_name",
        "/nickname": "nickname",
    },
    "lists": {
        "/children": {
            "table": "child",
            "key": "parent",
            "columns": {"/name": "name", "/birth_date": "born"},
            "order": "place",
            "limit": 5,
        }
    },
}
REST_READ = {"path": "/v1/people/{subject}", "fields_parameter": "fields"}
CSV_READ = {
    "format": "csv",
    "file": "people.csv",
    "key": "number",
    "columns": {
        "/number": "number",
        "/name/family": "family_name",
        "/name/given": "given_name",
        "/nickname": "nickname",
    },
    "rows": {
        "list": "/children",
        "columns": {"/name": "child_name", "/birth_date": "child_born"},
        "limit": 5,
    },
}
JSON_READ = {"format": "json", "file": "people.json", "key": "/number"}

Stage = Callable[[Path], "contextmanager[Source]"]


def write_database(file: Path) -> None:
    """Write the people as two tables."""
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE person (number TEXT, family_name, given_name, nickname)")
        database.execute("CREATE TABLE child (parent TEXT, place INTEGER, name TEXT, born TEXT)")
        for number, one in PEOPLE.items():
            name = one["name"]
            database.execute(
                "INSERT INTO person VALUES (?, ?, ?, ?)",
                (number, name["family"], name["given"], one.get("nickname")),
            )
            for place, child in enumerate(one["children"]):
                database.execute(
                    "INSERT INTO child VALUES (?, ?, ?, ?)",
                    (number, place, child["name"], child.get("birth_date")),
                )


def csv_text() -> str:
    """Return the people as CSV, a line per child."""
    columns = ("number", "family_name", "given_name", "nickname", "child_name", "child_born")
    lines = [columns]
    for one in PEOPLE.values():
        for child in one["children"]:
            name = one["name"]
            person = (one["number"], name["family"], name["given"], one.get("nickname", ""))
            lines.append((*person, child["name"], child.get("birth_date", "")))
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in line] for line in lines]
    return "".join(",".join(line) + "\r\n" for line in quoted)


@contextmanager
def sql(directory: Path) -> Iterator[Source]:
    """Serve the people from an SQLite file."""
    file = directory / "people.db"
    write_database(file)
    yield from _closing(build("sql", SQL_READ, SUBJECT_AT, at("register", f"sqlite:///{file}")))


@contextmanager
def rest(_: Path) -> Iterator[Source]:
    """Serve the people from a loopback HTTP server that knows no fields and sends all."""

    def one(connection: object, head: bytes) -> None:
        target = urlsplit(head.split(b" ", 2)[1].decode("ascii"))
        person = PEOPLE.get(unquote(target.path.rpartition("/")[2]))
        connection.sendall(
            answer(b"{}", "404 Not Found")
            if person is None
            else answer(json.dumps(person, ensure_ascii=False).encode())
        )

    with serving(one) as server:
        yield from _closing(build("rest", REST_READ, SUBJECT_AT, at("register", server.url)))


@contextmanager
def csv(directory: Path) -> Iterator[Source]:
    """Serve the people from a CSV drop."""
    (directory / "people.csv").write_text(csv_text(), encoding="utf-8", newline="")
    yield from _closing(build("files", CSV_READ, SUBJECT_AT, at("register", f"file://{directory}")))


@contextmanager
def json_array(directory: Path) -> Iterator[Source]:
    """Serve the people from a JSON drop."""
    text = json.dumps(list(PEOPLE.values()), ensure_ascii=False, indent=1)
    (directory / "people.json").write_text(text, encoding="utf-8")
    address = at("register", f"file://{directory}")
    yield from _closing(build("files", JSON_READ, SUBJECT_AT, address))


@contextmanager
def memory(_: Path) -> Iterator[Source]:
    """Serve the people from memory."""
    yield from _closing(MemorySource("register", PEOPLE))


STAGES = {"sql": sql, "rest": rest, "csv": csv, "json": json_array, "memory": memory}


@contextmanager
def sql_down(directory: Path) -> Iterator[Source]:
    """Point to a database that is not there."""
    address = at("register", f"sqlite:///{directory}/none.db")
    yield from _closing(build("sql", SQL_READ, SUBJECT_AT, address))


@contextmanager
def rest_down(_: Path) -> Iterator[Source]:
    """Point to a port where nobody listens any more."""
    with serving(lambda *_: None) as server:
        pass
    yield from _closing(build("rest", REST_READ, SUBJECT_AT, at("register", server.url)))


@contextmanager
def files_down(directory: Path) -> Iterator[Source]:
    """Point to a directory without the file."""
    yield from _closing(build("files", CSV_READ, SUBJECT_AT, at("register", f"file://{directory}")))


@contextmanager
def memory_down(_: Path) -> Iterator[Source]:
    """Refuse as a source that is down does."""
    refusal = Refusal(Reason.SOURCE_UNAVAILABLE, "The source register is down.")
    yield from _closing(MemorySource("register", PEOPLE, refusal))


DOWN = {"sql": sql_down, "rest": rest_down, "files": files_down, "memory": memory_down}


def at(name: str, url: str, **more: object) -> SourceAddress:
    """Return an address."""
    return SourceAddress(name=name, url=url, **more)


def _closing(source: Source) -> Iterator[Source]:
    try:
        yield source
    finally:
        source.close()
