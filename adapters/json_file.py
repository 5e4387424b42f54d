"""JSON drops: one array of records, each with the service's own pointers."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from adapters.drop import MAX_TEXT, Content, Entry, Garbled
from adapters.model import JsonRead
from adapters.record import MAX_DEPTH, path, pick
from kernel.canonical import BadJson, Json, parse

MAX_JSON_FILE = 32 * 1024 * 1024
"""Bytes: while it is indexed, and only then, the whole file is in memory."""
_DECODER = json.JSONDecoder()
_GAP = re.compile(r"[ \t\r\n]*")


class JsonFormat:
    """Cuts a JSON array into records, and reads one person's."""

    limit = 1

    def __init__(self, read: JsonRead) -> None:
        """Keep how the catalogue reads the file."""
        self._key = path(read.key)

    def content(self, file: BinaryIO) -> Content:
        """Return every record's key and place, or raise `Garbled`."""
        return Content((), self._entries(file))

    def record(
        self, texts: Sequence[bytes], header: Sequence[str], key: str, wanted: frozenset[str]
    ) -> dict[str, Json] | None:
        """Return the wanted fields of one person, None where no record is theirs.

        Raises `Garbled` when there are several.
        """
        assert not header  # noqa: S101 - JSON has none
        found = [record for text in texts if self._key_of(record := _parse(text)) == key]
        if len(found) > self.limit:
            raise Garbled("has several records for one person")
        return pick(found[0], wanted) if found else None

    def _entries(self, file: BinaryIO) -> Iterator[Entry]:
        for text, offset in _elements(file):
            yield Entry(self._key_of(_parse(text)), offset, len(text))

    def _key_of(self, record: dict[str, Json]) -> str:
        value: Json = record
        for token in self._key:
            value = value.get(token) if isinstance(value, dict) else None
        if not isinstance(value, str):
            raise Garbled("has a record without its person's identifier")
        return value


def _elements(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the text of every element of the file's array, and where it starts, in bytes."""
    text = _decoded(file.read(MAX_JSON_FILE + 1))
    # Up to the first element all is ASCII, so a character is a byte.
    at = offset = _after(text, _gap(text, 0), "[")
    more = not text.startswith("]", _gap(text, at))
    if not more:
        at = _gap(text, at) + 1
    while more:
        start = _gap(text, at)
        end = _end(text, start)
        element = text[start:end].encode()
        offset += start - at
        yield element, offset
        sign = _gap(text, end)
        more = text.startswith(",", sign)
        at = _after(text, sign, "," if more else "]")
        offset += len(element) + at - end
    if _gap(text, at) != len(text):
        raise Garbled("goes on after its array")


def _end(text: str, start: int) -> int:
    """Return where the value that starts here ends."""
    try:
        _, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        raise Garbled("is not an array of JSON objects") from None
    return end


def _decoded(content: bytes) -> str:
    if len(content) > MAX_JSON_FILE:
        raise Garbled(f"is larger than {MAX_JSON_FILE} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Garbled("is not in UTF-8") from None


def _gap(text: str, at: int) -> int:
    match = _GAP.match(text, at)
    return match.end() if match else at


def _after(text: str, at: int, sign: str) -> int:
    if not text.startswith(sign, at):
        raise Garbled("is not an array of JSON objects")
    return at + 1


def _parse(text: bytes) -> dict[str, Json]:
    try:
        value = parse(text, max_bytes=MAX_TEXT, max_depth=MAX_DEPTH)
    except BadJson as error:
        raise Garbled(f"has a record that cannot be accepted: {error}") from error
    if not isinstance(value, dict):
        raise Garbled("has a record that is not an object")
    return value
