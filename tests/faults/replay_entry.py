"""One entry of the ledger with its disclosures opened, for whoever reads the story from it."""

import calendar
import json
import sqlite3
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from audit.disclosures import Place, RootKey, unseal

SECOND = 1_000_000
DAY = 86_400 * SECOND

Row = dict[str, object]
Tables = dict[str, dict[tuple, Row]]


class Contradiction(Exception):
    """An entry cannot follow those before it, or is not what its leaf commits to."""


@dataclass(frozen=True)
class Entry:
    """One leaf with its disclosures opened."""

    index: int
    leaf: dict
    told: dict
    person: str | None

    @property
    def at(self) -> int:
        """The time in microseconds, from RFC 3339 text with six digits of a second."""
        text = self.leaf["time"]
        seconds = calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
        return seconds * SECOND + int(text[20:26])


def opened(
    connection: sqlite3.Connection, root: RootKey, origin: str, leaves: Sequence[dict]
) -> Iterator[Entry]:
    """Yield the entries; raise `Contradiction` when a disclosure is not the one in its leaf."""
    bodies = connection.execute(
        'SELECT b."index", b.person, b.number, b.sealed, p.secret FROM ledger_body b'
        " LEFT JOIN person p ON p.ref = b.person"
    ).fetchall()
    sealed = {index: rest for index, *rest in bodies}
    if len(sealed) != len(bodies):
        raise Contradiction("an entry about one person has two bodies")
    for index, leaf in enumerate(leaves):
        person, number, text, secret = sealed.pop(index, ("", None, None, b""))
        told = {}
        digests = set()
        if text is not None:
            for part in unseal(root, secret or b"", Place(origin, index, person), text):
                _, name, value = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
                told[name] = value
                raw = sha256(part.encode()).digest()
                digests.add(urlsafe_b64encode(raw).decode().rstrip("="))
        if digests != set(leaf["_sd"]):
            raise Contradiction(f"the disclosures of entry {index} are not those of its leaf")
        if person and told["subject"]["log"]["number"] != number:
            raise Contradiction(f"entry {index} has another number than its body")
        yield Entry(index, leaf, told, person or None)
    if sealed:
        raise Contradiction(f"bodies without an entry: {sorted(sealed)}")
