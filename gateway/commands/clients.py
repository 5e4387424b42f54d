"""Clients: which agency systems may speak to the gateway, and with which keys."""

from pathlib import Path

import click
import orjson

from gateway.commands.opening import No, opened, plainly
from identity.clients import MAX_JWKS
from identity.model import Scope
from kernel.names import AgencyId, ClientId

_DEFAULT = (Scope.DIRECTORY_READ, Scope.EXCHANGE_REQUEST)


@click.group()
def clients() -> None:
    """Agency systems.

    \b
    Example: python -m gateway clients list
    """


@clients.command()
@click.argument("agency")
@click.argument("client_id")
@click.option("--jwks", required=True, type=click.Path(path_type=Path), help="Public JWKS file.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice([s.value for s in Scope]))
@plainly
def add(agency: str, client_id: str, jwks: Path, scopes: tuple[str, ...]) -> None:
    """Register an agency's system with its signing key (use: sig) and sealing key (use: enc).

    \b
    Example: python -m gateway clients add family-benefits fb-1 --jwks fb-1.jwks.json
    """
    with jwks.open("rb") as file:
        content = file.read(MAX_JWKS + 1)
    chosen = [Scope(scope) for scope in scopes] or list(_DEFAULT)
    with opened() as rooms:
        if AgencyId(agency) not in rooms.control.now().catalogue.agencies:
            raise No(f"The catalogue has no agency {agency!r}; see policies/catalogue.")
        logged = rooms.clients.add(AgencyId(agency), ClientId(client_id), content, chosen)
        click.echo(orjson.dumps({"client": client_id, "agency": agency, "index": logged.index}))


@clients.command("list")
@plainly
def list_() -> None:
    """Print every client, one JSON line each.

    \b
    Example: python -m gateway clients list
    """
    with opened() as rooms:
        for client in rooms.clients.registered():
            document = {
                "client": client.id,
                "agency": client.agency,
                "scopes": sorted(client.scopes),
                "state": "active" if client.active else "disabled",
            }
            click.echo(orjson.dumps(document))


@clients.command()
@click.argument("client_id")
@plainly
def disable(client_id: str) -> None:
    """Shut a client out, from its next request on.

    \b
    Example: python -m gateway clients disable fb-1
    """
    with opened() as rooms:
        logged = rooms.clients.disable(ClientId(client_id))
        click.echo(orjson.dumps({"client": client_id, "state": "disabled", "index": logged.index}))
