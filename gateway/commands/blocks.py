"""Blocks: what stops everything about a person, whatever they allowed and whatever a law allows."""

import click

from consent.acts import COUNTER
from consent.blocks import BlockKind, Order
from consent.model import Means
from gateway.commands.counter import CLERK, OFFICER, REASON, SUBJECT, person_of, say
from gateway.commands.opening import opened, plainly
from kernel.clock import rfc3339
from kernel.entry import Logged

_KIND = click.option(
    "--kind",
    required=True,
    type=click.Choice([one.value for one in BlockKind if one is not BlockKind.SELF]),
    help="Which block; several stand beside each other.",
)


@click.group()
def blocks() -> None:
    """What stops everything about a person; in demo mode only.

    \b
    Example: python -m gateway blocks list --subject resident-number:RN-0000000
    """


@blocks.command("set")
@SUBJECT
@_KIND
@OFFICER
@REASON
@plainly
def set_(subject: str, kind: str, officer: str, reason: str) -> None:
    """Let nothing about a person leave, on an authority's word; also nothing that a law allows.

    \b
    Example: python -m gateway blocks set --subject resident-number:RN-0000000 --kind court \\
        --officer o-1 --reason "Order 7/26 of the district court."
    """
    _order(subject, Order(BlockKind(kind), officer, reason, lift=False))


@blocks.command()
@SUBJECT
@_KIND
@OFFICER
@REASON
@plainly
def lift(subject: str, kind: str, officer: str, reason: str) -> None:
    """Lift one block on an authority's word; the others stay.

    \b
    Example: python -m gateway blocks lift --subject resident-number:RN-0000000 --kind court \\
        --officer o-1 --reason "Order 9/26 of the district court."
    """
    _order(subject, Order(BlockKind(kind), officer, reason, lift=True))


@blocks.command()
@SUBJECT
@CLERK
@plainly
def lock(subject: str, clerk: str) -> None:
    """Lock everything about a person on their own word, at the counter.

    \b
    Example: python -m gateway blocks lock --subject resident-number:RN-0000000 --clerk c-1
    """
    with opened() as rooms:
        person, means = person_of(rooms, subject), Means(COUNTER, clerk)
        _tell(BlockKind.SELF, rooms.consents.lock(person, means), lifted=False)


@blocks.command()
@SUBJECT
@CLERK
@plainly
def unlock(subject: str, clerk: str) -> None:
    """Lift the person's own lock on their word, at the counter; no other block.

    \b
    Example: python -m gateway blocks unlock --subject resident-number:RN-0000000 --clerk c-1
    """
    with opened() as rooms:
        person, means = person_of(rooms, subject), Means(COUNTER, clerk)
        _tell(BlockKind.SELF, rooms.consents.unlock(person, means), lifted=True)


@blocks.command("list")
@SUBJECT
@plainly
def list_(subject: str) -> None:
    """Print the blocks in force for a person, one JSON line each.

    \b
    Example: python -m gateway blocks list --subject resident-number:RN-0000000
    """
    with opened() as rooms:
        for kind in sorted(rooms.consents.blocks(person_of(rooms, subject).ref)):
            say({"kind": kind, "state": "set"})


def _order(subject: str, order: Order) -> None:
    with opened() as rooms:
        logged = rooms.consents.ordered(person_of(rooms, subject), order)
        _tell(order.kind, logged, lifted=order.lift)


def _tell(kind: BlockKind, logged: Logged, *, lifted: bool) -> None:
    say(
        {
            "kind": kind.value,
            "state": "lifted" if lifted else "set",
            "at": rfc3339(logged.time),
            "index": logged.index,
        }
    )
