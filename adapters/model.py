"""Nouns of the adapters: where a source is, and how the catalogue says that it is read."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_POINTER = re.compile(r"(/([^/~*\x00-\x1f]|~[01])+)+")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_PATH = re.compile(r"(/([A-Za-z0-9._~-]+|\{subject\}))+")


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """Where a source is and how we may come in: from settings, never from the catalogue."""

    name: str
    """The name that the catalogue gives it; every refusal says it."""
    url: str
    secret: str | None = field(default=None, repr=False)
    timeout: float = 10.0
    """Seconds that one fetch may take; the request's own deadline may be nearer."""
    allow: tuple[str, ...] = ()
    """Networks (CIDR) in which the source's host must lie; empty means any that is no trap."""


def _pointer(text: str) -> str:
    if not _POINTER.fullmatch(text):
        raise ValueError("must be a JSON Pointer without '*', as in /name/family")
    return text


def _identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError("must be a plain name of letters, digits and underscores")
    return text


def _file(text: str) -> str:
    if not _FILE.fullmatch(text):
        raise ValueError("must be the name of a file, without a directory")
    return text


def _path(text: str) -> str:
    segments = text.split("/")
    if not _PATH.fullmatch(text) or segments.count("{subject}") != 1:
        raise ValueError("must be a path with one segment {subject}, as in /v1/people/{subject}")
    if "." in segments or ".." in segments:
        raise ValueError("must not have the segments '.' or '..'")
    return text


PointerText = Annotated[str, Field(max_length=200), AfterValidator(_pointer)]
Identifier = Annotated[str, Field(max_length=127), AfterValidator(_identifier)]
Heading = Annotated[str, Field(min_length=1, max_length=100)]


def _separate(columns: Mapping[str, str]) -> Mapping[str, str]:
    for pointer in columns:
        if any(other.startswith(f"{pointer}/") for other in columns):
            raise ValueError(f"{pointer} cannot hold a value and other pointers below it")
    return columns


def _apart_from_lists(columns: Mapping[str, str], lists: Collection[str]) -> None:
    for pointer in lists:
        if pointer in columns:
            raise ValueError(f"{pointer} cannot be a column and a list")
    _separate(dict.fromkeys((*columns, *lists), ""))


SqlColumns = Annotated[
    dict[PointerText, Identifier],
    Field(min_length=1, max_length=100),
    AfterValidator(_separate),
]
CsvColumns = Annotated[
    dict[PointerText, Heading],
    Field(min_length=1, max_length=100),
    AfterValidator(_separate),
]


class Strict(BaseModel):
    """A part of the catalogue in which every member is known, typed and final."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SqlList(Strict):
    """Rows of a second table that become the items of one list of the record."""

    table: Identifier
    key: Identifier
    """The column that holds the identifier of the person whom the row belongs to."""
    columns: SqlColumns
    """Pointer within an item → column."""
    order: Identifier | None = None
    limit: int = Field(default=100, ge=1, le=1000)


class SqlRead(Strict):
    """`adapter: sql`: one row of a table or view tells the record of one person."""

    table: Identifier
    key: Identifier
    columns: SqlColumns
    lists: dict[PointerText, SqlList] = Field(default_factory=dict, max_length=10)

    @model_validator(mode="after")
    def _apart(self) -> "SqlRead":
        _apart_from_lists(self.columns, self.lists)
        return self

    def covers(self, pointer: str) -> bool:
        """Return whether a column tells this fact."""
        head, star, tail = pointer.partition("/*")
        if not star:
            return pointer in self.columns
        return head in self.lists and tail in self.lists[head].columns


class RestRead(Strict):
    """`adapter: rest`: one GET answers the record of one person, pointers as in the service."""

    path: Annotated[str, Field(max_length=200), AfterValidator(_path)]
    fields_parameter: Identifier | None = None
    """The query parameter that names, once per field, what is asked for."""
    not_found: list[Annotated[int, Field(ge=400, le=499)]] = Field(
        default_factory=lambda: [404], max_length=4
    )
    """The statuses by which the source says that it does not know the person."""
    record: PointerText | None = None
    """Where the answer holds the record; the whole answer when left out."""

    def covers(self, pointer: str) -> bool:
        """Return True: a record over HTTP has the service's own shape."""
        return bool(pointer)


class CsvRows(Strict):
    """Several lines of one person become the items of one list of the record."""

    list: PointerText
    columns: CsvColumns
    """Pointer within an item → column."""
    limit: int = Field(default=100, ge=1, le=1000)


class CsvRead(Strict):
    """`adapter: files`, `format: csv`: lines of a table that the agency drops now and then."""

    format: Literal["csv"]
    file: Annotated[str, Field(max_length=100), AfterValidator(_file)]
    key: Heading
    columns: CsvColumns
    """Pointer → column; on several lines of one person these must say the same."""
    rows: CsvRows | None = None
    delimiter: Literal[",", ";", "\t"] = ","

    @model_validator(mode="after")
    def _apart(self) -> "CsvRead":
        if self.rows is not None:
            _apart_from_lists(self.columns, [self.rows.list])
        return self

    def covers(self, pointer: str) -> bool:
        """Return whether a column tells this fact."""
        head, star, tail = pointer.partition("/*")
        if not star:
            return pointer in self.columns
        return self.rows is not None and head == self.rows.list and tail in self.rows.columns


class JsonRead(Strict):
    """`adapter: files`, `format: json`: an array of records, pointers as in the service."""

    format: Literal["json"]
    file: Annotated[str, Field(max_length=100), AfterValidator(_file)]
    key: PointerText
    """Where a record holds the identifier of its person."""

    def covers(self, pointer: str) -> bool:
        """Return True: a record in JSON has the service's own shape."""
        return bool(pointer)


Read = SqlRead | RestRead | CsvRead | JsonRead
