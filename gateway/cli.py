"""CLI: `python -m gateway …`, every command of the gateway."""

from typing import Any

import click

from gateway.commands.authority import invalidate, revoke
from gateway.commands.backing import backup
from gateway.commands.blocks import blocks
from gateway.commands.clients import clients
from gateway.commands.consents import consents
from gateway.commands.country import demo
from gateway.commands.doctor import doctor
from gateway.commands.ledger import audit
from gateway.commands.opening import No
from gateway.commands.operation import keys, migrate, serve
from gateway.commands.policies import policy
from gateway.commands.resealing import reseal
from gateway.commands.stops import resume, stop


class CalledWrongly(No):
    """A command was called wrongly: exit 2 with one plain sentence."""

    exit_code = 2


class Commands(click.Group):
    """All commands; one that is called wrongly says so in a sentence, not in a page."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """Return the context of the arguments."""
        try:
            return super().make_context(*args, **more)
        except click.UsageError as error:
            raise _plain(error) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _plain(error) from error


def _plain(error: click.UsageError) -> click.ClickException:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    command = error.ctx.command_path if error.ctx else "python -m gateway"
    sentence = " ".join(error.format_message().split()).rstrip(".")
    return CalledWrongly(f"{sentence}; see {command} --help.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Causeway: a policy-enforcing gateway between government agencies.

    \b
    Example: python -m gateway demo --exit
    """


for command in (
    *(demo, serve, doctor, migrate, clients, keys, consents, blocks, policy, audit),
    *(stop, resume, backup),
):
    main.add_command(command)
for act in (revoke, invalidate):
    consents.add_command(act)
keys.add_command(reseal)
