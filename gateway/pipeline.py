"""The pipeline (the PEP of NIST SP 800-162): one data request, ten steps, in order.

 1 authenticate   who asks, with a proof that was never used before      -> Caller
 2 resolve        what the catalogue registered for them                 -> Agreement, Service
 3 consent        what the person said; "nothing" is an answer too       -> Found
 4 decide         what the policies say to these facts and no others     -> Permit
 5 write down     durable, before the source is asked                    -> Warrant
 6 fetch          only the warrant's fields are asked for                -> record
 7 minimise       and cut down again, whatever the source sent           -> Extract
 8 seal           for the caller's key alone                             -> Sealed
 9 write down     durable, consent checked again in the same transaction -> Receipt
10 release
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from crypto.model import Recipient, Sealed
from gateway.ask import Posted
from gateway.journal import Journal
from gateway.minimise import minimise
from gateway.model import Answer, Ask, Docket, Extract, Permit, Receipt, Warrant
from gateway.ports import Authenticate, Consents, Control, Fetch
from gateway.resolve import agreement_for, running, service_for
from gateway.steps import Step, unwatched
from identity.model import Caller, Credentials, Scope
from kernel.canonical import Json
from kernel.clock import Clock
from kernel.errors import Outdated, Reason, Refusal
from kernel.names import Subject

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Carries one request through, or refuses it by name; closed by default (P6)."""

    authenticate: Authenticate
    ask: Callable[[Caller, Posted], Ask]
    """Reads a body, within the quotas of who asks."""
    control: Control
    consents: Consents
    journal: Journal
    fetch: Fetch
    seal: Callable[[Extract, Recipient], Sealed]
    clock: Clock
    report: Callable[[Exception, str], None]
    """Tells the operator of a fault that should not exist, and in which exchange."""
    at: Callable[[Step], None] = unwatched
    """Tells whoever measures that a step begins."""

    def handle(self, credentials: Credentials, posted: Posted) -> Answer:
        """Return the sealed answer with its receipt, or raise `Refusal`; nothing else escapes.

        An exchange opens after step 1, within the quotas and with a well-formed body. From then on
        the ledger has either one refusal, or one decision followed by exactly one release or
        refusal.
        """
        docket: Docket | None = None
        try:
            self.at(Step.AUTHENTICATE)
            caller = self.authenticate(credentials, Scope.EXCHANGE_REQUEST)  # (1)
            docket = self.journal.open(caller, self.ask(caller, posted))
            return self._exchange(docket)
        except Refusal as refusal:
            raise self._noted(docket, refusal) from None
        except Exception as error:  # noqa: BLE001 - whatever breaks, nothing is released (P6)
            self.report(error, docket.exchange if docket else "-")
            fault = Refusal(Reason.INTERNAL, "Something is wrong in the gateway.")
            raise self._noted(docket, fault) from None

    def _exchange(self, docket: Docket) -> Answer:
        warrant = self._current(docket, self._decided)  # (2) to (5)
        self.at(Step.FETCH)
        record = self.fetch(warrant)  # (6)
        self.at(Step.MINIMISE)
        extract = self._current(docket, lambda _: self._extract(docket, warrant, record))  # (7)
        self.at(Step.SEAL)
        sealed = self.seal(extract, docket.caller.recipient)  # (8)
        leaving = (sealed, extract.others)
        receipt = self._current(docket, lambda _: self._release(docket, warrant, *leaving))  # (9)
        self.at(Step.RELEASE)
        return Answer(docket.exchange, sealed, receipt, warrant.permit.withheld)  # (10)

    def _decided(self, docket: Docket) -> Warrant:
        try:
            permit = self._permit(docket)
        except Refusal as refusal:
            self.at(Step.REFUSE)
            self.journal.refuse(docket, refusal, docket.caller.epoch)
            raise
        self.at(Step.WRITE_DECISION)
        return self.journal.decision(docket, permit)  # (5)

    def _permit(self, docket: Docket) -> Permit:
        """Return the permit under the epoch in which the caller was proven."""
        self.at(Step.RESOLVE)
        now, ask = self.clock.now(), docket.ask
        in_force = self.control.at(docket.caller.epoch)
        docket.policy = in_force.revision
        try:
            malformed, docket.person = None, self.journal.person(in_force.subject(ask.subject))
        except Refusal as refusal:  # told in its turn: agreement and fields come before the person
            malformed = refusal
        docket.agreement = agreement_for(in_force, docket.caller.agency, ask, now)  # (2)
        docket.service = service_for(in_force, docket.agreement, ask)
        if docket.person is None:
            raise malformed or Refusal(Reason.SUBJECT_MALFORMED, "`subject` names nobody.")
        running(in_force, docket.service)
        agreed = (docket.agreement.id, docket.agreement.revision)
        self.at(Step.CONSENT)
        found = self.consents.look_up(docket.person.ref, agreed, docket.service.id, now)  # (3)
        self.at(Step.DECIDE)
        return in_force.decide(docket, found, now)  # (4)

    def _extract(self, docket: Docket, warrant: Warrant, record: Json) -> Extract:
        """Cut the record down; people whom it names are named as the catalogue in force has it."""
        in_force = self.control.at(docket.caller.epoch)
        return minimise(record, warrant, self.clock.now(), in_force.subject)

    def _release(
        self, docket: Docket, warrant: Warrant, sealed: Sealed, others: tuple[Subject, ...]
    ) -> Receipt:
        """Write the release down; where the rules changed since, only if they allow the same."""
        if docket.caller.epoch != warrant.epoch:
            fields, decided = self._permit(docket).fields, warrant.permit
            now = (docket.agreement, docket.service, fields)
            if now != (warrant.agreement, warrant.service, decided.fields):
                raise Refusal(Reason.POLICY_DENIED, "The rules changed during the request.")
            # Release and receipt tell of the one decision that they stand on, and of no mixture.
            docket.policy, docket.consent, docket.input = (
                decided.policy,
                decided.consent,
                decided.input,
            )
        self.at(Step.WRITE_RELEASE)
        return self.journal.release(docket, warrant, sealed, others)

    def _current(self, docket: Docket, step: Callable[[Docket], _Made]) -> _Made:
        """Return what a step makes; once more, as a caller proven anew, where rules changed."""
        try:
            return step(docket)
        except Outdated:
            docket.caller = self.authenticate.refresh(docket.caller)
        try:
            return step(docket)
        except Outdated:
            raise Refusal(
                Reason.POLICY_UNAVAILABLE, "The rules changed twice during the request."
            ) from None

    def _noted(self, docket: Docket | None, refusal: Refusal) -> Refusal:
        """Return the refusal once it is in the ledger, or the ledger's own when it cannot be."""
        if docket is None:
            return refusal
        self.at(Step.REFUSE)
        try:
            self.journal.refuse(docket, refusal, None)
        except Refusal as worse:
            refusal = worse
        refusal.exchange = docket.exchange
        return refusal
