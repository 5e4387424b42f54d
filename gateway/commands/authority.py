"""Authority: consents that an authority ends, of one person or of everybody who gave one."""

from collections.abc import Iterator

import click

from consent.acts import AUTHORITY
from consent.model import Acknowledgement, Act, Declined, Kind, Means, Person, Record
from consent.rules import kept_terms
from gateway.commands.counter import (
    AGREEMENT,
    OFFICER,
    REASON,
    SUBJECT,
    agreement_of,
    carry_out,
    person_of,
    tell,
    terms_for,
)
from gateway.commands.opening import No, opened, plainly
from gateway.rooms import Rooms
from identity.pseudonyms import NotOurs
from kernel.names import AgreementId, ConsentId

PAGE = 100
"""Consents that are read at a time; after so many the progress is told."""


@click.command()
@AGREEMENT
@SUBJECT
@OFFICER
@REASON
@plainly
def revoke(agreement: str, subject: str, officer: str, reason: str) -> None:
    """End one person's consent in an authority's name; prints every release before that.

    \b
    Example: python -m gateway consents revoke --agreement family-allowance \\
        --subject resident-number:RN-0000000 --officer o-1 --reason "The office was closed."
    """
    _end(Kind.REVOKE, agreement, subject, Means(AUTHORITY, officer), reason)


@click.command()
@AGREEMENT
@click.option("--subject", metavar="SCHEME:VALUE", help="The person, as in their papers.")
@click.option("--all", "everybody", is_flag=True, help="Everybody whose consent still stands.")
@OFFICER
@REASON
@plainly
def invalidate(
    agreement: str, subject: str | None, officer: str, reason: str, *, everybody: bool
) -> None:
    """Declare a consent not valid: a defect, a court, an agreement that was retired.

    With --all every consent to the agreement that still stands, one entry each, the progress on
    standard error. What an interruption leaves, the same command ends when it is run again.

    \b
    Example: python -m gateway consents invalidate --agreement family-allowance --all \\
        --officer o-1 --reason "A court found the agreement void."
    """
    means = Means(AUTHORITY, officer)
    if subject is not None and not everybody:
        _end(Kind.INVALIDATE, agreement, subject, means, reason)
    elif everybody and subject is None:
        with opened() as rooms:
            _end_all(rooms, AgreementId(agreement), means, reason)
    else:
        raise click.UsageError("Name one person with --subject, or everybody with --all.")


def _end(kind: Kind, agreement: str, subject: str, means: Means, reason: str) -> None:
    with opened() as rooms:
        person = person_of(rooms, subject)
        terms = terms_for(rooms, agreement, person)
        carry_out(rooms, Act(kind, person, terms, means, reason=reason))


def _end_all(rooms: Rooms, agreement: AgreementId, means: Means, reason: str) -> None:
    standing = rooms.consents.count_under(agreement)
    if not standing and not rooms.consents.ever_under(agreement):
        agreement_of(rooms, agreement)
    ended = 0
    try:
        for done in _each(rooms, agreement, means, reason):
            ended += 1
            tell(done)
            if ended % PAGE == 0:
                click.echo(f"{ended} of about {standing} are not valid any more.", err=True)
    except KeyboardInterrupt:
        raise No(f"Interrupted after {ended}; the same command goes on with the rest.") from None
    click.echo(f"{ended} ended; no consent to {agreement} stands now.", err=True)


def _each(
    rooms: Rooms, agreement: AgreementId, means: Means, reason: str
) -> Iterator[Acknowledgement]:
    """Yield each consent that is ended, until a pass over all of them finds none to end: what was
    given behind a pass is found by the next."""
    found = True
    while found:
        found, after = False, ConsentId("")
        while page := rooms.consents.under(agreement, after, PAGE):
            after = page[-1].id
            for record in page:
                act = Act(
                    Kind.INVALIDATE,
                    _holder(rooms, record),
                    kept_terms(record),
                    means,
                    reason=reason,
                )
                try:
                    done = rooms.consents.carry_out(act)
                except Declined:  # its person ended it a moment ago
                    continue
                found = True
                yield done


def _holder(rooms: Rooms, record: Record) -> Person:
    """Return the person whose record it is, by the identifier that is kept with it."""
    try:
        subject = rooms.pseudonyms.open(record.identifier, record.subject_ref)
    except NotOurs as error:
        raise No(f"{record.id} is sealed under other keys than this gateway has.") from error
    return Person(subject, record.subject_ref, record.identifier)
