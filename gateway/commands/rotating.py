"""Rotating: the next key of a signer, and a day later its turn."""

import click

from crypto.keys import DAY, ROTATED
from crypto.rotation import make_next, next_of, promote
from gateway.commands.opening import No, opened, plainly
from kernel.clock import Micros, rfc3339
from kernel.entry import Entry, EntryType

_RESTART = "Put the key files on every host and restart host after host"


@click.command()
@click.argument("name", type=click.Choice(ROTATED))
@click.option(
    "--stolen",
    is_flag=True,
    help="Now, with a key that nobody had yet; what the one before signed is not believed.",
)
@plainly
def rotate(name: str, *, stolen: bool) -> None:
    """Make the key that signs next, or, a day after that, let it sign. Either counts from the next
    start of each host.

    \b
    Example: python -m gateway keys rotate receipt
    """
    with opened() as rooms:
        ring, kek, now = rooms.keys, rooms.settings.key_encryption_key, rooms.clock.now()
        following = None if stolen else next_of(ring, name, kek)
        if following is None:
            following = make_next(ring, name, kek, rooms.chance, now)
            if not stolen:
                click.echo(
                    f"{following.kid} is made. {_RESTART}, so that it is published; "
                    "a day later ask once more, and it signs."
                )
                return
        elif now < (due := Micros(following.created + DAY)):
            raise No(
                f"{following.kid} signs from {rfc3339(due)} on, since others remember our keys "
                "for a while; where the key before was stolen, add --stolen."
            )
        header = {"key": following.kid, "use": name}
        rooms.ledger.append(Entry(EntryType.KEY_ADDED, header))
        promote(ring, name, kek, rooms.chance, now, keep=not stolen)
        click.echo(f"{following.kid} signs now. {_RESTART}.")
