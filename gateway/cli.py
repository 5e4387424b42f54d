"""CLI: `python -m gateway …`, every command of the gateway."""

from importlib import import_module
from typing import Any

import click

from gateway.commands.opening import No

COMMANDS = {
    "audit": "ledger",
    "backup": "backing",
    "blocks": "blocks",
    "clients": "clients",
    "consents": "consents",
    "demo": "country",
    "doctor": "doctor",
    "keys": "operation",
    "migrate": "operation",
    "policy": "policies",
    "resume": "stops",
    "serve": "operation",
    "stop": "stops",
}
"""In which module of `gateway.commands` each is: the others are not imported, which takes long."""


class CalledWrongly(No):
    """A command was called wrongly: exit 2 with one plain sentence."""

    exit_code = 2


class Commands(click.Group):
    """All commands; one that is called wrongly says so in a sentence, not in a page."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        """Return a command, imported now, or None where there is none of that name."""
        if name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"gateway.commands.{COMMANDS[name]}"), name)
        return found

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
