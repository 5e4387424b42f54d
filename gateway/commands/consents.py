"""The counter: consents given, refused and taken back for a person who stands before a clerk."""

import click

from audit.model import Activity
from audit.person import activity as activity_of
from consent.model import Act, Choice, Grant, Kind, Means, Record
from consent.rows import grants
from gateway.commands.authority import invalidate, revoke
from gateway.commands.counter import (
    AGREEMENT,
    CLERK,
    METHOD,
    SUBJECT,
    Name,
    agreement_of,
    carry_out,
    fact,
    person_of,
    say,
    terms_for,
)
from gateway.commands.opening import No, opened, plainly
from gateway.terms import terms_of
from kernel.canonical import Json
from kernel.clock import rfc3339
from kernel.names import AgreementId

_ONLY = click.option("--agreement", help="Only this agreement.")
_ANY_METHOD = click.option("--method", type=click.Choice(["counter"]), help="As for the others.")
_ANY_CLERK = click.option("--clerk", type=Name(), help="As for the others.")


@click.group()
def consents() -> None:
    """The counter, in demo mode only; works beside a running server.

    \b
    Example: python -m gateway consents list --subject resident-number:RN-0000000
    """


@consents.command()
@AGREEMENT
@SUBJECT
@METHOD
@CLERK
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
        registered = agreement_of(rooms, agreement)
        if stop := rooms.control.now().stops.agreement(registered):
            raise No(f"The agreement is stopped since {rfc3339(stop.since)}: nobody can agree now.")
        terms = terms_of(registered)
        choice = Choice(
            granted=frozenset(fact(field) for field in fields) or terms.offered,
            valid_days=valid_days or registered.max_valid_days,
            uses=uses or registered.max_uses,
        )
        person = person_of(rooms, subject)
        carry_out(rooms, Act(Kind.GIVE, person, terms, Means(method, clerk), choice))


@consents.command()
@AGREEMENT
@SUBJECT
@METHOD
@CLERK
@plainly
def refuse(agreement: str, subject: str, method: str, clerk: str) -> None:
    """Write down that the person says no.

    \b
    Example: python -m gateway consents refuse --agreement family-allowance \\
        --subject resident-number:RN-0000000 --clerk c-1
    """
    _act(Kind.REFUSE, agreement, subject, Means(method, clerk))


@consents.command()
@AGREEMENT
@SUBJECT
@METHOD
@CLERK
@plainly
def withdraw(agreement: str, subject: str, method: str, clerk: str) -> None:
    """End a consent for good; prints every release before that.

    \b
    Example: python -m gateway consents withdraw --agreement family-allowance \\
        --subject resident-number:RN-0000000 --clerk c-1
    """
    _act(Kind.WITHDRAW, agreement, subject, Means(method, clerk))


@consents.command()
@AGREEMENT
@SUBJECT
@METHOD
@CLERK
@plainly
def suspend(agreement: str, subject: str, method: str, clerk: str) -> None:
    """Pause a consent until the person lets it go on; prints every release before that.

    \b
    Example: python -m gateway consents suspend --agreement family-allowance \\
        --subject resident-number:RN-0000000 --clerk c-1
    """
    _act(Kind.SUSPEND, agreement, subject, Means(method, clerk))


@consents.command()
@AGREEMENT
@SUBJECT
@METHOD
@CLERK
@plainly
def resume(agreement: str, subject: str, method: str, clerk: str) -> None:
    """Let a paused consent go on.

    \b
    Example: python -m gateway consents resume --agreement family-allowance \\
        --subject resident-number:RN-0000000 --clerk c-1
    """
    _act(Kind.RESUME, agreement, subject, Means(method, clerk))


@consents.command()
@AGREEMENT
@SUBJECT
@METHOD
@CLERK
@click.option(
    "--drop",
    "dropped",
    multiple=True,
    required=True,
    metavar="SERVICE#PTR",
    help="One fact to take away, of one or many.",
)
@plainly
def narrow(agreement: str, subject: str, method: str, clerk: str, dropped: tuple[str, ...]) -> None:
    """Take facts away from a consent; the others stay as they are.

    \b
    Example: python -m gateway consents narrow --agreement family-allowance \\
        --subject resident-number:RN-0000000 --clerk c-1 --drop tax/income#/income/total
    """
    away = frozenset(fact(one) for one in dropped)
    with opened() as rooms:
        person = person_of(rooms, subject)
        terms = terms_for(rooms, agreement, person)
        held = rooms.consents.current(person.ref, AgreementId(agreement))
        after = (held.id, held.epoch) if held else None
        choice, means = _without(away, held), Means(method, clerk)
        carry_out(rooms, Act(Kind.NARROW, person, terms, means, choice, after=after))


@consents.command("list")
@SUBJECT
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
        for record in rooms.consents.records(person_of(rooms, subject).ref):
            if agreement in {None, record.agreement}:
                say(_described(record, len(rooms.consents.uses(record.id))))


@consents.command()
@SUBJECT
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
        ref = person_of(rooms, subject).ref
        for event in activity_of(rooms.database.read(), rooms.root, ref):
            if agreement in {None, event.header.get("agreement")}:
                say(_event(event))


consents.add_command(revoke)
consents.add_command(invalidate)


def _act(kind: Kind, agreement: str, subject: str, means: Means) -> None:
    with opened() as rooms:
        person = person_of(rooms, subject)
        carry_out(rooms, Act(kind, person, terms_for(rooms, agreement, person), means))


def _without(away: frozenset[Grant], held: Record | None) -> Choice:
    """Return what remains without some of the facts that are shared now."""
    if held is None:
        return Choice(frozenset(), 0, None)
    if unshared := sorted(away - held.granted):
        service, pointer = unshared[0]
        raise No(f"{service}#{pointer} is not shared under this consent.")
    return Choice(held.granted - away, 0, None)


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
