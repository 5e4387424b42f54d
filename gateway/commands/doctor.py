"""Doctor: what is configured, what production wants besides, and whether the gateway can serve."""

import sqlite3

import click

from gateway.commands.opening import PLAIN, No, opened, plainly
from gateway.observing.tracing import check as check_tracing
from gateway.rooms import PATIENCE, Rooms
from gateway.serving.hosts import Hosts
from gateway.setup.addresses import guard_directory, is_postgres
from gateway.setup.production import findings
from gateway.setup.settings import Mode, Settings
from kernel.clock import Deadline, SystemClock, rfc3339
from kernel.errors import Refusal
from kernel.postgres_address import PostgresAddress


@click.command()
@plainly
def doctor() -> None:
    """What is configured, what is not ready for production; exit 1 if it cannot serve.

    \b
    Example: python -m gateway doctor
    """
    settings = Settings.from_environ()
    check_tracing(settings.otlp_url)
    _tell(settings)
    _refuse_unfit(settings)
    try:
        with opened() as rooms:
            _tell_opened(rooms)
    except PLAIN as error:
        raise No(f"It cannot serve: {error}") from error
    except Refusal as refusal:
        raise No(f"It cannot serve: {refusal.detail}") from refusal
    click.echo("It can serve.")


def _tell(settings: Settings) -> None:
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


def _refuse_unfit(settings: Settings) -> None:
    """Print what production wants besides, each with its fix; raise `No` where it cannot serve."""
    refused = False
    for finding in findings(settings, Deadline.within(PATIENCE, SystemClock())):
        refused |= finding.refuses and settings.mode is Mode.PRODUCTION
        click.echo(f"{'not for production' if finding.refuses else 'warning'}: {finding.what}")
        click.echo(f"  fix: {finding.fix}")
    if refused:
        raise No("It cannot serve in production; each line above names what is in the way.")
    if settings.redis is not None:
        from kernel.redis_store import RedisStore  # noqa: PLC0415 - brings the driver

        lost = RedisStore(settings.redis, SystemClock()).fault()
        if lost is not None:
            raise No(f"It cannot serve: {lost}")


def _tell_opened(rooms: Rooms) -> None:
    """Print which sources have no address, which keys are old, and who serves now."""
    for service in rooms.control.now().services.values():
        if service.source not in rooms.settings.sources:
            click.echo(f"warning: no address for source {service.source!r}")
    for key in rooms.keys.due(rooms.clock.now()):
        click.echo(f"warning: the key of {key.name} signs since {rfc3339(key.created)}")
        click.echo(f"  fix: python -m gateway keys rotate {key.name}")
    for one in Hosts(rooms.database, rooms.clock).live():
        under = f"under {one.revision}" if one.revision else "without policies yet"
        click.echo(f"host        {one.name} worker {one.worker} {one.state} {under}")


def _database(settings: Settings) -> str:
    if is_postgres(settings.database):
        return str(PostgresAddress.parse(settings.database))
    return f"SQLite {sqlite3.sqlite_version}, one file, written under a lock"


def _guard(settings: Settings) -> str:
    directory = guard_directory(settings.guard, settings.state_dir)
    return str(directory or PostgresAddress.parse(settings.guard or ""))
