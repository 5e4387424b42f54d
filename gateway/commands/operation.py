"""Operation: serve, doctor, migrate, and the list of keys."""

import os
import socket
import sqlite3
from collections.abc import Iterator

import click
import orjson

from gateway.commands.opening import PLAIN, No, opened, plainly
from gateway.hosts import Hosts
from gateway.parent import die_with_parent
from gateway.rooms import PATIENCE, bring_into_force
from gateway.rooms import opened as open_with
from gateway.settings import Settings
from gateway.tracing import check as check_tracing
from kernel.clock import Deadline, SystemClock, rfc3339
from kernel.database import Database
from kernel.errors import Refusal
from kernel.loopback import on_this_machine
from kernel.migrations import migrate as bring_to_head
from kernel.redis_store import RedisStore


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
    from gateway.metrics_shared import fresh_figures  # noqa: PLC0415 - for serving only

    with fresh_figures():
        from gateway.serving import Listening  # noqa: PLC0415 - for serving only
        from gateway.serving import serve as go_on  # noqa: PLC0415 - likewise

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
    settings, clock = Settings.from_environ(), SystemClock()
    settings.database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database)
    try:
        bring_to_head(database, Deadline.within(PATIENCE, clock))
    finally:
        database.close(Deadline.within(PATIENCE, clock))
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
    click.echo(f"database    SQLite {sqlite3.sqlite_version}, one file, written under a lock")
    click.echo(f"policies    {settings.policies}")
    click.echo(f"engine      {'OPA' if settings.opa_url else 'embedded'}")
    click.echo(f"state       {settings.redis or 'files of this machine'}")
    click.echo(f"spans       {settings.otlp_url or 'are not exported'}")
    click.echo(f"sources     {', '.join(sorted(settings.sources)) or 'none'}")
    for realm, issuer in settings.signin.issuers.items():
        click.echo(f"sign-in     {realm}s at {issuer}")
    for lacking in _not_for_production(settings):
        click.echo(f"not for production: {lacking}")
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


def _not_for_production(settings: Settings) -> Iterator[str]:
    yield "SQLite serves one machine; production needs PostgreSQL"
    if settings.redis is None:
        yield "short-lived state in files serves one machine; set GATEWAY_REDIS_URL"
    elif not settings.redis.tls and not settings.redis.here:
        yield "Redis is reached without TLS; use rediss:// where the network is not yours alone"
    if settings.opa_url is None:
        yield "the embedded policy engine; set GATEWAY_OPA_URL"
    if settings.public_url.startswith("http://"):
        yield "GATEWAY_PUBLIC_URL is not https"
    for realm in ("resident", "officer"):
        issuer = settings.signin.issuers.get(realm)
        if issuer is None:
            yield f"no {realm} can sign in; set GATEWAY_OIDC_ISSUER and the client ids"
        elif on_this_machine(issuer):
            yield f"{realm}s sign in on this machine, which is for trying out"
    if settings.key_encryption_key is None:
        yield "keys lie unencrypted; set GATEWAY_KEY_ENCRYPTION_KEY_FILE"


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
