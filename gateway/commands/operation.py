"""Operation: serve, migrate, and the list of keys."""

import os
import socket

import click
import orjson

from gateway.commands.opening import No, opened, plainly
from gateway.commands.resealing import reseal
from gateway.commands.rotating import rotate
from gateway.rooms import bring_into_force
from gateway.rooms import opened as open_with
from gateway.serving.parent import die_with_parent
from gateway.setup.settings import Settings
from gateway.setup.storage import bring_to_head
from kernel.clock import Deadline, SystemClock, rfc3339

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
    from gateway.observing.shared import fresh_figures  # noqa: PLC0415 - slow, for serving only

    with fresh_figures():
        from gateway.serving.main import Listening  # noqa: PLC0415 - slow, for serving only
        from gateway.serving.main import serve as go_on  # noqa: PLC0415 - slow, for serving only

        name = f"{socket.gethostname()}:{port}"
        well = go_on(settings, name, Listening(host, port, workers), clock)
    raise SystemExit(0 if well else 1)


def _first_of_all(settings: Settings) -> int:
    """Make what is missing and bring the policies into force, in a process of its own: the workers
    are forked off one that never had anything open. What cannot start says so here, in one
    sentence; return the exit status."""
    if (child := os.fork()) == 0:
        die_with_parent()
        from gateway.observing.tracing import check  # noqa: PLC0415 - slow, for serving only

        check(settings.otlp_url)
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


keys.add_command(reseal)
keys.add_command(rotate)
