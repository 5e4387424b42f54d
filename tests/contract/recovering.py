"""A log that lost its end, and its recovery step by step."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.guard import Guard
from audit.journal import unsealed
from audit.model import Tree
from audit.recovery import At, Loss, carry_out, examine, finish
from kernel.chance import SystemChance
from kernel.clock import Deadline
from kernel.database import Database
from kernel.entry import Change, Entry, EntryType
from tests.contract import ledger_stage as stage


@dataclass
class Lost:
    """A site, a copy of its database, and the guard."""

    site: stage.Stage
    copy: Path

    @property
    def guard(self) -> Guard:
        return Guard(self.site.guard, self.site.keys.signer)

    @property
    def journal(self) -> bytes:
        return (self.site.guard / "restrictions.jsonl").read_bytes()

    def keep(self) -> None:
        """Take the copy; the log is closed."""
        shutil.copy(self.site.path, self.copy)

    def restore(self) -> None:
        """Put the copy in the place of the database."""
        fresh = self.site.path.with_name("fresh.db")
        shutil.copy(self.copy, fresh)
        for left in ("-wal", "-shm"):
            self.site.path.with_name(self.site.path.name + left).unlink(missing_ok=True)
        fresh.replace(self.site.path)

    def examine(self, checkpoint: Tree | None = None) -> Loss | None:
        """Look at what was lost."""
        database = self._database()
        try:
            with database.sequence(self._soon()) as connection:
                return examine(connection, self.guard, checkpoint)
        finally:
            database.close(self._soon())

    def write(self) -> Loss:
        """Commit the recovery, and leave the guard as it is."""
        database = self._database()
        try:
            with database.sequence(self._soon()) as connection:
                loss = examine(connection, self.guard, None)
                assert loss is not None
                at = At(self.site.clock, SystemChance())
                carry_out(connection, loss, self._changes(loss), self.site.keys, at)
                return loss
        finally:
            database.close(self._soon())

    def finish(self) -> Tree:
        """Bring the guard to the recovered log."""
        database = self._database()
        try:
            with database.sequence(self._soon()) as connection:
                return finish(connection, self.guard, self.site.keys)
        finally:
            database.close(self._soon())

    def recover(self) -> Loss:
        """Do all of it."""
        loss = self.write()
        self.finish()
        return loss

    def _changes(self, loss: Loss) -> Sequence[Change]:
        return [
            Change(
                Entry(
                    EntryType(str(line.header["type"])),
                    {k: v for k, v in line.header.items() if k not in {"type", "time"}},
                    (said := unsealed(self.site.keys.root, line)).disclosures,
                    said.people,
                    restricts=True,
                )
            )
            for line in loss.restrictions
            if line.header["type"] != "log.recovered"
        ]

    def _database(self) -> Database:
        return self.site.database()

    def _soon(self) -> Deadline:
        return Deadline.within(20, self.site.clock)
