"""Consent effects: what the release of an answer does to the rows, as a pure function of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from consent.blocks import kinds
from consent.rows import block_key, count_key, integer, record_key, record_of
from consent.rules import exact, finding
from kernel.effect import Effect, Key, Moment, Rows, Write
from kernel.errors import Exact, about_the_person
from kernel.names import AgencyId, ConsentId, ExchangeId, Pointer, Revision, ServiceId, SubjectRef


@dataclass(frozen=True, slots=True)
class Release:
    """What the release of an answer uses: whose, under which consent if any, and which fields."""

    subject_ref: SubjectRef
    consent: ConsentId | None
    revision: Revision
    agency: AgencyId
    service: ServiceId
    fields: frozenset[Pointer]
    exchange: ExchangeId
    others: tuple[SubjectRef, ...] = ()
    """The other people whose facts leave: a block of theirs stands before everything, too."""


def used(release: Release) -> Effect:
    """Return the effect that checks blocks and consent once more and counts the use.

    It runs inside the ledger's transaction, so a withdrawal stands either before or after it.
    """
    blocks = tuple(map(block_key, (release.subject_ref, *release.others)))
    consent = release.consent
    if consent is None:
        return Effect(blocks, lambda rows, _: _unblocked(rows, blocks))
    keys = (record_key(consent), count_key(consent, release.service))

    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        return (*_unblocked(rows, blocks), *_counted(rows, moment, release, keys))

    return Effect((*blocks, *keys), apply)


def _unblocked(rows: Rows, blocks: tuple[Key, ...]) -> Sequence[Write]:
    """Return nothing to write, or raise where somebody is blocked: the person asked about is not
    told that it is somebody else."""
    subject, *others = blocks
    if kinds(rows[subject]):
        raise about_the_person(Exact.SUBJECT_BLOCKED)
    if any(kinds(rows[other]) for other in others):
        raise about_the_person(None)
    return ()


def _counted(
    rows: Rows, moment: Moment, release: Release, keys: tuple[Key, Key]
) -> tuple[Write, Write]:
    of_record, of_count = keys
    row, count = rows[of_record], rows[of_count]
    if row is None:
        raise about_the_person(Exact.CONSENT_ABSENT)
    record = record_of(row)
    spent = integer(count["uses"]) if count and count["term"] == record.term else 0
    found = finding(record, spent, release.revision, moment.time)
    if (reason := exact(found.state)) is not None:
        raise about_the_person(reason)
    if not {(release.service, pointer) for pointer in release.fields} <= found.granted:
        raise about_the_person(Exact.CONSENT_FIELD)
    return (
        Write(
            of_count,
            {
                "consent": record.id,
                "service": release.service,
                "term": record.term,
                "uses": spent + 1,
            },
        ),
        Write(
            Key("consent_use", (release.exchange,)),
            {
                "exchange": release.exchange,
                "consent": record.id,
                "service": release.service,
                "agency": release.agency,
                "at": moment.time,
                "index": moment.index,
            },
        ),
    )
