"""Both databases: a directory for a log, and the database that belongs to it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from kernel.clock import Deadline, SystemClock
from kernel.grants import Roles
from kernel.migrations import migrate
from kernel.tables import metadata
from tests.postgres_server import PostgresServer, Site

KINDS = ("sqlite", "postgres")
_ALONE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass
class Sites:
    """Databases of a server, handed out empty: making one takes a quarter of a second."""

    server: PostgresServer
    free: list[Site] = field(default_factory=list)

    @contextmanager
    def one(self) -> Iterator[Site]:
        """Hand out a database with its schema at head and no row."""
        site = self.free.pop() if self.free else self._made()
        yield site
        emptied = "; ".join(f'DELETE FROM "{name}"' for name in metadata.tables)
        with suppress(psycopg.Error):  # then nobody gets it any more
            site.execute(_ALONE, "SET lock_timeout = '5s'", emptied)
            self.free.append(site)

    def _made(self) -> Site:
        site = self.server.site()
        roles = Roles(writer=f"writer_{site.name}", eraser=f"eraser_{site.name}")
        migrate(site.migrator, Deadline.within(60, SystemClock()), roles=roles)
        return site


@contextmanager
def on_postgres(sites: Sites, directory: Path) -> Iterator[Path]:
    """Let a directory's log live in PostgreSQL (`ledger_stage.Stage` reads where)."""
    with sites.one() as site:
        (directory / "database.url").write_text(site.writer)
        (directory / "superuser.url").write_text(site.superuser)
        yield directory
