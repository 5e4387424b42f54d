"""Ports: what the pipeline and the views need of the other rooms."""

from collections.abc import Mapping
from typing import Protocol

from consent.model import Found
from gateway.model import Agreement, Decision, Docket, Permit, Service, Warrant
from gateway.stops import Stops
from identity.model import Caller, Credentials, Scope
from kernel.canonical import Json
from kernel.clock import Deadline, Micros
from kernel.names import (
    AgreementId,
    ClientId,
    ExchangeId,
    Pointer,
    Revision,
    ServiceId,
    Subject,
    SubjectRef,
)


class Engine(Protocol):
    """A policy engine that holds one or more prepared revisions."""

    def decide(self, input: bytes, revision: Revision) -> Decision:
        """Return the policies' decision on a canonical input, or raise `Refusal` with
        `policy.unavailable`: undefined, malformed, late, or another revision than asked for."""
        ...


class Source(Protocol):
    """One service of an agency's system."""

    @property
    def blocks(self) -> bool:
        """Say whether whoever asks holds a thread until the answer is there."""
        ...

    def fetch(self, subject: Subject, fields: frozenset[Pointer], deadline: Deadline) -> Json:
        """Return the record with these fields, or raise `Refusal` with `source.unavailable`,
        `source.timeout`, `source.bad_answer`, or (exact) `subject.unknown`."""
        ...

    def close(self) -> None:
        """Give back connections and threads."""
        ...


class Authenticate(Protocol):
    """Proves who asks."""

    def __call__(self, credentials: Credentials, scope: Scope | None) -> Caller:
        """Return the caller when token, proof and scope hold, or raise `Refusal`."""
        ...

    def refresh(self, caller: Caller) -> Caller:
        """Return the caller under the epoch of now, or raise `Refusal` when it may not ask."""
        ...


class Consents(Protocol):
    """Looks up what a person said."""

    def look_up(
        self,
        ref: SubjectRef,
        agreement: tuple[AgreementId, Revision],
        service: ServiceId,
        at: Micros,
    ) -> Found:
        """Return what the person's record means for a service of an agreement's revision."""
        ...


class InForce(Protocol):
    """The catalogue and the policies of one revision."""

    @property
    def revision(self) -> Revision:
        """Return the revision's digest."""
        ...

    @property
    def agreements(self) -> Mapping[AgreementId, Agreement]:
        """Return the agreements by name."""
        ...

    @property
    def services(self) -> Mapping[ServiceId, Service]:
        """Return the services by name."""
        ...

    @property
    def stops(self) -> Stops:
        """Return what is stopped in an emergency."""
        ...

    def subject(self, subject: Subject) -> Subject:
        """Return the person whom an identifier names, or raise `Refusal` where it is malformed."""
        ...

    def decide(self, docket: Docket, found: Found, at: Micros) -> Permit:
        """Return the permit for a resolved request, or raise `Refusal`; notes the input."""
        ...


class Control(Protocol):
    """Knows what is in force."""

    def at(self, epoch: int) -> InForce:
        """Return what is in force under a control epoch, or raise `Outdated`."""
        ...


class Fetch(Protocol):
    """Asks the source that a warrant names."""

    def __call__(self, warrant: Warrant) -> Json:
        """Return the record, or raise `Refusal` for the source's reason."""
        ...


class Released(Protocol):
    """Finds exchanges that ended."""

    def find(self, exchange: ExchangeId, client: ClientId) -> Mapping[str, Json] | None:
        """Return state and receipt of a client's own exchange, or None."""
        ...


class LogReader(Protocol):
    """Reads the ledger's public side."""

    def header(self, index: int) -> Mapping[str, Json] | None:
        """Return the open part of an entry, or None where there is none."""
        ...

    def proof(self, index: int) -> str:
        """Return a C2SP tlog-proof in the tree of the latest checkpoint."""
        ...

    def checkpoint(self) -> str:
        """Return the latest signed checkpoint."""
        ...

    def vkey(self) -> str:
        """Return the verifier key of the log (C2SP signed-note)."""
        ...
