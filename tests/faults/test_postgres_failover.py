"""A synchronous standby takes over: whatever was acknowledged is there, and the ledger goes on by
itself; the server that died opens no second story when it comes back."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

from audit import verify
from audit.export import export
from audit.model import BadLedger, Limits
from audit.verify_source import Directory
from kernel.clock import Deadline, SystemClock
from kernel.errors import Reason, Refusal
from kernel.migrations import migrate
from tests.contract import ledger_stage as stage
from tests.postgres_server import PostgresServer, Site, account, binaries, postgres_server

pytestmark = pytest.mark.fault
PATIENCE = 120.0
CLOCK = SystemClock()
WRITERS = 4
BEFORE, AFTER = 40, 40
"""Entries that are acknowledged before the one server dies, and over the other afterwards."""


class Standby(PostgresServer):
    """A server that follows another, and lets it commit only what it has itself."""

    def __init__(self, primary: PostgresServer) -> None:
        """Copy the primary's files and stream from it from now on."""
        self.directory = Path(mkdtemp(prefix="causeway-standby-"))
        self.port = 0
        self.options = ()
        self.process = None
        if account():
            shutil.chown(self.directory, "nobody", "nogroup")
        subprocess.run(
            [
                *(binaries() / "pg_basebackup", "--dbname", primary.url(), "--no-sync"),
                *("--pgdata", self.directory / "data", "--write-recovery-conf"),
                *("--wal-method", "stream", "--checkpoint", "fast"),
            ],
            check=True,
            cwd=self.directory,
            **account(),
        )

    def promote(self) -> None:
        """Make it the one that takes writes."""
        told(self, "SELECT pg_promote(true, 60)")


@dataclass
class Pair:
    """A primary and its standby, and a log in the primary's database."""

    primary: PostgresServer
    standby: Standby
    site: stage.Stage


def told(server: PostgresServer, *statements: str) -> list[tuple]:
    """Return what the last of some statements brings, each in a transaction of its own."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        for statement in statements:
            found = admin.execute(statement)
        return found.fetchall() if found.description else []


def until(met: object, what: str) -> None:
    patience = Deadline.within(PATIENCE, CLOCK)
    while not met():
        assert patience.left(), what
        threading.Event().wait(0.02)


def at_both(url: str, pair: tuple[PostgresServer, PostgresServer]) -> str:
    """Return a URL that names both servers in place of the first."""
    first, second = pair
    one = f"127.0.0.1:{first.port}"
    return url.replace(one, f"{one},127.0.0.1:{second.port}")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with postgres_server() as primary:
        made: Site = primary.site()
        migrate(made.migrator, Deadline.within(PATIENCE, CLOCK), roles=made.roles)
        standby = Standby(primary)
        try:
            standby.start()
            told(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'")
            told(primary, "SELECT pg_reload_conf()")
            follows = "SELECT sync_state FROM pg_stat_replication"
            until(lambda: told(primary, follows) == [("sync",)], "the standby does not follow")
            both = (primary, standby)
            (tmp_path / "database.url").write_text(at_both(made.writer, both))
            (tmp_path / "superuser.url").write_text(at_both(made.superuser, both))
            yield Pair(primary, standby, stage.Stage(tmp_path, limits=Limits(patience=5.0)))
        finally:
            standby.close()


@dataclass
class Writers:
    """Callers that append until they are told to stop, and remember what was acknowledged."""

    log: stage.Opened
    acknowledged: dict[int, str] = field(default_factory=dict)
    refused: set[Reason] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            name, count = f"ex_{number}-{count}", count + 1
            try:
                placed = self.log.ledger.append(stage.decision(name, stage.person(number)))
            except Refusal as refusal:
                self.refused.add(refusal.reason)
                self._stop.wait(0.05)
            else:
                self.acknowledged[placed.index] = name


def check(log: stage.Opened, acknowledged: dict[int, str]) -> None:
    """Check that the log verifies, and holds what was acknowledged, once."""
    out = log.site.directory / "out"
    tree = export(log.database.read(), out, log.keys.signer)
    verify.verify(Directory(out), verify.Question(log.keys.signer.vkey), lambda _: None)
    names = [log.ledger.entry(index).get("exchange") for index in range(tree.size)]
    assert {index: names[index] for index in acknowledged} == acknowledged
    assert len(set(names)) == len(names)


def test_the_standby_takes_over_and_the_ledger_goes_on_with_all_that_was_acknowledged(pair: Pair):
    with pair.site.open() as log:
        writers = Writers(log)
        try:
            until(lambda: len(writers.acknowledged) >= BEFORE, "nothing was written")
            pair.primary.kill()
            before = dict(writers.acknowledged)
            pair.standby.promote()
            until(
                lambda: len(writers.acknowledged) >= len(before) + AFTER, "nothing is written now"
            )
        finally:
            writers.stop()
        assert writers.refused <= {Reason.LEDGER_UNAVAILABLE}
        check(log, writers.acknowledged)


def test_a_primary_that_comes_back_behind_the_guard_opens_no_second_story(pair: Pair):
    with pair.site.open() as log:
        log.ledger.append(stage.decision("ex_1"))
        pair.primary.kill()
        pair.standby.promote()
        until(lambda: _appended(log, "ex_2"), "the standby is not written to")
        size = log.ledger.size
    pair.primary.start()
    with pytest.raises(BadLedger, match="the database has only"):
        pair.site.open()
    pair.primary.stop()
    with pair.site.open() as log:
        assert log.ledger.size == size
        assert log.ledger.entry(size - 1)["exchange"] == "ex_2"


def _appended(log: stage.Opened, name: str) -> bool:
    try:
        log.ledger.append(stage.decision(name))
    except Refusal:
        return False
    return True
