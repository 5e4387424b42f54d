"""Evidence of real entries, from a real ledger, for tests that try to change it."""

import json
from pathlib import Path

from audit import leaf, person
from audit.checkpoint import tlog_proof
from audit.evidence import evidence
from audit.merkle import leaf_hash, node_hash
from audit.model import Shown, Tree
from kernel.canonical import Json
from kernel.chance import SystemChance
from kernel.clock import rfc3339
from kernel.entry import EntryType
from tests.contract import ledger_stage as stage

ME = stage.person(1)


def made(directory: Path) -> list[bytes]:
    """Return the evidence files of a person's four entries in a log of some more."""
    site = stage.Stage(directory)
    with site.open() as log:
        log.ledger.append(stage.consent(EntryType.CONSENT_GIVEN, "co_1", ME))
        log.ledger.append(stage.decision("ex_0", stage.person(2)))
        log.ledger.append(stage.decision("ex_1", ME))
        log.ledger.append(stage.release("ex_1", ME))
        log.ledger.append(stage.refusal("ex_2", ME, stage.person(2)))
        for n in range(20):
            log.ledger.append(stage.refusal(f"ex_more_{n}", stage.person(3)))
        connection, root = log.database.read(), site.keys.root
        shown = [person.one(connection, root, ME.ref, number) for number in range(1, 5)]
        return [evidence(one, log.ledger.proof(one.index), site.keys.signer.vkey) for one in shown]


def changed(file: bytes, **members: object) -> bytes:
    """Return the file with members changed, and without those that are `...`."""
    document = json.loads(file) | members
    return json.dumps({k: v for k, v in document.items() if v is not ...}).encode()


def numbered(log: Json) -> bytes:
    """Return evidence of the second entry of a log whose operator numbers people as it likes."""
    drafted = leaf.draft(stage.refusal("ex_1", ME), SystemChance())
    disclosed = leaf.disclosure(
        drafted.salts[0], "subject", {"scheme": "s", "value": "v", "log": log}
    )
    text = leaf.leaf(drafted, rfc3339(stage.START), [disclosed])
    signer = stage.Stage(Path()).keys.signer
    before = leaf_hash(b"before")
    note = signer.sign(Tree(2, node_hash(before, leaf_hash(text))))
    number = log.get("number") if isinstance(log, dict) else 1
    shown = Shown(number, 1, text, (disclosed,))
    return evidence(shown, tlog_proof(1, [before], note), signer.vkey)
