"""Cheat: what an operator with every key could do to the ledger, done to a copy."""

import shutil
from pathlib import Path

from audit.export import export, write
from audit.store import leaves
from gateway.rooms import opened
from gateway.setup.settings import Settings


def forge(settings: Settings, honest: Path, forged: Path, index: int) -> None:
    """Export the log as it is, and once more without an entry: the tree rebuilt, the checkpoint
    signed with the real key."""
    for directory in (honest, forged):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
    with opened(settings) as rooms:
        connection = rooms.database.read()
        tree = export(connection, honest, rooms.signer)
        entries = [leaf for leaf, _ in leaves(connection, 0, tree.size)]
        write(entries[:index] + entries[index + 1 :], forged, rooms.signer)
