"""The restore drill on PostgreSQL, with the guard in another: a host that has nothing but keys and
settings lets a restored database go on, and what was withdrawn since stays withdrawn."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from gateway.cli import main
from tests.country import RESIDENTS, RunningCountry, running
from tests.postgres_server import PostgresServer, Site, postgres_server

NAME = ["/name/family"]
PATIENCE = 120.0


@pytest.fixture
def guard() -> Iterator[Site]:
    with postgres_server() as elsewhere:
        yield elsewhere.site()


def command(environ: dict[str, str], *arguments: str) -> str:
    result = CliRunner().invoke(main, arguments, env=environ, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def leave(admin: psycopg.Connection, name: str) -> None:
    """Let nobody in any more, and end who is there."""
    admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
    )


def back_up(site: Site) -> None:
    with psycopg.connect(site.server.url(), autocommit=True) as admin:
        leave(admin, site.name)
        admin.execute(f"CREATE DATABASE {site.name}_copy TEMPLATE {site.name}")
        admin.execute(f"ALTER DATABASE {site.name} ALLOW_CONNECTIONS true")


def restore(site: Site) -> None:
    with psycopg.connect(site.server.url(), autocommit=True) as admin:
        leave(admin, site.name)
        admin.execute(f"ALTER DATABASE {site.name} RENAME TO {site.name}_before")
        admin.execute(f"ALTER DATABASE {site.name}_copy RENAME TO {site.name}")


def asked(country: RunningCountry, number: str) -> tuple[int, str | None]:
    answer = country.agency().exchange(number, RESIDENTS, NAME)
    return answer.status, answer.json.get("reason")


def answered(country: RunningCountry, number: str) -> bool:
    """Ask until there is an answer: the host that ran all the time follows by itself."""
    until = time.monotonic() + PATIENCE
    while asked(country, number)[0] != 200:
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def test_a_host_that_has_only_keys_and_settings_puts_back_what_was_withdrawn(
    tmp_path: Path, postgres: PostgresServer, guard: Site
) -> None:
    site = postgres.site()
    urls = {
        "GATEWAY_DATABASE_URL": site.writer,
        "GATEWAY_MIGRATOR_URL": site.migrator,
        "GATEWAY_GUARD_URL": guard.writer,
        "GATEWAY_GUARD_MIGRATOR_URL": guard.migrator,
    }
    with running(tmp_path / "demo", 120, **urls) as country:
        kept, withdrawn = country.resident(), country.resident()
        for one in (kept, withdrawn):
            assert country.consents("give", one).returncode == 0
        back_up(site)
        assert answered(country, withdrawn.number)
        assert country.consents("withdraw", withdrawn).returncode == 0
        restore(site)
        for one in (kept, withdrawn):
            assert asked(country, one.number) == (503, "ledger.unavailable")
        host = tmp_path / "host"
        host.mkdir(mode=0o700)
        shutil.copytree(Path(country.environ["GATEWAY_STATE_DIR"]) / "keys", host / "keys")
        environ = {**country.environ, **urls, "GATEWAY_STATE_DIR": str(host)}
        said = command(environ, "audit", "recover")
        assert "1 restrictions stand again." in said
        assert "Nothing was lost" in command(environ, "audit", "recover")
        assert answered(country, kept.number)
        assert asked(country, withdrawn.number) == (403, "subject.not_released")
        command(environ, "audit", "export", str(tmp_path / "log"))
        told = command(environ, "audit", "verify", "--dir", str(tmp_path / "log"))
        assert told.splitlines()[-1].startswith("ok size=")
