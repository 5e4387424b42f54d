"""Operation: serve, doctor, migrate, and the list of keys."""

import os
import socket
import sqlite3

import click
import orjson

from gateway.addresses import guard_directory, is_postgres
from gateway.commands.opening import PLAIN, No, opened, plainly
from gateway.observing.tracing import check as check_tracing
from gateway.production import findings
from gateway.rooms import PATIENCE, bring_into_force
from gateway.rooms import opened as open_with
from gateway.serving.hosts import Hosts
from gateway.serving.parent import die_with_parent
from gateway.settings import Mode, Settings
from gateway.storage import bring_to_head
from kernel.clock import Deadline, SystemClock, rfc3339
from kernel.errors import Refusal
from kernel.postgres_address import PostgresAddress
from kernel.redis_store import RedisStore

MIGRATING = 120.0
"""Seconds after which a migration beside a busy gateway gives up."""


@click.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8080, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--workers", default=1, type=click.IntRange(1, 64), help="Best is one per core.")
@plainly
def serve(host: str, port: int, workers: int) -> None:
    """The gateway, from settings.

    \b
    Example: GATEWAY_PUBLIC_URL=http://127.0.0.1:8080 python -m gateway serve
    """
    settings, clock = Settings.from_environ(), SystemClock()
    _claim(host, port)
    if (status := _first_of_all(settings)) != 0:
        raise SystemExit(status)
    from gateway.observing.shared import fresh_figures  # noqa: PLC0415 - for serving only

    with fresh_figures():
        from gateway.serving.main import Listening  # noqa: PLC0415 - for serving only
        from gateway.serving.main import serve as go_on  # noqa: PLC0415 - likewise

        name = f"{socket.gethostname()}:{port}"
        well = go_on(settings, name, Listening(host, port, workers), clock)
    raise SystemExit(0 if well else 1)


def _first_of_all(settings: Settings) -> int:
    """Make what is missing and bring the policies into force, in a process of its own: the workers
    are forked off one that never had anything open. What cannot start says so here, in one
    sentence; return the exit status."""
    if (child := os.fork()) == 0:
        die_with_parent()
        check_tracing(settings.otlp_url)
        with open_with(settings) as rooms:
            bring_into_force(rooms)
        raise click.exceptions.Exit(0)
    _, status = os.waitpid(child, 0)
    return abs(os.waitstatus_to_exitcode(status))


def _claim(host: str, port: int) -> None:
    """Refuse an address where somebody listens: the system would share its callers out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((host, port))
        except OSError as error:
            raise No(f"It cannot listen at {host}, port {port}: {error.strerror}.") from error


@click.command()
@plainly
def migrate() -> None:
    """Bring the database's schema to head.

    \b
    Example: GATEWAY_DATABASE_URL=sqlite:///var/gateway/causeway.db python -m gateway migrate
    """
    bring_to_head(Settings.from_environ(), Deadline.within(MIGRATING, SystemClock()))
    click.echo("The schema is at head.")


@click.command()
@plainly
def doctor() -> None:
    """What is configured, what is not ready for production; exit 1 if it cannot serve.

    \b
    Example: python -m gateway doctor
    """
    settings = Settings.from_environ()
    check_tracing(settings.otlp_url)
    click.echo(f"mode        {settings.mode.value}")
    click.echo(f"public URL  {settings.public_url}")
    click.echo(f"database    {_database(settings)}")
    click.echo(f"guard       {_guard(settings)}")
    click.echo(f"policies    {settings.policies}")
    click.echo(f"engine      {'OPA' if settings.opa_url else 'embedded'}")
    click.echo(f"state       {settings.redis or 'files of this machine'}")
    click.echo(f"spans       {settings.otlp_url or 'are not exported'}")
    click.echo(f"sources     {', '.join(sorted(settings.sources)) or 'none'}")
    for realm, issuer in settings.signin.issuers.items():
        click.echo(f"sign-in     {realm}s at {issuer}")
    refused = False
    for finding in findings(settings, Deadline.within(PATIENCE, SystemClock())):
        refused |= finding.refuses and settings.mode is Mode.PRODUCTION
        click.echo(f"{'not for production' if finding.refuses else 'warning'}: {finding.what}")
        click.echo(f"  fix: {finding.fix}")
    if refused:
        raise No("It cannot serve in production; each line above names what is in the way.")
    if settings.redis is not None:
        lost = RedisStore(settings.redis, SystemClock()).fault()
        if lost is not None:
            raise No(f"It cannot serve: {lost}")
    try:
        with opened() as rooms:
            for service in rooms.control.now().services.values():
                if service.source not in settings.sources:
                    click.echo(f"warning: no address for source {service.source!r}")
            for one in Hosts(rooms.database, rooms.clock).live():
                under = f"under {one.revision}" if one.revision else "without policies yet"
                click.echo(f"host        {one.name} worker {one.worker} {one.state} {under}")
    except PLAIN as error:
        raise No(f"It cannot serve: {error}") from error
    except Refusal as refusal:
        raise No(f"It cannot serve: {refusal.detail}") from refusal
    click.echo("It can serve.")


def _database(settings: Settings) -> str:
    if is_postgres(settings.database):
        return str(PostgresAddress.parse(settings.database))
    return f"SQLite {sqlite3.sqlite_version}, one file, written under a lock"


def _guard(settings: Settings) -> str:
    directory = guard_directory(settings.guard, settings.state_dir)
    return str(directory or PostgresAddress.parse(settings.guard or ""))


@click.group()
def keys() -> None:
    """The gateway's own keys.

    \b
    Example: python -m gateway keys list
    """


@keys.command("list")
@plainly
def list_() -> None:
    """Print every key, one JSON line each; never the private part.

    \b
    Example: python -m gateway keys list
    """
    with opened() as rooms:
        for key in rooms.keys.entries:
            click.echo(
                orjson.dumps(
                    {
                        "name": key.name,
                        "kid": key.kid,
                        "state": key.state,
                        "created": rfc3339(key.created),
                    }
                )
            )
