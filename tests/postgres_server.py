"""A real PostgreSQL on a free port of loopback, with a data directory of its own, and databases
in it with the roles that a deployment has."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from kernel.grants import Roles
from tests.ports import free_port

PATIENCE = 60
"""Seconds that a start or a stop may take on a busy machine."""


def binaries() -> Path:
    """Return the directory of the server's programs (Debian: postgresql-15)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    assert on_path, "the tests need PostgreSQL (Debian: postgresql-15)"
    return Path(on_path).parent


def account() -> dict[str, object]:
    """Return whom the server runs as: never root, who is refused."""
    if os.geteuid():
        return {}
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


@dataclass(frozen=True)
class Site:
    """A fresh database, and the URL of each role that a deployment has."""

    server: "PostgresServer"
    name: str

    @property
    def migrator(self) -> str:
        """Who owns the tables."""
        return self.server.url(self.name, f"migrator_{self.name}")

    @property
    def writer(self) -> str:
        """Whom the gateway is."""
        return self.server.url(self.name, f"writer_{self.name}")

    @property
    def eraser(self) -> str:
        """Who may erase."""
        return self.server.url(self.name, f"eraser_{self.name}")

    @property
    def superuser(self) -> str:
        """Who may do anything; no part of the gateway."""
        return self.server.url(self.name)

    @property
    def roles(self) -> Roles:
        """Whom to grant what they need."""
        return Roles(f"writer_{self.name}", f"eraser_{self.name}")

    def execute(self, *statements: str) -> None:
        """Run statements as the superuser, each on its own."""
        with psycopg.connect(self.superuser, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, query: str) -> list[tuple]:
        """Return what the superuser reads."""
        with psycopg.connect(self.superuser, autocommit=True) as connection:
            return connection.execute(query).fetchall()


class PostgresServer:
    """A server that can be started, stopped, killed, hung and started again."""

    def __init__(self, *options: str) -> None:
        """Make its data directory, where a user who is not root may go."""
        self.directory = Path(tempfile.mkdtemp(prefix="causeway-postgres-"))
        self.port = 0
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        if not os.geteuid():
            shutil.chown(self.directory, "nobody", "nogroup")
        subprocess.run(
            [
                *(binaries() / "initdb", "--pgdata", self.directory / "data", "--no-sync"),
                *("--username", "postgres", "--auth", "trust", "--encoding", "UTF8"),
                *("--locale", "C"),
            ],
            check=True,
            cwd=self.directory,
            stdout=subprocess.DEVNULL,
            **account(),
        )

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the URL of a database for a user."""
        password = "" if user == "postgres" else ":opensesame"
        return f"postgresql://{user}{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> "PostgresServer":
        """Start it, on the port that it had before, and return when it answers."""
        for _ in range(10):
            fresh = not self.port
            self.port = self.port or free_port()
            with (self.directory / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    [
                        *(binaries() / "postgres", "-D", self.directory / "data"),
                        *("-p", str(self.port), "-c", "listen_addresses=127.0.0.1"),
                        *("-c", "unix_socket_directories=", "-c", "max_connections=200"),
                        *self.options,
                    ],
                    cwd=self.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    **account(),
                )
            if self._answers():
                return self
            if fresh:
                self.port = 0  # somebody else was quicker
        raise AssertionError((self.directory / "log").read_text())

    def _answers(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self.process is not None
            if self.process.poll() is not None:
                return False
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.directory / "log").read_text()
                time.sleep(0.05)
            else:
                return True

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it, by default as a power cut would; it is gone when this returns."""
        if self.process is None:
            return
        children = self._children()
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.process = None
        deadline = time.monotonic() + PATIENCE
        while any(Path(f"/proc/{child}").exists() for child in children):
            assert time.monotonic() < deadline, "PostgreSQL's processes did not end"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in order, whoever is connected."""
        self.kill(signal.SIGINT)

    def restart(self) -> None:
        """Kill it, and start it again on what its files hold."""
        self.kill()
        self.start()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let it hang: it is there, and none of its processes does anything."""
        assert self.process is not None
        held = [self.process.pid, *self._children()]
        for pid in held:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in held:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _children(self) -> list[int]:
        assert self.process is not None
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def site(self) -> Site:
        """Return a new database, owned by its migrator, with a writer and an eraser beside it."""
        name = f"c{secrets.token_hex(5)}"
        site = Site(self, name)
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for role in ("migrator", "writer", "eraser"):
                connection.execute(f"CREATE ROLE {role}_{name} LOGIN PASSWORD 'opensesame'")
            connection.execute(f"CREATE DATABASE {name} OWNER migrator_{name}")
        return site

    def close(self) -> None:
        """End it, and throw its files away."""
        self.kill(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def postgres_server(*options: str) -> Iterator[PostgresServer]:
    """Run a server, and end it by its process id."""
    server = PostgresServer(*options)
    try:
        yield server.start()
    finally:
        server.close()
