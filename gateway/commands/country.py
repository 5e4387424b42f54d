"""Country: the demo, from a shell."""

from pathlib import Path

import click

from gateway.commands.opening import No, plainly
from gateway.demo.agencies import Failed
from gateway.demo.play import play
from gateway.demo.processes import NotStarted
from gateway.demo.state import NotOurs
from gateway.demo.story import StoryBroken

HIGHEST = 65_533


@click.command()
@click.option("--exit", "leave", is_flag=True, help="End after the story; 0 if every step held.")
@click.option("--port", default=8080, type=click.IntRange(1, HIGHEST), help="And two above it.")
@click.option(
    "--state",
    default=Path("var/demo"),
    type=click.Path(path_type=Path),
    help="Where the country lives; rebuilt at each start.",
)
@plainly
def demo(*, leave: bool, port: int, state: Path) -> None:
    """A small country on one machine, and the story of a family allowance.

    \b
    Example: python -m gateway demo --exit
    """
    try:
        play(state, port, leave=leave, say=click.echo)
    except (Failed, NotOurs, NotStarted, StoryBroken) as error:
        raise No(str(error)) from error
