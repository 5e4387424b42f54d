"""Verifier, one person's evidence: the entry stands in the log, and says what the file says.

Part of the verifier, which stands alone: the standard library and the Ed25519 check of
`cryptography`, and nothing of the code that writes the log. What it checks, in order:

1. the file's form: one JSON object with the members of a `causeway-evidence-1`, each of its type;
2. the verifier key, which must be the one that was given, and the proof's signed checkpoint;
3. the leaf's form (ADR 1), and that the proof leads from its hash to the checkpoint's root;
4. each disclosure: its digest stands in the leaf, and no name stands there twice (RFC 9901 §7.1);
5. the person's own number in that log, as the disclosure `subject` tells it.
"""

import json
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, NoReturn

from audit import verify_leaf
from audit.verify_tree import Defect, VerifierKey, check_inclusion, earlier, leaf_hash

MAX_FILE: Final = 1024 * 1024
MAX_README: Final = 16 * 1024
MAX_DISCLOSURES: Final = 16
MAX_NUMBER: Final = 10**15
_MAX_KEY = 1024
_FORM: Final = "causeway-evidence-1"
_MEMBERS: Final = ("evidence", "readme", "number", "leaf", "disclosures", "proof", "vkey")
_NAMES: Final = frozenset({"subject", "actor", "request", "input", "consents", "response"})
_SALT = 43


@dataclass(frozen=True, slots=True)
class Found:
    """What the evidence proves: which entry of the log, and its number in the person's list."""

    entry: int
    number: int


def main(file: Path, vkey: Path | None) -> int:
    """Verify one file, print the verdict as the last line, and return 0 (good), 1 (bad) or 2."""
    try:
        text = _head(file, MAX_FILE)
        key = None if vkey is None else _head(vkey, _MAX_KEY).decode("utf-8", "replace")
    except OSError as error:
        sys.stderr.write(f"The file cannot be read: {error.strerror or 'it is no file'}.\n")
        return 2
    if key is None:
        sys.stderr.write("no --vkey was given: the file's own key is taken on trust\n")
    try:
        found = verify(text, key)
    except Defect as defect:
        sys.stdout.write(f"bad what={defect}\n")
        return 1
    sys.stdout.write(f"ok entry={found.entry} number={found.number}\n")
    return 0


def verify(text: bytes, vkey: str | None) -> Found:
    """Return what an evidence file proves under a verifier key, or raise `Defect`."""
    # 1. the file's form
    document = _document(text)
    number, leaf, disclosures = _number(document), document["leaf"], document["disclosures"]
    if not isinstance(leaf, str) or not isinstance(disclosures, list):
        raise Defect("the file's leaf or disclosures are not of their type")
    # 2. the key, and the proof's checkpoint
    key = _key(document["vkey"], vkey)
    if not isinstance(document["proof"], str):
        raise Defect("the file's proof is not a text")
    proof = key.proof(document["proof"])
    # 3. the leaf, and its place in the tree
    raw = leaf.encode("utf-8", "replace")
    verify_leaf.parse(raw)
    seen = proof.checkpoint
    check_inclusion(proof.index, seen.size, leaf_hash(raw), proof.path, seen.root)
    # 4. the disclosures
    digests = frozenset(json.loads(raw)["_sd"])
    said = _disclosed(disclosures, digests)
    # 5. the person's own number
    _check_place(said.get("subject"), key.name, number, proof.index)
    return Found(proof.index, number)


def _document(text: bytes) -> dict[str, object]:
    if len(text) > MAX_FILE:
        raise Defect(f"the file is larger than {MAX_FILE} bytes")
    document = _json(text, "the file")
    if not isinstance(document, dict):
        raise Defect("the file is not a JSON object")
    if document.get("evidence") != _FORM:
        raise Defect(f"the file is not a {_FORM}")
    if sorted(document) != sorted(_MEMBERS):
        raise Defect(f"the file's members are not {', '.join(_MEMBERS)}")
    readme = document["readme"]
    if not isinstance(readme, str) or len(readme) > MAX_README:
        raise Defect("the file's readme is not a text of usual length")
    return document


def _number(document: dict[str, object]) -> int:
    number = document["number"]
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MAX_NUMBER:
        raise Defect("the file's number is not one of a list")
    return number


def _key(told: object, given: str | None) -> VerifierKey:
    if not isinstance(told, str) or len(told) > _MAX_KEY:
        raise Defect("the file's vkey is not a text of usual length")
    key = VerifierKey.parse(told)
    if given is not None and VerifierKey.parse(given) != key:
        raise Defect("the file was made by another log than the key that was given")
    return key


def _disclosed(texts: list[object], digests: frozenset[str]) -> dict[str, object]:
    if len(texts) > MAX_DISCLOSURES:
        raise Defect("the file has more disclosures than an entry may show")
    said: dict[str, object] = {}
    for text in texts:
        if not isinstance(text, str) or not text.isascii():
            raise Defect("a disclosure is not a text in ASCII")
        if _base64url(sha256(text.encode()).digest()) not in digests:
            raise Defect("a disclosure is not one of those in the leaf")
        name, value = _opened(text)
        if name in said:
            raise Defect(f"the disclosure {name} stands there twice")
        said[name] = value
    return said


def _opened(text: str) -> tuple[str, object]:
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Defect("a disclosure is not base64url") from None
    parts = _json(data, "a disclosure")
    if not isinstance(parts, list) or len(parts) != 3:  # noqa: PLR2004 - salt, name, value
        raise Defect("a disclosure is not a salt, a name and a value")
    salt, name, value = parts
    if not isinstance(salt, str) or len(salt) != _SALT:
        raise Defect("a disclosure's salt is not of 256 bits")
    if not isinstance(name, str) or name not in _NAMES:
        raise Defect("a disclosure has a name that no entry knows")
    return name, value


def _check_place(subject: object, origin: str, number: int, entry: int) -> None:
    """Raise `Defect` unless the disclosure gives this number in this log, after an earlier one."""
    if not isinstance(subject, dict):
        raise Defect("the file does not disclose whom the entry is about")
    log = subject.get("log")
    said = log.get("origin") if isinstance(log, dict) else None
    # An entry that is older than a recovery was numbered under the origin of before.
    known = isinstance(said, str) and (said == origin or earlier(said, origin))
    if not isinstance(log, dict) or not known:
        raise Defect(f"the entry is not numbered in the log {origin}")
    if type(log.get("number")) is not int or log["number"] != number:
        raise Defect("the file's number is not the one that the entry has")
    previous = log.get("previous")
    if previous is None:
        fits = number == 1
    else:
        fits = type(previous) is int and 0 <= previous < entry and number > 1
    if not fits:
        raise Defect("the entry before this one in the list cannot stand where it is said to")


def _json(text: bytes, what: str) -> object:
    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_not_a_number
        )
    except (ValueError, RecursionError):
        raise Defect(f"{what} is not JSON, or says something twice") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _not_a_number(_: str) -> NoReturn:
    raise ValueError


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _head(path: Path, most: int) -> bytes:
    if not path.is_file():
        raise OSError(0, "it is not there, or no plain file")
    with path.open("rb") as file:
        return file.read(most + 1)
