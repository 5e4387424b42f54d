"""Ports: what the pipeline needs of the other rooms."""

from typing import Protocol

from gateway.model import Decision
from kernel.canonical import Json
from kernel.clock import Deadline
from kernel.names import Pointer, Revision, Subject


class Engine(Protocol):
    """A policy engine that holds one or more prepared revisions."""

    def decide(self, input: bytes, revision: Revision) -> Decision:
        """Return the policies' decision on a canonical input, or raise `Refusal` with
        `policy.unavailable`: undefined, malformed, late, or another revision than asked for."""
        ...


class Source(Protocol):
    """One service of an agency's system."""

    def fetch(self, subject: Subject, fields: frozenset[Pointer], deadline: Deadline) -> Json:
        """Return the record with these fields, or raise `Refusal` with `source.unavailable`,
        `source.timeout`, `source.bad_answer`, or (exact) `subject.unknown`."""
        ...
