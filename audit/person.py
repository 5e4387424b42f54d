"""Person: everything that the ledger says about somebody, in their own numbered list."""

import sqlite3
from base64 import urlsafe_b64decode
from collections.abc import Iterator

import orjson

from audit import store
from audit.disclosures import Place, RootKey, Unreadable, unseal
from audit.leaf import digest
from audit.model import Activity, BadLedger
from kernel.canonical import Json
from kernel.effect import Key
from kernel.names import SubjectRef

_PAGE = 256


def activity(connection: sqlite3.Connection, root: RootKey, ref: SubjectRef) -> Iterator[Activity]:
    """Yield the entries that concern a person, in order, opened with their own key.

    Raises `BadLedger` when a number is missing, or a disclosure is not the one in the leaf.
    """
    key = Key("person", (ref,))
    row = store.load(connection, [key])[key]
    head = store.head(connection)
    if row is None or head is None:
        return
    secret, count = row["secret"], row["number"]
    if not isinstance(secret, bytes) or not isinstance(count, int):
        raise BadLedger("a row of the person table is not as the ledger wrote it")
    last = -1
    for first in range(1, count + 1, _PAGE):
        expected = list(range(first, min(first + _PAGE, count + 1)))
        rows = connection.execute(
            'SELECT b.number, b."index", b.sealed, l.leaf FROM ledger_body AS b'
            ' JOIN ledger_leaf AS l ON l."index" = b."index"'
            ' WHERE b.person = ? AND b."index" > ? ORDER BY b."index" LIMIT ?',
            (ref, last, len(expected)),
        ).fetchall()
        if [number for number, *_ in rows] != expected:
            raise BadLedger("a person's list has a gap: an entry about them was removed")
        for number, index, sealed, leaf in rows:
            yield _open(root, secret, Place(head.origin, index, ref), (number, sealed, leaf))
            last = index


def _open(root: RootKey, secret: bytes, place: Place, found: tuple[int, bytes, bytes]) -> Activity:
    number, sealed, leaf = found
    header: dict[str, Json] = orjson.loads(leaf)
    digests = header.pop("_sd")
    header.pop("_sd_alg")
    try:
        texts = unseal(root, secret, place, sealed)
    except Unreadable as error:
        raise BadLedger(f"the disclosures of entry {place.entry} do not open: {error}") from error
    disclosures: dict[str, Json] = {}
    for text in texts:
        if not isinstance(digests, list) or digest(text) not in digests:
            raise BadLedger(f"a disclosure of entry {place.entry} is not the one in its leaf")
        _, name, value = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        disclosures[name] = value
    return Activity(number, place.entry, header, disclosures)
