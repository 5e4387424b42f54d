"""Operation: serve, doctor, migrate, and the list of keys."""

import sqlite3
from pathlib import Path

import click
import orjson

from gateway.addresses import guard_directory, is_postgres
from gateway.commands.opening import PLAIN, No, opened, plainly
from gateway.production import findings
from gateway.rooms import PATIENCE, bring_into_force
from gateway.settings import Mode, Settings
from gateway.storage import bring_to_head
from kernel.clock import Deadline, SystemClock, rfc3339
from kernel.errors import Refusal
from kernel.postgres_address import PostgresAddress
from kernel.redis_store import RedisStore

ROOT = Path(__file__).parents[2]
MIGRATING = 120.0
"""Seconds after which a migration beside a busy gateway gives up."""


@click.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8080, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--workers", default=1, type=click.IntRange(1, 1), help="More come with PostgreSQL.")
@plainly
def serve(host: str, port: int, workers: int) -> None:
    """The gateway, from settings.

    \b
    Example: GATEWAY_PUBLIC_URL=http://127.0.0.1:8080 python -m gateway serve
    """
    with opened() as rooms:  # what cannot start says so here, in one sentence
        bring_into_force(rooms)
    from granian import Granian  # noqa: PLC0415 - for serving only
    from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415 - for serving only
    from granian.http import HTTP1Settings  # noqa: PLC0415 - for serving only

    Granian(
        target="wsgi:served",
        working_dir=ROOT,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        workers=workers,
        http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=64 * 1024),
        respawn_failed_workers=True,
        respawn_interval=0.5,
    ).serve()


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
    click.echo(f"mode        {settings.mode.value}")
    click.echo(f"public URL  {settings.public_url}")
    click.echo(f"database    {_database(settings)}")
    click.echo(f"guard       {_guard(settings)}")
    click.echo(f"policies    {settings.policies}")
    click.echo(f"engine      {'OPA' if settings.opa_url else 'embedded'}")
    click.echo(f"state       {settings.redis or 'files of this machine'}")
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
