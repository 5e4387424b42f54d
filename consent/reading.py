"""Consent reading: every question that pages, commands and the exchange ask of the tables."""

import json
from collections.abc import Mapping
from functools import lru_cache

from consent.blocks import kinds
from consent.changes import Seen
from consent.model import (
    ConsentRequest,
    Finding,
    FindingState,
    Found,
    Grant,
    Happened,
    Notice,
    Record,
    Standing,
    State,
    Use,
)
from consent.requests import request_of
from consent.rows import event_of, facts, record_of
from consent.rules import STANDING, Held, finding, standing
from kernel.clock import Clock, Micros
from kernel.database import Database
from kernel.effect import Value
from kernel.names import (
    AgencyId,
    AgreementId,
    ConsentId,
    ExchangeId,
    ReceiptId,
    RequestId,
    Revision,
    ServiceId,
    SubjectRef,
)

_LOOK_UP = """
SELECT b.kinds, n.term AS counted, n.uses, c.term,
       c.id, c.revision, c.state, c.granted, c.valid_from, c.valid_until, c.use_limit
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
_ASKED = "SELECT request FROM consent_asked WHERE subject_ref = ? AND agreement = ?"
_RECORD = "SELECT * FROM consent WHERE id = ? AND subject_ref = ?"
_RECORDS = "SELECT * FROM consent WHERE subject_ref = ? ORDER BY since, id"
_UNDER = """
SELECT * FROM consent WHERE agreement = ? AND state IN (?, ?, ?) AND valid_until > ? AND id > ?
ORDER BY id LIMIT ?
"""
_COUNT_UNDER = """
SELECT count(*) FROM consent WHERE agreement = ? AND state IN (?, ?, ?) AND valid_until > ?
"""
_EVER_UNDER = "SELECT 1 FROM consent WHERE agreement = ? LIMIT 1"
_USES = """
SELECT exchange, at, agency, service FROM consent_use WHERE consent = ? ORDER BY "index"
"""
_COUNTS = """
SELECT n.service, n.uses FROM consent_count n JOIN consent c ON c.id = n.consent AND c.term = n.term
WHERE n.consent = ?
"""
_EVENTS = "SELECT * FROM consent_event WHERE consent = ? ORDER BY epoch"
_RECEIPT = """
SELECT e.* FROM consent_receipt r
JOIN consent_event e ON e.consent = r.consent AND e.epoch = r.epoch WHERE r.id = ?
"""
# What is asked or said beside a consent that stands does not change what an older receipt says.
_SUPERSEDED = """
SELECT 1 FROM consent_event WHERE consent = ? AND epoch > ? AND NOT (
    event_type IN ('consent.requested', 'consent.deferred', 'consent.refused')
    AND event_state IN ('ConsentGiven', 'RenewedConsentGiven', 'ConsentSuspended'))
"""
_NOTICE = "SELECT digest, language, content FROM notice WHERE digest = ?"
_REQUEST = "SELECT * FROM consent_request WHERE id = ?"
_REQUESTS = 'SELECT * FROM consent_request WHERE subject_ref = ? ORDER BY opened DESC, "index" DESC'
_BLOCK = "SELECT * FROM block WHERE subject_ref = ?"
_STANDING = tuple(sorted(state.value for state in STANDING))


@lru_cache(maxsize=512)
def _granted(text: str) -> frozenset[Grant]:
    """Return the facts that a column holds; most people let go all that they were offered."""
    return facts(json.loads(text))


class Reading:
    """The consents of everybody, as they stand."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Take the database to read, and the clock by which a request is over."""
        self._database = database
        self._clock = clock

    def look_up(
        self,
        ref: SubjectRef,
        agreement: tuple[AgreementId, Revision],
        service: ServiceId,
        at: Micros,
    ) -> Found:
        """Return what the person's record under a revision of an agreement means for a service."""
        row = self._database.read().execute(_LOOK_UP, (ref, agreement[0], service)).fetchone()
        kinds, counted, uses, term, consent, revision, state, granted, *limits = row
        blocks = frozenset(kinds.split()) if kinds else frozenset[str]()
        if consent is None:
            return Found(Finding(FindingState.ABSENT), blocks)
        held = Held(consent, revision, State(state), _granted(granted), *limits)
        spent = uses if counted == term else 0
        return Found(finding(held, spent, agreement[1], at), blocks)

    def current(self, ref: SubjectRef, agreement: AgreementId) -> Record | None:
        """Return a person's current record under an agreement, in whatever state it is."""
        row = self._database.read().execute(_CURRENT, (ref, agreement)).fetchone()
        return record_of(dict(row)) if row else None

    def record(self, ref: SubjectRef, consent: ConsentId) -> Record | None:
        """Return a person's record of that name; None also where it is somebody else's."""
        row = self._database.read().execute(_RECORD, (consent, ref)).fetchone()
        return record_of(dict(row)) if row else None

    def records(self, ref: SubjectRef) -> list[Record]:
        """Return every record of a person, oldest first."""
        rows = self._database.read().execute(_RECORDS, (ref,))
        return [record_of(dict(row)) for row in rows]

    def under(self, agreement: AgreementId, after: ConsentId, limit: int) -> list[Record]:
        """Return consents to an agreement that stand and are not over by time, whosever they are:
        those behind a name, by name."""
        values: tuple[Value, ...] = (agreement, *_STANDING, self._clock.now(), after, limit)
        return [record_of(dict(row)) for row in self._database.read().execute(_UNDER, values)]

    def count_under(self, agreement: AgreementId) -> int:
        """Return how many consents to an agreement stand and are not over by time."""
        values: tuple[Value, ...] = (agreement, *_STANDING, self._clock.now())
        return int(self._database.read().execute(_COUNT_UNDER, values).fetchone()[0])

    def ever_under(self, agreement: AgreementId) -> bool:
        """Return whether anybody was ever asked for, or said anything about, an agreement."""
        return self._database.read().execute(_EVER_UNDER, (agreement,)).fetchone() is not None

    def uses(self, consent: ConsentId) -> tuple[Use, ...]:
        """Return every release under a consent, in the ledger's order."""
        rows = self._database.read().execute(_USES, (consent,))
        return tuple(
            Use(ExchangeId(exchange), Micros(at), AgencyId(agency), ServiceId(service))
            for exchange, at, agency, service in rows
        )

    def use_counts(self, consent: ConsentId) -> Mapping[ServiceId, int]:
        """Return how often each service was used in a consent's present term."""
        rows = self._database.read().execute(_COUNTS, (consent,))
        return {ServiceId(service): int(uses) for service, uses in rows}

    def standing(self, record: Record, revision: Revision | None, at: Micros) -> Standing:
        """Return what a record means to its person, where the agreement has this revision."""
        counts = {} if record.use_limit is None else self.use_counts(record.id)
        return standing(record, counts, revision, at)

    def events(self, consent: ConsentId) -> tuple[Happened, ...]:
        """Return what happened to a record, oldest first."""
        rows = self._database.read().execute(_EVENTS, (consent,))
        return tuple(event_of(dict(row)) for row in rows)

    def receipt(self, receipt: ReceiptId) -> Happened | None:
        """Return the event for which a receipt was given."""
        row = self._database.read().execute(_RECEIPT, (receipt,)).fetchone()
        return event_of(dict(row)) if row else None

    def superseded(self, happened: Happened) -> bool:
        """Return whether a later event of the same record changed what it says."""
        values = (happened.consent, happened.epoch)
        return bool(self._database.read().execute(_SUPERSEDED, values).fetchall())

    def notice(self, digest: str) -> Notice | None:
        """Return the text that somebody saw, by its digest."""
        row = self._database.read().execute(_NOTICE, (digest,)).fetchone()
        return Notice(row["digest"], row["language"], row["content"]) if row else None

    def request(self, request: RequestId) -> ConsentRequest | None:
        """Return a request for consent as it stands now."""
        row = self._database.read().execute(_REQUEST, (request,)).fetchone()
        return request_of(dict(row), self._clock.now()) if row else None

    def requests(self, ref: SubjectRef) -> tuple[ConsentRequest, ...]:
        """Return every request to a person, newest first."""
        now = self._clock.now()
        rows = self._database.read().execute(_REQUESTS, (ref,))
        return tuple(request_of(dict(row), now) for row in rows)

    def blocks(self, ref: SubjectRef) -> frozenset[str]:
        """Return the kinds of block that stand before everything about a person."""
        row = self._database.read().execute(_BLOCK, (ref,)).fetchone()
        return kinds(dict(row)) if row else frozenset()

    def _seen(self, ref: SubjectRef, agreement: AgreementId) -> Seen:
        row = self._database.read().execute(_ASKED, (ref, agreement)).fetchone()
        request = RequestId(row["request"]) if row and row["request"] else None
        return Seen(self.current(ref, agreement), request)
