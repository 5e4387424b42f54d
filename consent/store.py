"""Consent store: looks a record up for a request, and carries out what the person decides."""

from consent.acts import written
from consent.model import (
    Acknowledgement,
    Act,
    Finding,
    FindingState,
    Found,
    Record,
    Stale,
    State,
    Use,
)
from consent.rows import record_of
from consent.rules import finding
from kernel.chance import Chance
from kernel.clock import Micros
from kernel.database import Database
from kernel.entry import EntryType, Ledger
from kernel.names import (
    AgencyId,
    AgreementId,
    ConsentId,
    ExchangeId,
    Revision,
    ServiceId,
    SubjectRef,
)

TRIES = 5

_LOOK_UP = """
SELECT c.*, n.uses AS uses, n.term AS counted, b.kind AS kind
FROM (SELECT ? AS ref) q
LEFT JOIN block b ON b.subject_ref = q.ref
LEFT JOIN consent_slot s ON s.subject_ref = q.ref AND s.agreement = ?
LEFT JOIN consent c ON c.id = s.consent
LEFT JOIN consent_count n ON n.consent = c.id AND n.service = ?
"""
_CURRENT = """
SELECT c.* FROM consent_slot s JOIN consent c ON c.id = s.consent
WHERE s.subject_ref = ? AND s.agreement = ?
"""
_RECORDS = "SELECT * FROM consent WHERE subject_ref = ? ORDER BY since, id"
_USES = """
SELECT exchange, at, agency, service FROM consent_use WHERE consent = ? ORDER BY "index"
"""
_STATES = {
    EntryType.CONSENT_GIVEN: State.GIVEN,
    EntryType.CONSENT_RENEWED: State.RENEWED,
    EntryType.CONSENT_REFUSED: State.REFUSED,
    EntryType.CONSENT_WITHDRAWN: State.WITHDRAWN,
}


class ConsentStore:
    """The consents of everybody, each change of them one ledger entry."""

    def __init__(self, database: Database, ledger: Ledger, chance: Chance) -> None:
        """Take the database to read, the ledger to write, and a source of identifiers."""
        self._database = database
        self._ledger = ledger
        self._chance = chance

    def look_up(
        self,
        ref: SubjectRef,
        agreement: tuple[AgreementId, Revision],
        service: ServiceId,
        at: Micros,
    ) -> Found:
        """Return what the person's record under a revision of an agreement means for a service."""
        row = self._database.read().execute(_LOOK_UP, (ref, agreement[0], service)).fetchone()
        blocks = frozenset({str(row["kind"])} if row["kind"] is not None else ())
        if row["id"] is None:
            return Found(Finding(FindingState.ABSENT), blocks)
        record = record_of(dict(row))
        uses = row["uses"] if row["counted"] == record.term else 0
        return Found(finding(record, uses, agreement[1], at), blocks)

    def carry_out(self, act: Act) -> Acknowledgement:
        """Write an act down and return its acknowledgement, which lists every use before it.

        Raises `Declined` where the consent rules say no. After a withdrawal is acknowledged no
        later use of that record commits (P2).
        """
        for _ in range(TRIES - 1):
            try:
                return self._once(act)
            except Stale:  # somebody else changed the record in between: look again
                continue
        return self._once(act)

    def _once(self, act: Act) -> Acknowledgement:
        seen = self._current(act.person.ref, act.terms.agreement)
        entry, effect = written(act, seen, ConsentId(self._chance.identifier("co")))
        logged = self._ledger.append(entry, effect)
        consent = ConsentId(str(entry.header["consent"]))
        return Acknowledgement(
            consent, _STATES[entry.type], logged.time, logged.index, self.uses(consent)
        )

    def _current(self, ref: SubjectRef, agreement: AgreementId) -> Record | None:
        row = self._database.read().execute(_CURRENT, (ref, agreement)).fetchone()
        return record_of(dict(row)) if row else None

    def records(self, ref: SubjectRef) -> list[Record]:
        """Return every record of a person, oldest first."""
        rows = self._database.read().execute(_RECORDS, (ref,))
        return [record_of(dict(row)) for row in rows]

    def uses(self, consent: ConsentId) -> tuple[Use, ...]:
        """Return every release under a consent, in the ledger's order."""
        rows = self._database.read().execute(_USES, (consent,))
        return tuple(
            Use(ExchangeId(exchange), Micros(at), AgencyId(agency), ServiceId(service))
            for exchange, at, agency, service in rows
        )
