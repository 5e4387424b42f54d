"""A log that lost its end, and its recovery step by step."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from audit.guard_directory import DirectoryGuard
from audit.journal import unsealed
from audit.model import Tree
from audit.recovery import At, Loss, carry_out, examine, finish
from kernel.chance import SystemChance
from kernel.clock import Deadline
from kernel.database_model import Sequencer
from kernel.entry import Change, Entry, EntryType
from tests.contract import ledger_stage as stage

_ALONE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


@dataclass
class Lost:
    """A site, a copy of its database, and the guard."""

    site: stage.Stage
    rows: dict[str, list[tuple]] = field(default_factory=dict)

    @property
    def guard(self) -> DirectoryGuard:
        return DirectoryGuard(self.site.guard, self.site.keys.signer)

    @property
    def journal(self) -> bytes:
        return (self.site.guard / "restrictions.jsonl").read_bytes()

    def keep(self) -> None:
        """Take the copy; the log is closed."""
        if self._name is None:
            shutil.copy(self.site.path, self._copy)
        else:
            self.rows = self.site.rows()

    def restore(self) -> None:
        """Put the copy in the place of the database."""
        if self._name is not None:
            self.site.restore(self.rows)
            return
        fresh = self.site.path.with_name("fresh.db")
        shutil.copy(self._copy, fresh)
        for left in ("-wal", "-shm"):
            self.site.path.with_name(self.site.path.name + left).unlink(missing_ok=True)
        fresh.replace(self.site.path)

    def exchange(self) -> None:
        """Put the copy in the place of the database while somebody has that open; PostgreSQL then
        has another database of the same name."""
        if self._name is None:
            self.restore()
            return
        with self._admin() as admin:
            admin.execute(_ALONE, [self._name])
            admin.execute(f'CREATE DATABASE "{self._name}_copy" TEMPLATE "{self._name}"')
            admin.execute(f'DROP DATABASE "{self._name}" WITH (FORCE)')
            admin.execute(f'ALTER DATABASE "{self._name}_copy" RENAME TO "{self._name}"')
        self.restore()

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """Have another guard meanwhile, which knows nothing."""
        aside = self.site.guard.with_name("aside")
        self.site.guard.rename(aside)
        yield
        shutil.rmtree(self.site.guard)
        aside.rename(self.site.guard)

    def examine(self, checkpoint: Tree | None = None) -> Loss | None:
        """Look at what was lost."""
        with self._sequence() as connection:
            return examine(connection, self.guard, checkpoint)

    def write(self) -> Loss:
        """Commit the recovery, and leave the guard as it is."""
        with self._sequence() as connection:
            return self._write(connection)

    def finish(self) -> Tree:
        """Bring the guard to the recovered log."""
        with self._sequence() as connection:
            return finish(connection, self.guard, self.site.keys)

    def recover(self) -> None:
        """Do all of it, as the gateway does."""
        with self._sequence() as connection:
            self._write(connection)
            finish(connection, self.guard, self.site.keys)

    def _write(self, connection: Sequencer) -> Loss:
        loss = examine(connection, self.guard, None)
        assert loss is not None
        at = At(self.site.clock, SystemChance())
        carry_out(connection, loss, self._changes(loss), self.site.keys, at)
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

    @contextmanager
    def _sequence(self) -> Iterator[Sequencer]:
        soon = Deadline.within(20, self.site.clock)
        database = self.site.database()
        try:
            with database.sequence(soon) as connection:
                yield connection
        finally:
            database.close(Deadline.within(20, self.site.clock))

    @property
    def _copy(self) -> Path:
        return self.site.directory / "copy.db"

    @property
    def _name(self) -> str | None:
        """The database's name on a PostgreSQL."""
        scheme, _, name = self.site.url.rpartition("/")
        return name if scheme.startswith("postgresql:") else None

    def _admin(self) -> "psycopg.Connection":
        url, _, _ = (self.site.directory / "superuser.url").read_text().rpartition("/")
        return psycopg.connect(f"{url}/postgres", autocommit=True)
