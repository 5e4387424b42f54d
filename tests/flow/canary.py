"""Canaries: every form in which a value could stand in a file, and the files in which one does."""

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

ENOUGH = 6
"""Bytes that a value must have, so that chance does not write it into a ciphertext."""


def forms(value: str) -> set[bytes]:
    """Return a value in UTF-8, UTF-16, JSON, percent, hex and base64, at every alignment."""
    plain, escaped, percent = (
        value.encode(),
        json.dumps(value)[1:-1].encode(),
        quote(value, safe=""),
    )
    found = {plain, escaped, percent.encode(), percent.lower().encode()}
    found |= {value.encode("utf-16-le"), value.encode("utf-16-be")}
    for raw in (plain, escaped):
        found |= {raw.hex().encode(), raw.hex().upper().encode(), *_base64(raw)}
    return found


def _base64(raw: bytes) -> Iterator[bytes]:
    """Yield what stands in base64 whatever comes before and after (RFC 4648 §4 and §5)."""
    for shift in range(3):
        first, last = -(-8 * shift // 6), 8 * (shift + len(raw)) // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(shift) + raw)[first:last]


def found(values: Iterable[str], places: dict[str, bytes]) -> set[str]:
    """Return `value in place` for every value that stands in a place in any form."""
    return {
        f"{value!r} in {place}"
        for value in set(values)
        for form in forms(value)
        for place, content in places.items()
        if form in content
    }


def files_under(*directories: Path) -> dict[str, bytes]:
    """Return the content of every file, and of a database also row by row."""
    contents: dict[str, bytes] = {}
    for path in (path for directory in directories for path in directory.rglob("*")):
        if path.is_file():
            contents[str(path)] = path.read_bytes()
            if path.suffix == ".db":
                # A value that runs over two pages is whole only in its row.
                contents[f"{path} (rows)"] = b"\n".join(_cells(path))
    return contents


def _cells(path: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table}"').fetchall():
                yield from (cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
