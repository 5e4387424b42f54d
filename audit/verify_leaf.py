"""Verifier, the leaves: their form (ADR 1), and the story that they must tell in order.

Part of `audit.verify`, which stands alone: nothing here comes from the code that writes the log.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from audit.verify_tree import Defect, VerifierKey, earlier

MAX_LEAF: Final = 8 * 1024

_VISIBLE = re.compile(r"[!-~]{1,200}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "agreement_revision": re.compile(r"[0-9a-f]{64}"),
    "basis": re.compile(r"[a-z_]{1,40}"),
    "decision": re.compile(r"permit|deny"),
    "kept": _SIZE,
    "kind": re.compile(r"agreement|agency|source"),
    "policy": re.compile(r"[0-9a-f]{64}"),
    "reason": re.compile(r"(?! )[ -~]{1,400}(?<! )"),
    "root": re.compile(r"[A-Za-z0-9+/]{43}="),
    "signature": re.compile(r"[A-Za-z0-9+/]{90}[A-Za-z0-9+/=]{2}"),
    "size": _SIZE,
    "time": re.compile(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
    ),
    "use": re.compile(r"[a-z_]{1,40}"),
}
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")
_ALWAYS = frozenset({"_sd", "_sd_alg", "time", "type", "v"})
_TERMS = "provider service agreement agreement_revision purpose basis policy"
_CONSENT = ("consent agreement agreement_revision", "consumer purpose basis")
_MEMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "log.opened": ("origin key", ""),
    "log.recovered": ("origin previous kept size root signature", ""),
    "exchange.decision": (f"exchange consumer decision {_TERMS}", "consent"),
    "exchange.release": (f"exchange consumer {_TERMS}", "consent decision"),
    "exchange.refusal": ("exchange consumer", f"consent decision {_TERMS}"),
    "consent.given": _CONSENT,
    "consent.renewed": _CONSENT,
    "consent.refused": _CONSENT,
    "consent.withdrawn": _CONSENT,
    "consent.requested": _CONSENT,
    "consent.deferred": _CONSENT,
    "consent.suspended": _CONSENT,
    "consent.resumed": _CONSENT,
    "consent.narrowed": _CONSENT,
    "consent.revoked": _CONSENT,
    "consent.invalidated": _CONSENT,
    "block.set": ("", ""),
    "block.lifted": ("", ""),
    "case.opened": ("case", ""),
    "case.answered": ("case", ""),
    "access.view": ("", "case exchange"),
    "subject.access": ("", ""),
    "policy.activated": ("policy", ""),
    "client.added": ("client", "agency"),
    "client.disabled": ("client", "agency"),
    "key.added": ("key", "use"),
    "stop.set": ("kind name reason", ""),
    "stop.lifted": ("kind name", "reason"),
}
_FINAL: Final = {
    "consent.withdrawn": "withdrawal",
    "consent.revoked": "revocation",
    "consent.invalidated": "invalidation",
}
_LIFTING: Final = frozenset({"consent.resumed", "consent.given", "consent.renewed"})
_SAME = ("consumer", "provider", "service", "agreement", "agreement_revision", "consent")


def parse(leaf: bytes) -> dict[str, str]:
    """Return the text members of a leaf that is exactly as ADR 1 says, or raise `Defect`."""
    if len(leaf) > MAX_LEAF:
        raise Defect(f"the leaf is larger than {MAX_LEAF} bytes")
    try:
        value = json.loads(leaf.decode("ascii"))
        again = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        raise Defect("the leaf is not JSON in ASCII") from None
    if not isinstance(value, dict) or again.encode() != leaf:
        raise Defect("the leaf is not one canonical JSON object (RFC 8785)")
    if type(value.pop("v", None)) is not int or not leaf.endswith(b',"v":1}'):
        raise Defect("the leaf is not of version 1")
    digests = value.pop("_sd", None)
    if value.pop("_sd_alg", None) != "sha-256" or not _digests(digests):
        raise Defect("the leaf's digests are malformed, not sorted, or not SHA-256")
    members: dict[str, str] = {}
    for name, text in value.items():
        if not isinstance(text, str) or not _FORMS.get(name, _VISIBLE).fullmatch(text):
            raise Defect(f"the leaf's member {name!a} is malformed")
        members[name] = text
    _check_members(members)
    return members


class Story:
    """What the entries so far allow the next one to say."""

    def __init__(self, key: VerifierKey) -> None:
        """Start before the first entry of the log of this key."""
        self._key = key
        self.origin = ""
        """The origin of the log as of the last entry; a recovery changes it."""
        self._time = ""
        self._open: dict[str, dict[str, str]] = {}
        self._closed: set[str] = set()
        self._ended: dict[str, str] = {}
        self._suspended: set[str] = set()
        self._cases: dict[str, str] = {}
        self._stopped: set[tuple[str, str]] = set()

    def tell(self, index: int, members: dict[str, str]) -> None:
        """Take the next entry, or raise `Defect` when it cannot follow those before it."""
        kind = members["type"]
        if (index == 0) != (kind == "log.opened"):
            raise Defect("the log must begin with its one log.opened")
        if kind == "log.opened":
            self._opened(members["origin"])
        if members["time"] < self._time:
            raise Defect("the entry's time lies before the entry ahead of it")
        self._time = members["time"]
        if kind == "log.recovered":
            self._recovered(index, members)
        elif kind.startswith("exchange."):
            self._exchange(kind.removeprefix("exchange."), members)
        elif kind.startswith("consent."):
            self._consent(kind, members["consent"])
        elif "case" in members:
            self._case(kind, members["case"])
        elif kind.startswith("stop."):
            self._stop(kind, (members["kind"], members["name"]))

    def finish(self) -> None:
        """Raise `Defect` where the entries do not lead to the log of the key."""
        if self.origin not in {"", self._key.name}:
            raise Defect("the log was opened under another origin, and no recovery leads to this")

    def _opened(self, origin: str) -> None:
        if origin != self._key.name and not earlier(origin, self._key.name):
            raise Defect("the log was opened under another origin")
        self.origin = origin

    def _recovered(self, index: int, members: dict[str, str]) -> None:
        """Check where a recovered log goes on, and that what was lost had been signed."""
        origin, previous = members["origin"], members["previous"]
        if previous != self.origin and not earlier(self.origin, previous):
            raise Defect("the recovery is not one of this log")
        if not earlier(previous, origin) or earlier(self._key.name, origin):
            raise Defect("the recovery leads to the origin of another log")
        if index != int(members["kept"]):
            raise Defect("the recovery does not stand where it says that the log was cut")
        lost = f"{previous}\n{members['size']}\n{members['root']}\n"
        note = f"{lost}\n— {previous} {members['signature']}\n"
        self._key.named(previous).open(note.encode())
        self.origin = origin

    def _exchange(self, step: str, members: dict[str, str]) -> None:
        name = members["exchange"]
        if name in self._closed:
            raise Defect("the exchange was closed before")
        if step == "decision":
            if name in self._open:
                raise Defect("the exchange was decided before")
            if members["decision"] == "deny":
                self._closed.add(name)
            else:
                self._open[name] = members
            return
        decision = self._open.pop(name, None)
        self._closed.add(name)
        if step == "release":
            if decision is None:
                raise Defect("the release stands without its decision")
            if any(decision.get(part) != members.get(part) for part in _SAME):
                raise Defect("the release does not match its decision")
            self._standing(members.get("consent"))
            self._running(members)

    def _running(self, members: dict[str, str]) -> None:
        named = {("agreement", members["agreement"]), ("agency", members["consumer"])}
        if stopped := self._stopped & named:
            raise Defect(f"the release follows the stop of its {min(stopped)[0]}")

    def _stop(self, kind: str, what: tuple[str, str]) -> None:
        if (kind == "stop.set") == (what in self._stopped):
            raise Defect("what is stopped was stopped before, or what is resumed was not")
        self._stopped ^= {what}

    def _standing(self, consent: str | None) -> None:
        if (end := self._ended.get(consent or "")) is not None:
            raise Defect(f"the release follows the {end} of its consent")
        if consent in self._suspended:
            raise Defect("the release follows the suspension of its consent")

    def _consent(self, kind: str, consent: str) -> None:
        if (end := self._ended.get(consent)) is not None:
            raise Defect(f"the consent ended before by {end}, which is final")
        if kind in _FINAL:
            self._ended[consent] = _FINAL[kind]
        elif kind == "consent.suspended":
            self._suspended.add(consent)
        elif kind in _LIFTING:
            self._suspended.discard(consent)

    def _case(self, kind: str, case: str) -> None:
        last = self._cases.get(case)
        if kind == "case.opened" and last is not None:
            raise Defect("the case was opened before")
        if kind != "case.opened" and last is None:
            raise Defect("the case was not opened before")
        if kind == "case.answered" and last == kind:
            raise Defect("the case was answered before")
        if kind != "access.view":
            self._cases[case] = kind


def _digests(value: object) -> bool:
    if not isinstance(value, list):
        return False
    texts = [item for item in value if isinstance(item, str) and _DIGEST.fullmatch(item)]
    return len(texts) == len(value) == len(set(texts)) and texts == sorted(texts)


def _check_members(members: dict[str, str]) -> None:
    kind = members.get("type", "")
    if kind not in _MEMBERS:
        raise Defect("the leaf's type is unknown")
    required, optional = (frozenset(names.split()) for names in _MEMBERS[kind])
    names = members.keys() | {"_sd", "_sd_alg", "v"}
    if not required | _ALWAYS <= names:
        raise Defect("the leaf lacks a member that its type needs")
    if not names <= required | optional | _ALWAYS:
        raise Defect("the leaf has a member that its type does not know")
