"""Replay: what the tables must hold, derived from the entries alone by rules written anew.

It knows the leaf format and what each type of entry means, and nothing of the effects that wrote
the tables. What it cannot derive (ciphertexts, secrets, key material) it does not compare.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator

from kernel.tables import metadata
from tests.faults.replay_consent import KEYS, ConsentReplay
from tests.faults.replay_entry import (
    SECOND,
    Contradiction,
    Entry,
    Row,
    Tables,
    opened,
)

__all__ = ["Contradiction", "Replay", "differences", "opened"]

RESTRICTING = {
    "consent.withdrawn",
    "consent.revoked",
    "consent.invalidated",
    "consent.suspended",
    "consent.narrowed",
    "block.set",
    "client.disabled",
    "stop.set",
}
CONTROL = {
    *("policy.activated", "client.added", "client.disabled"),
    *("stop.set", "stop.lifted"),
}


class Replay:
    """The tables as the entries so far lead to them."""

    def __init__(self) -> None:
        self.tables: Tables = {
            name: {}
            for name in (
                *KEYS,
                *("consent_count", "consent_use"),
                *("exchange", "person", "client", "control", "stop", "ledger_restriction"),
            )
        }
        self.consents = ConsentReplay(self.tables)
        self.epoch = 0
        self.last = 0

    def take(self, entry: Entry) -> None:
        kind = entry.leaf["type"]
        steps: dict[str, Callable[[Entry], None]] = {
            "log.opened": lambda _: None,
            "policy.activated": self._policy,
            "client.added": self._client,
            "stop.set": self._stop,
            "stop.lifted": self._stop,
            "exchange.decision": self._decision,
            "exchange.release": self._release,
            "exchange.refusal": self._refusal,
        }
        if entry.at < self.last:
            raise Contradiction(f"the time of entry {entry.index} runs back")
        self.last = entry.at
        if entry.person is not None:
            self._number(entry)
        steps.get(kind, self.consents.take)(entry)
        self.epoch += kind in CONTROL
        if kind in RESTRICTING:
            self.tables["ledger_restriction"][entry.index,] = {"index": entry.index}

    def _number(self, entry: Entry) -> None:
        held = self.tables["person"].get((entry.person,), {"number": 0, "last": None})
        place = entry.told["subject"]["log"]
        if place["number"] != held["number"] + 1 or place["previous"] != held["last"]:
            raise Contradiction(f"the person's list has a gap at entry {entry.index}")
        self.tables["person"][entry.person,] = {"number": place["number"], "last": entry.index}

    def _policy(self, entry: Entry) -> None:
        control, revision = self.tables["control"], entry.leaf["policy"]
        held = control.get(("policy",))
        if held is not None and held["value"] != revision:
            control["policy.before",] = held
        control["policy",] = {"value": revision}

    def _stop(self, entry: Entry) -> None:
        leaf, sets = entry.leaf, entry.leaf["type"] == "stop.set"
        what = (leaf["kind"], leaf["name"])
        held = self.tables["stop"].get(what)
        if sets is (held is not None and held["state"] == "stopped"):
            raise Contradiction(f"entry {entry.index} stops or resumes what is so already")
        self.tables["stop"][what] = {
            "state": "stopped" if sets else "resumed",
            "since": entry.at,
            "reason": leaf.get("reason", ""),
            "index": entry.index,
        }

    def _client(self, entry: Entry) -> None:
        self.tables["client"][entry.leaf["client"],] = {
            "agency": entry.leaf["agency"],
            "scopes": " ".join(entry.told["request"]["scopes"]),
            "state": "active",
            "since": entry.at,
        }

    def _decision(self, entry: Entry) -> None:
        self._open(entry, "open", None, entry.person)

    def _open(self, entry: Entry, state: str, closing: int | None, person: str | None) -> None:
        leaf, name = entry.leaf, entry.leaf["exchange"]
        if (name,) in self.tables["exchange"]:
            raise Contradiction(f"the exchange of entry {entry.index} was opened before")
        self.tables["exchange"][name,] = {
            "client": entry.told["actor"]["client"],
            "agency": leaf["consumer"],
            "agreement": leaf.get("agreement", ""),
            "service": leaf.get("service", ""),
            "state": state,
            "opened": entry.at,
            "decision": entry.index,
            "closing": closing,
            "receipt": None,
            "person": person,
        }

    def _close(self, entry: Entry, state: str, receipt: Row | None) -> None:
        row = self.tables["exchange"].get((entry.leaf["exchange"],))
        if row is None or row["state"] != "open":
            raise Contradiction(f"entry {entry.index} ends an exchange that is not open")
        row |= {"state": state, "closing": entry.index, "receipt": receipt, "person": None}

    def _refusal(self, entry: Entry) -> None:
        if entry.leaf.get("decision") == "deny":
            self._open(entry, "refused", entry.index, None)
        else:
            self._close(entry, "refused", None)

    def _release(self, entry: Entry) -> None:
        leaf, response = entry.leaf, entry.told["response"]
        receipt = {
            name: leaf.get(name)
            for name in (
                *("exchange", "agreement", "agreement_revision", "service"),
                *("purpose", "basis", "policy", "consent"),
            )
        }
        receipt |= {"aud": entry.told["actor"]["client"], "iat": entry.at // SECOND, **response}
        self._close(entry, "released", receipt)
        if (consent := leaf.get("consent")) is not None:
            self._use(entry, consent, set(response["fields"]))

    def _use(self, entry: Entry, consent: str, fields: set[str]) -> None:
        service = entry.leaf["service"]
        held = self.tables["consent"].get((consent,))
        count = self.tables["consent_count"].get((consent, service))
        if held is None or held["state"] not in {"ConsentGiven", "RenewedConsentGiven"}:
            raise Contradiction(f"the release {entry.index} stands on no consent")
        uses = 1 + (count["uses"] if count and count["term"] == held["term"] else 0)
        if held["use_limit"] is not None and uses > held["use_limit"]:
            raise Contradiction(f"the release {entry.index} is one use too many")
        if not held["valid_from"] <= entry.at < held["valid_until"]:
            raise Contradiction(f"the release {entry.index} is outside its consent's time")
        if not fields <= set(held["granted"].get(service, ())):
            raise Contradiction(f"the release {entry.index} is wider than its consent")
        self.tables["consent_count"][consent, service] = {"term": held["term"], "uses": uses}
        self.tables["consent_use"][entry.leaf["exchange"],] = {
            "consent": consent,
            "service": service,
            "agency": entry.leaf["consumer"],
            "at": entry.at,
            "index": entry.index,
        }


_KEYS = {
    **KEYS,
    "consent_count": ("consent", "service"),
    "consent_use": ("exchange",),
    "exchange": ("id",),
    "person": ("ref",),
    "client": ("id",),
    "control": ("name",),
    "stop": ("kind", "name"),
    "ledger_restriction": ("index",),
}
_JSON = {("consent", "granted"), ("consent_event", "granted"), ("consent_request", "fields")}
_JSON |= {("exchange", "receipt")}


def differences(connection: sqlite3.Connection, replay: Replay) -> Iterator[str]:
    """Yield, in words without names of people, where the tables are not what the entries say."""
    for table, expected in replay.tables.items():
        stored = dict(_stored(connection, table))
        if gone := len(expected.keys() - stored.keys()):
            yield f"{table}: {gone} rows are missing"
        if more := len(stored.keys() - expected.keys()):
            yield f"{table}: {more} rows have no entry"
        for key in expected.keys() & stored.keys():
            for name, value in expected[key].items():
                if stored[key][name] != value:
                    yield f"{table}.{name} is {stored[key][name]!r}, the entries say {value!r}"
    size, epoch = connection.execute("SELECT size, epoch FROM ledger_state").fetchone()
    if epoch != replay.epoch:
        yield f"the control epoch is {epoch}, the entries say {replay.epoch}"
    uncounted = connection.execute(
        'SELECT count(*) FROM ledger_leaf WHERE "index" >= ?', (size,)
    ).fetchone()[0]
    if uncounted:
        yield f"{uncounted} leaves lie beyond the state row"


def _stored(connection: sqlite3.Connection, table: str) -> Iterator[tuple[tuple, Row]]:
    names = metadata.tables[table].columns.keys()
    columns = ", ".join(f'"{name}"' for name in names)
    for values in connection.execute(f'SELECT {columns} FROM "{table}"').fetchall():
        row: Row = dict(zip(names, values, strict=True))
        for name in {name for held, name in _JSON if held == table}:
            row[name] = None if row[name] is None else json.loads(str(row[name]))
        yield tuple(row[name] for name in _KEYS[table]), row
