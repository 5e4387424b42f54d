"""Journal: what the guard keeps of a restriction so that it can be put back, sealed, about nobody.

The public header of a lock names nobody; whom it is about, and what was said, is sealed beside it
under a key of the disclosures' root, bound to the log's origin and the entry's index.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit import store
from audit.disclosures import Place, RootKey, Unreadable, unseal
from audit.guard import Restriction
from audit.leaf import NONCE, disclosed
from audit.model import BadLedger
from audit.shards import Origins
from kernel.canonical import Json, canonical, parse
from kernel.database_model import Connection
from kernel.effect import Key
from kernel.entry import Concerned
from kernel.names import Subject, SubjectRef

MAX_CONTENT: Final = 32 * 1024
"""Bytes of what a line says in secret; what is longer is left out, and the people kept."""
_MISSING = (
    'SELECT l."index", l.hash, l.leaf FROM ledger_restriction AS r'
    ' JOIN ledger_leaf AS l ON l."index" = r."index" WHERE r."index" > ? ORDER BY r."index"'
)
# No index leads from an entry to its bodies; what is missing is asked for in one pass.
_BODIES = (
    'SELECT b."index", b.person, b.sealed FROM ledger_body AS b WHERE b."index" IN'
    ' (SELECT r."index" FROM ledger_restriction AS r WHERE r."index" > ?) ORDER BY b."index"'
)


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """Whom a restriction is about, and what its entry disclosed."""

    people: tuple[Concerned, ...] = ()
    disclosures: Mapping[str, Json] = field(default_factory=dict)
    whole: bool = True
    """False where the disclosures were too long to be kept."""


def sealed(root: RootKey, origin: str, index: int, content: Content) -> bytes:
    """Return the content under AES-256-GCM; the same content at the same place is the same bytes,
    so that a line which a crash kept from the journal can be written again."""
    text = _text(content)
    if len(text) > MAX_CONTENT:
        text = _text(Content(content.people, {}, whole=False))
    key, bound = root.journal(), root.mark + _bound(origin, index)
    nonce = hmac.digest(key, b"nonce\n" + bound + b"\n" + text, sha256)[:NONCE]
    return root.mark + nonce + AESGCM(key).encrypt(nonce, text, bound)


def unsealed(root: RootKey, line: Restriction) -> Content:
    """Return the content of a line of the journal, or raise `Unreadable`."""
    mark, data = root.mark, line.sealed
    if not data.startswith(mark):
        raise Unreadable("the restriction is sealed under another root key")
    nonce, text = data[len(mark) : len(mark) + NONCE], data[len(mark) + NONCE :]
    bound = mark + _bound(line.origin, line.index)
    try:
        said = parse(AESGCM(root.journal()).decrypt(nonce, text, bound), max_bytes=MAX_CONTENT)
    except (InvalidTag, ValueError):
        raise Unreadable("the sealed restriction does not open") from None
    match said:
        case {"people": [*people], "disclosures": dict(disclosures), "whole": bool(whole)}:
            return Content(tuple(map(_person, people)), disclosures, whole)
    raise Unreadable("the sealed restriction is not as the ledger wrote it")


def missing(
    connection: Connection, root: RootKey, origins: Origins, after: int
) -> Sequence[Restriction]:
    """Return the restrictions after an entry as the database itself holds them."""
    rows = connection.execute(_MISSING, (after,)).fetchall()
    if not rows:
        return []
    contents = _contents(connection, root, origins, after)
    lines = []
    for index, value, text in rows:
        origin = origins.at(index)
        content = sealed(root, origin, index, contents.get(index, Content()))
        lines.append(Restriction(index, value, header(text), origin, content))
    return lines


def _contents(
    connection: Connection, root: RootKey, origins: Origins, after: int
) -> Mapping[int, Content]:
    found: dict[int, Content] = {}
    for index, ref, body in connection.execute(_BODIES, (after,)).fetchall():
        place = Place(origins.at(index), index, ref)
        try:
            texts = unseal(root, _secret(connection, ref), place, body)
        except Unreadable as error:
            raise BadLedger(f"the disclosures of entry {index} do not open: {error}") from error
        said = dict(map(disclosed, texts))
        held = found.get(index, Content())
        people = (*held.people, *_named(ref, said.pop("subject", None)))
        found[index] = Content(people, {**said, **held.disclosures})
    return found


def _secret(connection: Connection, ref: str) -> bytes:
    key = Key("person", (ref,))
    row = store.load(connection, [key])[key] if ref else None
    secret = b"" if row is None else row["secret"]
    return secret if isinstance(secret, bytes) else b""


def _named(ref: str, subject: Json) -> Iterator[Concerned]:
    match subject:
        case {"scheme": str(scheme), "value": str(value)}:
            yield Concerned(SubjectRef(ref), Subject(scheme, value))


def _person(said: Json) -> Concerned:
    match said:
        case [str(ref), str(scheme), str(value)]:
            return Concerned(SubjectRef(ref), Subject(scheme, value))
    raise Unreadable("the sealed restriction is not as the ledger wrote it")


def _text(content: Content) -> bytes:
    people: list[Json] = [
        [one.ref, one.subject.scheme, one.subject.value]
        for one in sorted(content.people, key=lambda one: one.ref)
    ]
    said: dict[str, Json] = {"people": people, "whole": content.whole}
    return canonical({**said, "disclosures": dict(content.disclosures)})


def _bound(origin: str, index: int) -> bytes:
    return f"{origin}\n{index}".encode()


def header(text: bytes) -> Mapping[str, Json]:
    """Return the header as the journal has it; the digests and the version stay in the leaf."""
    members: dict[str, Json] = orjson.loads(text)
    return {name: members[name] for name in members if name not in {"_sd", "_sd_alg", "v"}}
