"""Stops: an agreement, an agency or a source is halted in an emergency, and goes on again."""

import re

import click

from gateway.commands.counter import say
from gateway.commands.opening import No, opened, plainly
from gateway.policy.catalogue import Catalogue
from gateway.stops import MAX_REASON, Halts
from gateway.stops import resume as let_go_on
from gateway.stops import stop as halt
from kernel.clock import rfc3339
from kernel.entry import Logged

_REASON = re.compile(rf"(?! )[ -~]{{1,{MAX_REASON}}}(?<! )")


class Sentence(click.ParamType[str]):
    """Why something is stopped: it stands in the open part of an entry, which is ASCII."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text as it is."""
        if not _REASON.fullmatch(value):
            self.fail(
                f"write 1 to {MAX_REASON} letters without accents, digits, signs and spaces"
                " between them, on one line",
                param,
                ctx,
            )
        return value


@click.group()
def stop() -> None:
    """Emergency stop, in force on the next request everywhere.

    \b
    Example: python -m gateway stop list
    """


@click.group()
def resume() -> None:
    """What was stopped goes on.

    \b
    Example: python -m gateway resume agreement family-allowance
    """


@stop.command("list")
@plainly
def list_() -> None:
    """Print everything that is stopped, one JSON line each.

    \b
    Example: python -m gateway stop list
    """
    with opened() as rooms:
        held = rooms.control.stops(rooms.control.activated().epoch).held.values()
        for one in sorted(held, key=lambda one: one.index):
            say(
                {
                    "kind": one.kind.value,
                    "name": one.name,
                    "since": rfc3339(one.since),
                    "reason": one.reason,
                    "index": one.index,
                }
            )


def _tell(kind: Halts, name: str, state: str, done: Logged) -> None:
    at = rfc3339(done.time)
    say({"kind": kind.value, "name": name, "state": state, "at": at, "index": done.index})


def _names(catalogue: Catalogue) -> dict[Halts, set[str]]:
    return {
        Halts.AGREEMENT: {*catalogue.agreements},
        Halts.AGENCY: {*catalogue.agencies},
        Halts.SOURCE: {one.source for one in catalogue.services.values()},
    }


_NAME = click.argument("name")
_WHY = f"Why, in 1 to {MAX_REASON} ASCII characters; officers and the agencies concerned read it."
_STOP_WHY = click.option("--reason", required=True, type=Sentence(), help=_WHY)
_RESUME_WHY = click.option("--reason", type=Sentence(), help=_WHY)


def _add(kind: Halts, means: str, example: str) -> None:
    """Give both groups the command of a kind."""

    @_NAME
    @_STOP_WHY
    @plainly
    def stops(name: str, reason: str) -> None:
        with opened() as rooms:
            if name not in _names(rooms.control.now().catalogue)[kind]:
                raise No(f"The catalogue in force has no {kind.value} {name!r}.")
            _tell(kind, name, "stopped", halt(rooms.ledger, kind, name, reason))

    @_NAME
    @_RESUME_WHY
    @plainly
    def resumes(name: str, reason: str | None) -> None:
        with opened() as rooms:
            _tell(kind, name, "resumed", let_go_on(rooms.ledger, kind, name, reason))

    of = f"python -m gateway {{}} {kind.value} {example}"
    why = ' --reason "Wrong names came."'
    told = f"{means}\n\n\b\nExample: {of.format('stop')}{why}"
    stop.command(kind.value, help=told)(stops)
    told = f"The {kind.value} goes on.\n\n\b\nExample: {of.format('resume')}"
    resume.command(kind.value, help=told)(resumes)


_add(
    Halts.AGREEMENT,
    "Nothing is asked under the agreement, and nobody is asked to agree to it.",
    "family-allowance",
)
_add(Halts.AGENCY, "The agency's systems are refused as if they were disabled.", "family-benefits")
_add(Halts.SOURCE, "The source is asked nothing, under any agreement.", "tax")
