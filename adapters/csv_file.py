"""CSV drops: RFC 4180, strictly, in UTF-8, with the columns that the catalogue names."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import BinaryIO

from adapters.drop import MAX_TEXT, Content, Entry, Garbled
from adapters.model import CsvRead
from adapters.record import cells, nest, path, put
from kernel.canonical import Json

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _Lines:
    """The lines of a file as text, counting the bytes that have been taken so far."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = 0
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(MAX_TEXT + 1):
            first = not self.taken
            self.taken += len(line)
            if self.taken - self._start > MAX_TEXT:
                raise Garbled(f"has a record of more than {MAX_TEXT} bytes")
            if not line.endswith(b"\n"):
                # A file that was cut off in writing looks like this.
                raise Garbled("does not end with a line break")
            yield _text(line.removeprefix(_BYTE_ORDER_MARK) if first else line)

    def begin_record(self) -> int:
        """Return where the next record starts, and measure its size from there."""
        self._start = self.taken
        return self._start


class CsvFormat:
    """Cuts a CSV file into lines, and makes one person's record of theirs."""

    def __init__(self, read: CsvRead) -> None:
        """Keep how the catalogue reads the file."""
        self._read = read
        rows = {} if read.rows is None else read.rows.columns
        self._needed = {read.key, *read.columns.values(), *rows.values()}
        self.limit = 1 if read.rows is None else read.rows.limit

    def content(self, file: BinaryIO) -> Content:
        """Return the header and every line's key and place, or raise `Garbled`."""
        lines = _Lines(file)
        records = self._records(lines)
        header = next(records, None)
        if header is None:
            raise Garbled("is empty")
        if len(set(header)) != len(header):
            raise Garbled("names a column twice")
        if missing := sorted(self._needed.difference(header)):
            raise Garbled(f"has no column {missing[0]}")
        return Content(tuple(header), self._entries(lines, records, header))

    def record(
        self, texts: Sequence[bytes], header: Sequence[str], key: str, wanted: frozenset[str]
    ) -> dict[str, Json] | None:
        """Return the wanted fields of one person, None where no line is theirs.

        Raises `Garbled` when there are more lines than the catalogue allows, or they disagree.
        """
        rows = [row for text in texts if (row := self._row(text, header))[self._read.key] == key]
        if not rows:
            return None
        if len(rows) > self.limit:
            raise Garbled("has more lines for one person than the catalogue allows")
        main = cells(self._read.columns, wanted)
        record, *others = (nest(main, [row[cell.column] for cell in main]) for row in rows)
        if any(other != record for other in others):
            raise Garbled("has lines of one person that contradict each other")
        self._add_rows(record, rows, wanted)
        return record

    def _add_rows(
        self,
        record: dict[str, Json],
        rows: Iterable[dict[str, str | None]],
        wanted: frozenset[str],
    ) -> None:
        if self._read.rows is None:
            return
        inner = cells(self._read.rows.columns, wanted, f"{self._read.rows.list}/*")
        if inner:
            items = [nest(inner, [row[cell.column] for cell in inner]) for row in rows]
            put(record, path(self._read.rows.list), items)

    def _entries(
        self, lines: _Lines, records: Iterator[list[str]], header: Sequence[str]
    ) -> Iterator[Entry]:
        key = header.index(self._read.key)
        start = lines.begin_record()
        for row in records:
            if row:  # An empty line says nothing.
                if len(row) != len(header):
                    raise Garbled("has a line with more or fewer cells than its header")
                yield Entry(row[key], start, lines.taken - start)
            start = lines.begin_record()

    def _row(self, text: bytes, header: Sequence[str]) -> dict[str, str | None]:
        """Return the cells of one record by column; an empty cell is no value."""
        row = next(self._records(StringIO(_text(text), newline="")), [])
        if len(row) != len(header):
            raise Garbled("has a line with more or fewer cells than its header")
        return {name: cell or None for name, cell in zip(header, row, strict=True)}

    def _records(self, lines: Iterable[str]) -> Iterator[list[str]]:
        reader = csv.reader(lines, delimiter=self._read.delimiter, strict=True)
        try:
            yield from reader
        except csv.Error as error:
            raise Garbled("is not valid CSV") from error


def _text(line: bytes) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        # The decoder's error carries the bytes, so it is not shown as the cause.
        raise Garbled("is not in UTF-8") from None
    if "\0" in text:
        raise Garbled("has a NUL character")
    return text
