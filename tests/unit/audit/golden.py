"""The golden leaves: one of every type, made with fixed salts; `python -m tests.unit.audit.golden`
writes those that are not there yet, and never changes one."""

import json
from collections.abc import Iterator
from pathlib import Path

from audit import leaf
from audit.merkle import leaf_hash
from kernel.clock import rfc3339
from kernel.entry import Entry, EntryType
from tests.contract import ledger_stage as stage

LEAVES = Path(__file__).parents[2] / "assets" / "leaves"


def entries() -> Iterator[Entry]:
    """Yield one entry of every type."""
    yield Entry(EntryType.LOG_OPENED, {"origin": stage.ORIGIN, "key": "0a1b2c3d"})
    yield Entry(
        EntryType.LOG_RECOVERED,
        {
            "origin": "gateway.example/audit/2",
            "previous": stage.ORIGIN,
            "kept": "17",
            "size": "23",
            "root": "A" * 42 + "E=",
            "signature": "B" * 90 + "A=",
        },
    )
    yield stage.decision("ex_1", stage.person(1), stage.person(2))
    yield stage.release("ex_1", stage.person(1))
    yield stage.refusal("ex_2", stage.person(1))
    yield stage.consent(EntryType.CONSENT_GIVEN, "co_1", stage.person(1))
    yield stage.consent(EntryType.CONSENT_RENEWED, "co_1", stage.person(1))
    yield stage.consent(EntryType.CONSENT_REFUSED, "co_2", stage.person(1))
    yield stage.consent(EntryType.CONSENT_WITHDRAWN, "co_1", stage.person(1))
    for kind in (
        EntryType.CONSENT_REQUESTED,
        EntryType.CONSENT_DEFERRED,
        EntryType.CONSENT_SUSPENDED,
        EntryType.CONSENT_RESUMED,
        EntryType.CONSENT_NARROWED,
        EntryType.CONSENT_REVOKED,
        EntryType.CONSENT_INVALIDATED,
    ):
        yield stage.consent(kind, "co_1", stage.person(1))
    yield Entry(EntryType.BLOCK_SET, {}, {"request": {"kind": "self"}}, (stage.person(1),))
    yield Entry(EntryType.BLOCK_LIFTED, {}, {"request": {"kind": "self"}}, (stage.person(1),))
    yield stage.case(EntryType.CASE_OPENED, "ca_1", stage.person(1))
    yield stage.case(EntryType.CASE_ANSWERED, "ca_1", stage.person(1))
    header = {"case": "ca_1", "exchange": "ex_1"}
    officer = {"actor": {"officer": "officer-7"}}
    yield Entry(EntryType.ACCESS_VIEW, header, officer, (stage.person(1),))
    yield Entry(EntryType.SUBJECT_ACCESS, {}, {"actor": {"method": "web"}}, (stage.person(1),))
    yield stage.activated()
    yield Entry(EntryType.CLIENT_ADDED, {"client": "fb-1", "agency": "family-benefits"})
    yield Entry(EntryType.CLIENT_DISABLED, {"client": "fb-1"})
    yield Entry(EntryType.KEY_ADDED, {"key": "k-2026", "use": "receipt"})
    stopped = {"kind": "agreement", "name": "family-allowance"}
    why = 'Wrong names came: "Ng" for all; see incident 7/2026.'
    yield Entry(EntryType.STOP_SET, {**stopped, "reason": why})
    yield Entry(EntryType.STOP_LIFTED, stopped)


def make(entry: Entry) -> dict[str, object]:
    """Return the golden record of an entry: its disclosures, its leaf, its hash."""
    drafted = leaf.draft(entry, stage.Counting())
    log = {"origin": stage.ORIGIN, "number": 7, "previous": 41}
    subjects = [
        leaf.subject(salt, who.subject, log)
        for who, salt in zip(entry.concerned, drafted.salts, strict=True)
    ]
    text = leaf.leaf(drafted, rfc3339(stage.START), subjects)
    return {
        "disclosures": [*subjects, *drafted.shared],
        "leaf": text.decode("ascii"),
        "hash": leaf_hash(text).hex(),
    }


if __name__ == "__main__":
    for each in entries():
        path = LEAVES / f"{each.type.value}.json"
        if not path.exists():
            path.write_text(json.dumps(make(each), indent=1) + "\n", encoding="ascii")
