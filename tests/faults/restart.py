"""Restart: what must hold of a state directory after a fault, whatever the fault was."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from audit import verify
from audit.export import export
from audit.model import BadLedger
from audit.verify_source import Directory
from gateway import rooms as gateway_rooms
from gateway.commands.opening import PLAIN
from gateway.rooms import Rooms
from kernel.database import StorageError
from kernel.errors import Reason
from tests.country import exported_leaves
from tests.faults import worker
from tests.faults.replay import Contradiction, Replay, differences, opened

DURABLE = ("causeway.db", "causeway.db-wal")
"""Files whose failed sync fails the appends of the moment; the journal's fails restrictions."""
JOURNAL = "guard/restrictions.jsonl"
EXPECTED = {Reason.SUBJECT_NOT_RELEASED, Reason.LEDGER_UNAVAILABLE, Reason.POLICY_DENIED}
"""Refusals that the scenario asks for, the ledger's own, and an act that another's loss forbids."""


def inspect(state: Path, lines: Sequence[dict], say: worker.Say) -> Iterator[str]:
    """Open a state directory again, let it serve, and yield what is not as it must be.

    `lines` are what the worker said before the fault; `say` takes what is said now.
    """
    yield from _said(lines)
    journal = worker.journal(state)
    for line in lines:
        if "kept" in line and not (line["kept"] and line["ok"] in journal):
            yield f"the guard's journal lacks the acknowledged restriction {line['ok']}"
    try:
        rooms = gateway_rooms.open_rooms(worker.settings(state))
    except (*PLAIN, OSError, StorageError) as error:
        yield f"it does not open: {error!r}"
        return
    try:
        yield from _opened(rooms, lines, say)
    finally:
        rooms.close()


def served(lines: Sequence[dict]) -> bool:
    """Return whether the resident who comes afterwards was given all that they came for."""
    return [key for line in lines for key in ("done", "sent") if key in line] == ["done", "sent"]


def _said(lines: Sequence[dict]) -> Iterator[str]:
    """Check that a failed sync refused who waited for it, and that refusals have their reasons.

    Where several waited, the sync may have been a checkpoint's, before more than one was taken.
    """
    waiting: dict[int, dict] = {}
    failed: list[set[int]] = []
    refused: set[int] = set()
    for line in lines:
        match line:
            case {"try": n}:
                waiting[n] = line
            case {"hit": "fsync" | "fdatasync", "file": file}:
                concerned = {
                    n
                    for n, waits in waiting.items()
                    if file in DURABLE or (file == JOURNAL and waits["restricts"])
                }
                failed.append(concerned)
            case {"ok": _, "n": n}:
                waiting.pop(n, None)
            case {"no": reason, "n": n}:
                waiting.pop(n, None)
                refused |= {n} if reason == Reason.LEDGER_UNAVAILABLE else set()
            case {"refused": reason} | {"declined": reason} if reason not in EXPECTED:
                yield f"refused with {reason}"
            case {"fault": what}:
                yield f"an unexpected error: {what}"
    killed = set(waiting)
    if any(concerned and not concerned & (refused | killed) for concerned in failed):
        yield "an append was acknowledged though its sync failed"


def _opened(rooms: Rooms, lines: Sequence[dict], say: worker.Say) -> Iterator[str]:
    worker.complete(rooms)
    now: list[dict] = []
    worker.afterwards(worker.Desk(rooms, lambda **line: now.append(line)))
    say(afterwards=now)
    if not served(now):
        yield "the next resident is not served"
    lines = [*lines, *now]
    connection = rooms.database.read()
    with sqlite3.connect(f"{rooms.database.path.as_uri()}?mode=ro", uri=True) as plain:
        if (verdict := plain.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            yield f"the database is damaged: {verdict[0][0]}"
        yield from _acknowledged(plain, lines)
        out = rooms.settings.state_dir.parent / "export"
        receipts = [("sent", line["receipt"].encode()) for line in lines if "sent" in line]
        try:
            export(connection, out, rooms.signer)
            jwks = json.dumps(rooms.keys.receipt_jwks()).encode()
            question = verify.Question(rooms.signer.vkey, receipts, jwks)
            verify.verify(Directory(out), question, lambda _: None)
        except (verify.Bad, BadLedger) as error:
            yield f"the ledger does not verify: {error}"
            return
        yield from _replayed(rooms, plain, exported_leaves(out))
    plain.close()


def _acknowledged(connection: sqlite3.Connection, lines: Sequence[dict]) -> Iterator[str]:
    """Check that everything that was answered is in the ledger, where the answer said."""
    rows = connection.execute('SELECT "index", hash, leaf FROM ledger_leaf').fetchall()
    hashes = {index: value.hex() for index, value, _ in rows}
    kinds: dict[str, set[str]] = {}
    for _, _, text in rows:
        leaf = json.loads(text)
        kinds.setdefault(leaf.get("exchange", ""), set()).add(leaf["type"])
    for line in lines:
        match line:
            case {"ok": index, "leaf": value, "type": kind} if hashes.get(index) != value:
                yield f"the acknowledged entry {index} ({kind}) is not in the ledger"
            case {"asked": name} if "exchange.decision" not in kinds.get(name, ()):
                yield "a source was asked without a decision in the ledger"
            case {"sent": name} if "exchange.release" not in kinds.get(name, ()):
                yield "an answer left without a release in the ledger"
            case {"ended": str(name)} if "exchange.refusal" not in kinds.get(name, ()):
                yield "an exchange was refused without a refusal in the ledger"


def _replayed(
    rooms: Rooms, connection: sqlite3.Connection, leaves: Sequence[dict]
) -> Iterator[str]:
    replay = Replay()
    try:
        for entry in opened(connection, rooms.root, rooms.signer.name, leaves):
            replay.take(entry)
    except Contradiction as error:
        yield str(error)
        return
    yield from differences(connection, replay)
    restricted = {index for (index,) in replay.tables["ledger_restriction"]}
    if (journal := worker.journal(rooms.settings.state_dir)) != restricted:
        yield f"the guard's journal is off by {sorted(journal ^ restricted)}"
    for ref, identifier in connection.execute("SELECT subject_ref, identifier FROM consent"):
        if rooms.pseudonyms.ref(rooms.pseudonyms.open(identifier, ref)) != ref:
            yield "a consent's identifier is somebody else's"
