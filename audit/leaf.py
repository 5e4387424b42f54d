"""Leaves: what an entry says in the open, and the salted digests of all else (ADR 1, RFC 9901)."""

import re
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

import orjson

from kernel.canonical import Json, canonical
from kernel.chance import Chance
from kernel.entry import Entry, EntryType
from kernel.names import Subject

MAX_LEAF = 8 * 1024
MAX_DISCLOSED = 256 * 1024
MAX_CONCERNED = 64
SALT = 32
NONCE = 12

DISCLOSED: Final = frozenset({"actor", "request", "input", "consents", "response"})
"""What an entry may disclose; `subject` the ledger adds itself, since it numbers it."""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_NAME = re.compile(r"[!-~]{1,200}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[a-z_]{1,40}")
_DECISION = re.compile(r"permit|deny")
_KIND = re.compile(r"agreement|agency|source")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_ROOT = re.compile(r"[A-Za-z0-9+/]{43}=")
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{90}[A-Za-z0-9+/=]{2}")
_SENTENCE = re.compile(r"[!-~](?:[ -~]{0,398}[!-~])?")

MEMBERS: Final[Mapping[str, re.Pattern[str]]] = {
    "agency": _NAME,
    "agreement": _NAME,
    "agreement_revision": _DIGEST,
    "basis": _WORD,
    "case": _NAME,
    "client": _NAME,
    "consent": _NAME,
    "consumer": _NAME,
    "decision": _DECISION,
    "exchange": _NAME,
    "kept": _SIZE,
    "key": _NAME,
    "kind": _KIND,
    "name": _NAME,
    "origin": _NAME,
    "policy": _DIGEST,
    "previous": _NAME,
    "provider": _NAME,
    "purpose": _NAME,
    "reason": _SENTENCE,
    "root": _ROOT,
    "service": _NAME,
    "signature": _SIGNATURE,
    "size": _SIZE,
    "use": _WORD,
}

_PARTIES = frozenset({"exchange", "consumer"})
_TERMS = frozenset(
    {"provider", "service", "agreement", "agreement_revision", "purpose", "basis", "policy"}
)
_CONSENT = (
    frozenset({"consent", "agreement", "agreement_revision"}),
    frozenset({"consumer", "purpose", "basis"}),
)
_CLIENT = (frozenset({"client"}), frozenset({"agency"}))
_CASE = (frozenset({"case"}), frozenset[str]())
_NOTHING = (frozenset[str](), frozenset[str]())

HEADERS: Final[Mapping[EntryType, tuple[frozenset[str], frozenset[str]]]] = {
    EntryType.LOG_OPENED: (frozenset({"origin", "key"}), frozenset()),
    EntryType.LOG_RECOVERED: (
        frozenset({"origin", "previous", "kept", "size", "root", "signature"}),
        frozenset(),
    ),
    EntryType.EXCHANGE_DECISION: (_PARTIES | _TERMS | {"decision"}, frozenset({"consent"})),
    EntryType.EXCHANGE_RELEASE: (_PARTIES | _TERMS, frozenset({"consent", "decision"})),
    EntryType.EXCHANGE_REFUSAL: (_PARTIES, _TERMS | {"consent", "decision"}),
    EntryType.CONSENT_GIVEN: _CONSENT,
    EntryType.CONSENT_RENEWED: _CONSENT,
    EntryType.CONSENT_REFUSED: _CONSENT,
    EntryType.CONSENT_WITHDRAWN: _CONSENT,
    EntryType.CONSENT_REQUESTED: _CONSENT,
    EntryType.CONSENT_DEFERRED: _CONSENT,
    EntryType.CONSENT_SUSPENDED: _CONSENT,
    EntryType.CONSENT_RESUMED: _CONSENT,
    EntryType.CONSENT_NARROWED: _CONSENT,
    EntryType.CONSENT_REVOKED: _CONSENT,
    EntryType.CONSENT_INVALIDATED: _CONSENT,
    EntryType.BLOCK_SET: _NOTHING,
    EntryType.BLOCK_LIFTED: _NOTHING,
    EntryType.CASE_OPENED: _CASE,
    EntryType.CASE_ANSWERED: _CASE,
    EntryType.ACCESS_VIEW: (frozenset(), frozenset({"case", "exchange"})),
    EntryType.SUBJECT_ACCESS: _NOTHING,
    EntryType.POLICY_ACTIVATED: (frozenset({"policy"}), frozenset()),
    EntryType.CLIENT_ADDED: _CLIENT,
    EntryType.CLIENT_DISABLED: _CLIENT,
    EntryType.KEY_ADDED: (frozenset({"key"}), frozenset({"use"})),
    EntryType.STOP_SET: (frozenset({"kind", "name", "reason"}), frozenset()),
    EntryType.STOP_LIFTED: (frozenset({"kind", "name"}), frozenset({"reason"})),
}
"""Per type the members that its header must have, and those that it may have besides."""


class BadEntry(ValueError):
    """The entry has no leaf: a member that its type does not know, misses, or that is malformed."""


class Draft(NamedTuple):
    """An entry with its salts drawn and its disclosures made, all but the numbered `subject`."""

    entry: Entry
    shared: tuple[str, ...]
    beside: tuple[str, ...]
    """What those behind the first person are shown."""
    digests: tuple[str, ...]
    salts: tuple[str, ...]
    nonces: tuple[bytes, ...]

    def __repr__(self) -> str:
        """Return nothing of what it discloses."""
        return f"<draft of {self.entry.type}>"


def draft(entry: Entry, chance: Chance) -> Draft:
    """Check the entry against ADR 1 and do the work that needs no place in the log."""
    _check(entry)
    people = len(entry.concerned)
    beside = entry.beside if entry.beside is not None and people > 1 else {}
    told = (*entry.disclosures.items(), *beside.items())
    salted = len(told) + people
    bits = chance.bits(SALT * salted + NONCE * max(1, people))
    salts = [_base64url(bits[SALT * i : SALT * (i + 1)]) for i in range(salted)]
    rest = bits[SALT * salted :]
    texts = tuple(
        disclosure(salt, name, value) for salt, (name, value) in zip(salts, told, strict=False)
    )
    if sum(map(len, texts)) > MAX_DISCLOSED:
        raise BadEntry(f"an entry discloses at most {MAX_DISCLOSED} bytes")
    return Draft(
        entry,
        texts[: len(entry.disclosures)],
        texts[len(entry.disclosures) if entry.beside is not None else 0 :],
        tuple(map(digest, texts)),
        tuple(salts[len(texts) :]),
        tuple(rest[i : i + NONCE] for i in range(0, len(rest), NONCE)),
    )


def disclosure(salt: str, name: str, value: Json) -> str:
    """Return a disclosure as RFC 9901 §4.2.1 has it: base64url of `[salt, name, value]`."""
    return _base64url(canonical([salt, name, value]))


def disclosed(text: str) -> tuple[str, Json]:
    """Return name and value of a disclosure that we made ourselves."""
    _, name, value = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return name, value


def digest(disclosed: str) -> str:
    """Return the digest that stands in `_sd` for a disclosure (RFC 9901 §4.2.3)."""
    return _base64url(sha256(disclosed.encode("ascii")).digest())


def subject(salt: str, who: Subject, log: Mapping[str, Json]) -> str:
    """Return the disclosure that names a person and gives the entry's place in their list."""
    return disclosure(salt, "subject", {"scheme": who.scheme, "value": who.value, "log": log})


def leaf(drafted: Draft, time: str, subjects: Sequence[str]) -> bytes:
    """Return the leaf: the canonical header and the sorted digests, nothing else of the person."""
    members: dict[str, Json] = {
        **drafted.entry.header,
        "v": 1,
        "type": drafted.entry.type.value,
        "time": time,
        "_sd": sorted((*drafted.digests, *map(digest, subjects))),
        "_sd_alg": "sha-256",
    }
    text = canonical(members)
    if len(text) > MAX_LEAF:
        raise BadEntry(f"a leaf has at most {MAX_LEAF} bytes")
    return text


def _check(entry: Entry) -> None:
    header = entry.header
    _check_names(entry.type, frozenset(header))
    for name, value in header.items():
        if not isinstance(value, str) or not _well_formed(name, value):
            raise BadEntry(f"the member {name!r} of a leaf of type {entry.type} is malformed")
    if not DISCLOSED.issuperset(entry.disclosures) or not DISCLOSED.issuperset(entry.beside or ()):
        raise BadEntry(f"a leaf of type {entry.type} discloses something without a known name")
    people = {person.ref for person in entry.concerned}
    if len(people) != len(entry.concerned) or len(people) > MAX_CONCERNED or "" in people:
        raise BadEntry(f"an entry concerns at most {MAX_CONCERNED} people, each named once")


@lru_cache(maxsize=1024)
def _check_names(type: EntryType, names: frozenset[str]) -> None:
    """Refuse members that the type does not know, or misses; few sets of them ever occur."""
    required, optional = HEADERS[type]
    for name in sorted(names - required - optional):
        raise BadEntry(f"a leaf of type {type} has no member {name!r}")
    if missing := ", ".join(sorted(required - names)):
        raise BadEntry(f"a leaf of type {type} needs {missing}")


@lru_cache(maxsize=4096)
def _well_formed(name: str, value: str) -> bool:
    """Return whether the text may stand there; most texts stand in many leaves."""
    return MEMBERS[name].fullmatch(value) is not None


def _base64url(data: bytes) -> str:
    return b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")
