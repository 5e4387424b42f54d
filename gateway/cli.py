"""CLI: `python -m gateway …`, every command of the gateway."""

import click

from gateway.commands.clients import clients
from gateway.commands.consents import consents
from gateway.commands.country import demo
from gateway.commands.ledger import audit
from gateway.commands.operation import doctor, keys, migrate, serve
from gateway.commands.policies import policy

FAULT = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Causeway: a policy-enforcing gateway between government agencies.

    \b
    Example: python -m gateway demo --exit
    """


for command in (demo, serve, doctor, migrate, clients, keys, consents, policy, audit):
    main.add_command(command)
