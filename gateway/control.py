"""Control: what is in force, by the ledger's own word, and how a new revision comes into force."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from consent.model import Finding, FindingState, Found
from gateway.model import Agency, Agreement, Basis, Docket, Permit, Service
from gateway.pdp import DecisionPoint, Facts, question
from gateway.policy.bundle import Bundle
from gateway.policy.catalogue import Catalogue
from kernel.clock import Micros
from kernel.database import Database
from kernel.effect import Effect, Key, Moment, Rows, Write
from kernel.entry import Entry, EntryType, Ledger
from kernel.errors import Outdated, Reason, Refusal
from kernel.names import AgencyId, AgreementId, Revision, ServiceId, Subject

_READ = """
SELECT (SELECT epoch FROM ledger_state) AS epoch,
       (SELECT value FROM control WHERE name = 'policy') AS revision
"""
_CONTENT = "SELECT content FROM policy_bundle WHERE revision = ?"


@dataclass(frozen=True, slots=True)
class InForce:
    """The catalogue and the policies of one revision, ready to use."""

    revision: Revision
    catalogue: Catalogue
    point: DecisionPoint

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

    def __init__(self, database: Database, prepare: Callable[[Bundle], InForce]) -> None:
        """Take the database to read, and how a bundle is made ready."""
        self._database = database
        self._prepare = prepare
        self._lock = threading.Lock()
        self._held: tuple[int, InForce] | None = None

    def at(self, epoch: int) -> InForce:
        """Return what is in force under a control epoch, or raise `Outdated` where that passed."""
        held = self._held
        if held is not None and held[0] == epoch:
            return held[1]
        with self._lock:
            return self._look_again(epoch)

    def now(self) -> InForce:
        """Return what is in force at this moment, for commands."""
        return self.at(self._database.read().execute(_READ).fetchone()["epoch"])

    def _look_again(self, epoch: int) -> InForce:
        row = self._database.read().execute(_READ).fetchone()
        if row["epoch"] != epoch:
            raise Outdated
        if row["revision"] is None:
            raise Refusal(Reason.POLICY_UNAVAILABLE, "No policies are in force yet.")
        if self._held is not None and self._held[1].revision == row["revision"]:
            in_force = self._held[1]
        else:
            in_force = self._prepare(self._stored(Revision(row["revision"])))
        self._held = (epoch, in_force)
        return in_force

    def _stored(self, revision: Revision) -> Bundle:
        row = self._database.read().execute(_CONTENT, (revision,)).fetchone()
        bundle = Bundle.from_bytes(bytes(row["content"])) if row else None
        if bundle is None or bundle.revision != revision:
            raise Refusal(
                Reason.POLICY_UNAVAILABLE, "The policies in force are not what the ledger names."
            )
        return bundle

    def active(self) -> Revision | None:
        """Return the revision that the ledger says is in force, or None before the first."""
        revision = self._database.read().execute(_READ).fetchone()["revision"]
        return None if revision is None else Revision(revision)


def activate(ledger: Ledger, bundle: Bundle) -> None:
    """Bring a checked bundle into force: one entry, with the bundle stored by its digest."""

    def apply(_: Rows, __: Moment) -> Sequence[Write]:
        revision = bundle.revision
        return (
            Write(
                Key("policy_bundle", (revision,)),
                {"revision": revision, "content": bundle.content},
            ),
            Write(Key("control", ("policy",)), {"name": "policy", "value": revision}),
        )

    entry = Entry(EntryType.POLICY_ACTIVATED, {"policy": bundle.revision}, control=True)
    ledger.append(entry, Effect((), apply))
