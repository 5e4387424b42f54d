"""Counter: what the commands about one person share: their options, the person, and JSON lines."""

import click
import orjson

from consent.declined import Declined
from consent.model import Acknowledgement, Act, Grant, Person, Terms
from consent.rules import kept_terms
from consent.words import MAX_REASON, checked
from gateway.commands.opening import No
from gateway.model import Agreement, Basis
from gateway.rooms import Rooms
from gateway.terms import terms_of
from kernel.canonical import Json
from kernel.clock import rfc3339
from kernel.names import AgreementId, Pointer, ServiceId, Subject

_LONGEST_NAME = 100


class Name(click.ParamType[str]):
    """A name or an identifier: printable characters, not too many."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it is."""
        if not (
            1 <= len(value) <= _LONGEST_NAME and value.isprintable() and value == value.strip()
        ):
            self.fail(f"write 1 to {_LONGEST_NAME} printable characters", param, ctx)
        return value


class Reason(click.ParamType[str]):
    """Why an authority acts, in its own words."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text with plain line ends."""
        try:
            return checked(value, MAX_REASON)
        except Declined as declined:
            self.fail(declined.detail, param, ctx)


AGREEMENT = click.option("--agreement", required=True, type=Name(), help="The sharing agreement.")
SUBJECT = click.option(
    "--subject", required=True, metavar="SCHEME:VALUE", help="The person, as in their papers."
)
CLERK = click.option(
    "--clerk", required=True, type=Name(), help="Who takes the person's word down."
)
METHOD = click.option(
    "--method", type=click.Choice(["counter"]), default="counter", help="How the word reached us."
)
OFFICER = click.option(
    "--officer", required=True, type=Name(), help="Who acts for the authority; the person sees it."
)
REASON = click.option(
    "--reason",
    required=True,
    type=Reason(),
    help=f"Why, in 1 to {MAX_REASON} characters; only the person and officers see it.",
)


def person_of(rooms: Rooms, text: str) -> Person:
    """Return the person whom an option names, or raise `Refusal` where it names nobody."""
    scheme, _, value = text.partition(":")
    subject = rooms.control.now().subject(Subject(scheme, value))
    return Person(subject, rooms.pseudonyms.ref(subject), rooms.pseudonyms.seal(subject))


def agreement_of(rooms: Rooms, name: str) -> Agreement:
    """Return an agreement in force that rests on consent; any other is a wrong call, or a no."""
    found = rooms.control.now().agreements.get(AgreementId(name))
    if found is None:
        raise click.BadParameter("there is no agreement of that name", param_hint="--agreement")
    if found.basis is not Basis.CONSENT:
        raise No("That agreement rests on a law, not on consent: the person can object, not agree.")
    return found


def terms_for(rooms: Rooms, name: str, person: Person) -> Terms:
    """Return the terms for a change of what a person said; the agreement may be gone since."""
    found = rooms.control.now().agreements.get(AgreementId(name))
    if found is None or found.basis is not Basis.CONSENT:
        held = rooms.consents.current(person.ref, AgreementId(name))
        if held is not None:
            return kept_terms(held)
    return terms_of(agreement_of(rooms, name))


def fact(text: str) -> Grant:
    """Return the fact that an option names."""
    service, found, pointer = text.partition("#")
    if not found:
        raise click.BadParameter("write SERVICE#PTR, as in tax/income#/income/total")
    return ServiceId(service), Pointer(pointer)


def carry_out(rooms: Rooms, act: Act) -> None:
    """Carry an act out and print its acknowledgement."""
    tell(rooms.consents.carry_out(act))


def tell(done: Acknowledgement) -> None:
    """Print what an act did, and every release under that consent before."""
    say(
        {
            "consent": done.consent,
            "state": done.state.value,
            "at": rfc3339(done.at),
            "index": done.index,
            "uses": [
                {
                    "exchange": use.exchange,
                    "at": rfc3339(use.at),
                    "agency": use.agency,
                    "service": use.service,
                }
                for use in done.uses
            ],
        }
    )


def say(document: dict[str, Json]) -> None:
    """Print one JSON line."""
    click.echo(orjson.dumps(document))
