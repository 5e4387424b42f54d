"""What the catalogue may say to an adapter, and the sentence that a mistake gets."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from adapters.model import SourceAddress
from adapters.registry import KINDS, build, check
from kernel.names import Pointer

SQL = {
    "table": "residents",
    "key": "number",
    "columns": {"/number": "number", "/name/family": "family_name"},
    "lists": {
        "/children": {"table": "children", "key": "parent", "columns": {"/birth_date": "born"}}
    },
}
REST = {"path": "/v1/people/{subject}"}
CSV = {
    "format": "csv",
    "file": "enrolments.csv",
    "key": "guardian",
    "columns": {"/guardian": "guardian"},
    "rows": {"list": "/enrolments", "columns": {"/school": "school"}},
}
JSON = {"format": "json", "file": "people.json", "key": "/number"}


def changed(block: Mapping[str, Any], at: str, value: object) -> dict[str, Any]:
    """Return a copy in which the member at a dotted path is another."""
    copy: Any = deepcopy(dict(block))
    *way, last = at.split(".")
    inner = copy
    for token in way:
        inner = inner[token]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return copy


@pytest.mark.parametrize(
    ("kind", "read"), [("sql", SQL), ("rest", REST), ("files", CSV), ("files", JSON)]
)
def test_a_good_block_passes(kind: str, read: Mapping[str, Any]) -> None:
    assert kind in KINDS
    check(kind, read)


@pytest.mark.parametrize(
    ("kind", "read", "sentence"),
    [
        ("sqlite", SQL, "the adapter must be one of files, rest, sql"),
        ("sql", changed(SQL, "tabel", "x"), "read.tabel is not a member that this adapter knows"),
        ("sql", changed(SQL, "table", None), "read.table is missing"),
        ("sql", changed(SQL, "table", 'a"; --'), "read.table must be a plain name"),
        ("sql", changed(SQL, "table", "a.b.c"), "read.table must be a plain name"),
        ("sql", changed(SQL, "key", 7), "read.key is wrong: input should be a valid string"),
        ("sql", changed(SQL, "columns", {}), "read.columns is wrong"),
        ("sql", changed(SQL, "columns", {"name": "x"}), "must be a JSON Pointer"),
        ("sql", changed(SQL, "columns", {"/a/*": "x"}), "must be a JSON Pointer without '*'"),
        ("sql", changed(SQL, "columns", {"/a~2": "x"}), "must be a JSON Pointer"),
        ("sql", changed(SQL, "columns", {"/a": "x", "/a/b": "y"}), "/a cannot hold a value and"),
        ("sql", changed(SQL, "columns./children", "x"), "/children cannot be a column and a list"),
        ("sql", changed(SQL, "columns./children/count", "x"), "/children cannot hold a value and"),
        ("sql", changed(SQL, "lists./children.limit", 0), "read.lists./children.limit is wrong"),
        ("sql", changed(SQL, "lists./children.limit", "5"), "read.lists./children.limit is wrong"),
        ("sql", changed(SQL, "lists./children.where", "1=1"), "read.lists./children.where is not"),
        ("rest", changed(REST, "path", "/v1/people"), "read.path must be a path with one segment"),
        ("rest", changed(REST, "path", "/{subject}/{subject}"), "read.path must be a path"),
        ("rest", changed(REST, "path", "/a/x{subject}"), "read.path must be a path"),
        ("rest", changed(REST, "path", "//evil/{subject}"), "read.path must be a path"),
        ("rest", changed(REST, "path", "@evil/{subject}"), "read.path must be a path"),
        ("rest", changed(REST, "path", "/{subject}?x=1"), "read.path must be a path"),
        ("rest", changed(REST, "path", "/../{subject}"), "read.path must not have the segments"),
        ("rest", changed(REST, "not_found", [200]), "read.not_found.0 is wrong"),
        ("rest", changed(REST, "secret", "x"), "read.secret is not a member"),
        ("rest", changed(REST, "url", "https://x"), "read.url is not a member"),
        ("files", changed(CSV, "format", "xml"), "read.format must be csv or json"),
        ("files", changed(CSV, "format", None), "read.format must be csv or json"),
        ("files", changed(CSV, "file", "../x.csv"), "read.file must be the name of a file"),
        ("files", changed(CSV, "file", ".hidden"), "read.file must be the name of a file"),
        ("files", changed(CSV, "delimiter", "|"), "read.delimiter is wrong"),
        ("files", changed(CSV, "rows.list", "/guardian"), "/guardian cannot be a column and a"),
        ("files", changed(CSV, "rows.list", "/guardian/of"), "/guardian cannot hold a value and"),
        ("files", changed(JSON, "key", "number"), "read.key must be a JSON Pointer"),
        ("files", changed(JSON, "columns", {}), "read.columns is not a member"),
    ],
)
def test_a_mistake_gets_one_plain_sentence_that_names_the_member(
    kind: str, read: Mapping[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as mistake:
        check(kind, read)
    assert sentence in str(mistake.value)


@pytest.mark.parametrize(
    ("kind", "read", "there", "missing"),
    [
        ("sql", SQL, "/name/family", "/name/given"),
        ("sql", SQL, "/children/*/birth_date", "/children/*/name"),
        ("sql", SQL, "/number", "/children"),
        ("files", CSV, "/enrolments/*/school", "/enrolments/*/since"),
        ("files", CSV, "/guardian", "/pupils/*/school"),
        ("files", changed(CSV, "rows", None), "/guardian", "/enrolments/*/school"),
    ],
)
def test_a_field_that_the_block_does_not_lead_to_is_named(
    kind: str, read: Mapping[str, Any], there: str, missing: str
) -> None:
    check(kind, read, [Pointer(there)])
    with pytest.raises(ValueError, match="read does not say where") as mistake:
        check(kind, read, [Pointer(there), Pointer(missing)])
    assert missing in str(mistake.value)


@pytest.mark.parametrize(("kind", "read"), [("rest", REST), ("files", JSON)])
def test_a_record_in_the_services_own_shape_leads_to_every_field(
    kind: str, read: Mapping[str, Any]
) -> None:
    check(kind, read, [Pointer("/anything"), Pointer("/list/*/of/*/anything")])


def test_a_source_without_the_identifier_of_its_person_is_not_built() -> None:
    address = SourceAddress("population", "sqlite:////nowhere.db")
    with pytest.raises(ValueError, match="/who"):
        build("sql", SQL, Pointer("/who"), address)
