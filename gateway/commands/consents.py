"""The counter: consents given, refused and withdrawn for a person who stands before a clerk."""

import click
import orjson

from audit.model import Activity
from audit.person import activity as activity_of
from consent.model import Acknowledgement, Act, Choice, Kind, Means, Person, Record
from consent.rows import grants
from gateway.commands.opening import No, opened, plainly
from gateway.model import Agreement, Basis
from gateway.rooms import Rooms
from gateway.terms import terms_of
from kernel.canonical import Json
from kernel.clock import rfc3339
from kernel.names import AgreementId, Pointer, ServiceId, Subject

_AGREEMENT = click.option("--agreement", required=True, help="The sharing agreement.")
_SUBJECT = click.option(
    "--subject", required=True, metavar="SCHEME:VALUE", help="The person, as in their papers."
)
_CLERK = click.option("--clerk", required=True, help="Who takes the person's word down.")
_METHOD = click.option(
    "--method", type=click.Choice(["counter"]), default="counter", help="How the word reached us."
)
_ONLY = click.option("--agreement", help="Only this agreement.")
_ANY_METHOD = click.option("--method", type=click.Choice(["counter"]), help="As for the others.")
_ANY_CLERK = click.option("--clerk", help="As for the others.")


@click.group()
def consents() -> None:
    """The counter, in demo mode only; works beside a running server.

    \b
    Example: python -m gateway consents list --subject resident-number:RN-0000000
    """


@consents.command()
@_AGREEMENT
@_SUBJECT
@_METHOD
@_CLERK
@click.option("--field", "fields", multiple=True, metavar="SERVICE#PTR", help="One fact of many.")
@click.option(
    "--valid-days", type=click.IntRange(1), help="Days; the agreement's most if left out."
)
@click.option("--uses", type=click.IntRange(1), help="How often each service may be asked.")
@plainly
def give(
    agreement: str,
    subject: str,
    method: str,
    clerk: str,
    fields: tuple[str, ...],
    valid_days: int | None,
    uses: int | None,
) -> None:
    """Give consent to all that the agreement offers, or to the facts named.

    \b
    Example: python -m gateway consents give --agreement family-allowance \\
        --subject resident-number:RN-0000000 --clerk c-1 --field tax/income#/income/total
    """
    with opened() as rooms:
        registered = _agreement(rooms, agreement)
        terms = terms_of(registered)
        choice = Choice(
            granted=frozenset(_grant(field) for field in fields) or terms.offered,
            valid_days=valid_days or registered.max_valid_days,
            uses=uses or registered.max_uses,
        )
        person = _person(rooms, subject)
        _tell(rooms.consents.carry_out(Act(Kind.GIVE, person, terms, Means(method, clerk), choice)))


@consents.command()
@_AGREEMENT
@_SUBJECT
@_METHOD
@_CLERK
@plainly
def refuse(agreement: str, subject: str, method: str, clerk: str) -> None:
    """Write down that the person says no.

    \b
    Example: python -m gateway consents refuse --agreement family-allowance \\
        --subject resident-number:RN-0000000 --clerk c-1
    """
    _act(Kind.REFUSE, agreement, subject, Means(method, clerk))


@consents.command()
@_AGREEMENT
@_SUBJECT
@_METHOD
@_CLERK
@plainly
def withdraw(agreement: str, subject: str, method: str, clerk: str) -> None:
    """End a consent for good; prints every release before that.

    \b
    Example: python -m gateway consents withdraw --agreement family-allowance \\
        --subject resident-number:RN-0000000 --clerk c-1
    """
    _act(Kind.WITHDRAW, agreement, subject, Means(method, clerk))


@consents.command("list")
@_SUBJECT
@_ONLY
@_ANY_METHOD
@_ANY_CLERK
@plainly
def list_(subject: str, agreement: str | None, **_: str | None) -> None:
    """Print the person's consents, one JSON line each.

    \b
    Example: python -m gateway consents list --subject resident-number:RN-0000000
    """
    with opened() as rooms:
        for record in rooms.consents.records(_person(rooms, subject).ref):
            if agreement in {None, record.agreement}:
                _print(_described(record, len(rooms.consents.uses(record.id))))


@consents.command()
@_SUBJECT
@_ONLY
@_ANY_METHOD
@_ANY_CLERK
@plainly
def activity(subject: str, agreement: str | None, **_: str | None) -> None:
    """Print every entry about the person, numbered without gaps, one JSON line each.

    \b
    Example: python -m gateway consents activity --subject resident-number:RN-0000000
    """
    with opened() as rooms:
        ref = _person(rooms, subject).ref
        for event in activity_of(rooms.database.read(), rooms.root, ref):
            if agreement in {None, event.header.get("agreement")}:
                _print(_event(event))


def _act(kind: Kind, agreement: str, subject: str, means: Means) -> None:
    with opened() as rooms:
        terms = terms_of(_agreement(rooms, agreement))
        _tell(rooms.consents.carry_out(Act(kind, _person(rooms, subject), terms, means)))


def _agreement(rooms: Rooms, name: str) -> Agreement:
    found = rooms.control.now().agreements.get(AgreementId(name))
    if found is None:
        raise click.BadParameter("there is no agreement of that name", param_hint="--agreement")
    if found.basis is not Basis.CONSENT:
        raise No("That agreement rests on a law, not on consent: the person can object, not agree.")
    return found


def _person(rooms: Rooms, text: str) -> Person:
    scheme, _, value = text.partition(":")
    subject = rooms.control.now().subject(Subject(scheme, value))
    return Person(subject, rooms.pseudonyms.ref(subject), rooms.pseudonyms.seal(subject))


def _grant(text: str) -> tuple[ServiceId, Pointer]:
    service, found, pointer = text.partition("#")
    if not found:
        raise click.BadParameter("write SERVICE#PTR, as in tax/income#/income/total")
    return ServiceId(service), Pointer(pointer)


def _tell(done: Acknowledgement) -> None:
    _print(
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


def _described(record: Record, uses: int) -> dict[str, Json]:
    return {
        "consent": record.id,
        "agreement": record.agreement,
        "state": record.state.value,
        "fields": grants(record.granted),
        "valid_from": rfc3339(record.valid_from),
        "valid_until": rfc3339(record.valid_until),
        "use_limit": record.use_limit,
        "uses": uses,
    }


def _event(event: Activity) -> dict[str, Json]:
    return {
        "number": event.number,
        "index": event.index,
        **event.header,
        "disclosures": event.disclosures,
    }


def _print(document: dict[str, Json]) -> None:
    click.echo(orjson.dumps(document))
