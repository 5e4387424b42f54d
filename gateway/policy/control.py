"""Control: what is in force, by the ledger's own word, and how a new revision comes into force."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from consent.model import Finding, FindingState, Found
from gateway.model import Agency, Agreement, Basis, Docket, Permit, Service
from gateway.policy.bundle import BadBundle, Bundle
from gateway.policy.catalogue import Catalogue
from gateway.policy.fault import PolicyError
from gateway.policy.pdp import DecisionPoint, Facts, question
from gateway.stops import NONE, Stops
from kernel.clock import Micros
from kernel.database import Database
from kernel.effect import Effect, Key, Moment, Rows, Write
from kernel.entry import Entry, EntryType, Ledger, Logged
from kernel.errors import Outdated, Reason, Refusal
from kernel.names import AgencyId, AgreementId, Revision, ServiceId, Subject
from kernel.waits import OwnThread, Waits

_READ = """
SELECT (SELECT epoch FROM ledger_state) AS epoch,
       (SELECT value FROM control WHERE name = 'policy') AS revision,
       (SELECT value FROM control WHERE name = 'policy.before') AS before
"""
_STOPS = "SELECT kind, name, since, reason, \"index\" FROM stop WHERE state = 'stopped'"
_CONTENT = "SELECT content FROM policy_bundle WHERE revision = ?"
_ACTIVE, _BEFORE = Key("control", ("policy",)), Key("control", ("policy.before",))
PATIENCE = 15.0
"""Seconds for which a request waits while another makes new policies ready; less than it has."""


@dataclass(frozen=True, slots=True)
class Activated:
    """What the ledger says is in force, what was before it, and under which control epoch."""

    epoch: int
    revision: Revision | None
    before: Revision | None


@dataclass(frozen=True, slots=True)
class InForce:
    """The catalogue and the policies of one revision, ready to use."""

    revision: Revision
    catalogue: Catalogue
    point: DecisionPoint
    stops: Stops = NONE

    @property
    def agreements(self) -> Mapping[AgreementId, Agreement]:
        """Return the agreements by name."""
        return self.catalogue.agreements

    @property
    def agencies(self) -> Mapping[AgencyId, Agency]:
        """Return the agencies by name."""
        return self.catalogue.agencies

    @property
    def services(self) -> Mapping[ServiceId, Service]:
        """Return the services by name."""
        return self.catalogue.services

    def subject(self, subject: Subject) -> Subject:
        """Return the person whom an identifier names, or raise `Refusal` where it is malformed."""
        return self.catalogue.parse_subject(subject.scheme, subject.value)

    def decide(self, docket: Docket, found: Found, at: Micros) -> Permit:
        """Return the permit for a resolved request, or raise `Refusal`; notes the input.

        The basis is the agreement's alone: a law is not looked at under consent, nor consent
        under a law (P7).
        """
        agreement, service = docket.agreement, docket.service
        if agreement is None or service is None:
            raise Refusal(Reason.INTERNAL, "A request was decided before it was resolved.")
        by_consent = agreement.basis is Basis.CONSENT
        finding = found.finding if by_consent else Finding(FindingState.NOT_APPLICABLE)
        law = None if by_consent else agreement.authority
        asked = question(
            Facts(
                requester=docket.caller.agency,
                agreement=agreement,
                service=service,
                ask=docket.ask,
                finding=finding,
                blocks=found.blocks,
                authority=self.catalogue.authorities.get(law) if law else None,
                at=at,
            )
        )
        docket.consent, docket.input = finding.consent, asked.input
        return self.point.decide(asked)


class Control:
    """Keeps the revision in force ready; the control epoch tells when to look again."""

    def __init__(
        self,
        database: Database,
        prepare: Callable[[Bundle], InForce],
        waits: Waits = OwnThread(),  # noqa: B008 - it has no state
        patience: float = PATIENCE,
    ) -> None:
        """Take the database to read, how a bundle is made ready, and how others wait meanwhile,
        and how long."""
        self._database = database
        self._prepare = prepare
        self._waits = waits
        self._patience = patience
        self._lock = threading.Lock()
        self._held: tuple[int, InForce] | None = None
        self._coming: InForce | None = None
        self._stopped: tuple[int, Stops] | None = None

    def at(self, epoch: int) -> InForce:
        """Return what is in force under a control epoch, or raise `Outdated` where that passed."""
        held = self._held
        if held is not None and held[0] == epoch:
            return held[1]
        # Whoever looks holds the lock while it waits for the database, and for new policies.
        return self._waits.aside(lambda: self._found(epoch))

    def now(self) -> InForce:
        """Return what is in force at this moment, for commands."""
        return self.at(self.activated().epoch)

    def stops(self, epoch: int) -> Stops:
        """Return what is stopped under a control epoch, or under a later one where that passed:
        whatever is written under a passed one is outdated."""
        held = self._stopped
        if held is not None and held[0] == epoch:
            return held[1]
        # In this order: what is read later is never older than the epoch that it is kept under.
        read = self._database.read()
        now = read.execute(_READ).fetchone()["epoch"]
        stops = Stops.of([tuple(row) for row in read.execute(_STOPS).fetchall()])
        self._stopped = (now, stops)
        return stops

    def _found(self, epoch: int) -> InForce:
        if not self._lock.acquire(timeout=self._patience):
            raise Refusal(Reason.POLICY_UNAVAILABLE, "New policies are being made ready.")
        try:
            return self._look_again(epoch)
        finally:
            self._lock.release()

    def _look_again(self, epoch: int) -> InForce:
        activated = self.activated()
        if activated.epoch != epoch:
            raise Outdated
        if activated.revision is None:
            raise Refusal(Reason.POLICY_UNAVAILABLE, "No policies are in force yet.")
        if self._held is not None and self._held[1].revision == activated.revision:
            in_force = self._held[1]
        else:
            in_force = self._ready(activated.revision)
        if (stops := self.stops(epoch)) != in_force.stops:
            in_force = InForce(in_force.revision, in_force.catalogue, in_force.point, stops)
        self._held = (epoch, in_force)
        return in_force

    def make_ready(self, bundle: Bundle) -> None:
        """Make policies ready that will be in force soon; raises `PolicyError`."""
        if self._coming is None or self._coming.revision != bundle.revision:
            self._coming = self._prepare(bundle)

    def _ready(self, revision: Revision) -> InForce:
        if (coming := self._coming) is not None and coming.revision == revision:
            return coming
        try:
            return self._prepare(self.stored(revision))
        except (BadBundle, PolicyError) as error:
            raise Refusal(
                Reason.POLICY_UNAVAILABLE, "The policies in force cannot be made ready here."
            ) from error

    def stored(self, revision: Revision) -> Bundle:
        """Return the bundle of a revision that was ever in force, or raise `Refusal`."""
        row = self._database.read().execute(_CONTENT, (revision,)).fetchone()
        if row is None:
            raise Refusal(Reason.POLICY_UNAVAILABLE, "The ledger has no policies of that revision.")
        bundle = Bundle.from_bytes(bytes(row["content"]))
        if bundle.revision != revision:
            raise Refusal(
                Reason.POLICY_UNAVAILABLE, "The policies in force are not what the ledger names."
            )
        return bundle

    def activated(self) -> Activated:
        """Return what the ledger says is in force, and what was before."""
        row = self._database.read().execute(_READ).fetchone()
        revision, before = (None if one is None else Revision(one) for one in tuple(row)[1:])
        return Activated(row["epoch"], revision, before)

    def ready(self) -> str:
        """Return the revision that this process decides under, or nothing before the first."""
        held = self._held
        return "" if held is None else held[1].revision

    def active(self) -> Revision | None:
        """Return the revision that the ledger says is in force, or None before the first."""
        return self.activated().revision


def activate(ledger: Ledger, bundle: Bundle, epoch: int | None = None) -> Logged:
    """Bring a checked bundle into force: one entry, with the bundle stored by its digest. Raises
    `Outdated` where an epoch is named and passed."""

    def apply(rows: Rows, __: Moment) -> Sequence[Write]:
        revision, held = bundle.revision, rows[_ACTIVE]
        writes = [
            Write(
                Key("policy_bundle", (revision,)),
                {"revision": revision, "content": bundle.content},
            ),
            Write(_ACTIVE, {"name": "policy", "value": revision}),
        ]
        if held is not None and held["value"] != revision:
            writes.append(Write(_BEFORE, {"name": "policy.before", "value": held["value"]}))
        return writes

    entry = Entry(
        EntryType.POLICY_ACTIVATED, {"policy": bundle.revision}, epoch=epoch, control=True
    )
    return ledger.append(entry, Effect((_ACTIVE,), apply))
