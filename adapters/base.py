"""What every adapter shares: the port, its refusals, whom to ask for, and how long."""

from dataclasses import dataclass
from typing import Protocol

from kernel.canonical import Json
from kernel.clock import Deadline
from kernel.errors import Exact, Reason, Refusal, about_the_person
from kernel.names import Pointer, Subject

_MAX_IDENTIFIER = 256


class Source(Protocol):
    """One service of an agency's system; `gateway.ports` declares the same for its pipeline."""

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


@dataclass(frozen=True, slots=True)
class Faults:
    """The refusals of one source: they name the source, never the person or a value."""

    source: str

    def unavailable(self, why: str) -> Refusal:
        """Return the refusal for a source that is down, shut, or does not let us in."""
        return Refusal(Reason.SOURCE_UNAVAILABLE, f"The source {self.source} {why}.")

    def timeout(self) -> Refusal:
        """Return the refusal for a source that is slow or blocked."""
        return Refusal(
            Reason.SOURCE_TIMEOUT, f"The source {self.source} did not answer in time; try later."
        )

    def bad_answer(self, why: str) -> Refusal:
        """Return the refusal for an answer that is not what the catalogue describes."""
        return Refusal(Reason.SOURCE_BAD_ANSWER, f"The source {self.source} {why}.")


def unknown() -> Refusal:
    """Return the refusal for a person whom the source does not know."""
    return about_the_person(Exact.SUBJECT_UNKNOWN)


def identifier(subject: Subject) -> str:
    """Return the value to ask for; one that no register can hold is a person unknown to all."""
    value = subject.value
    if not 0 < len(value) <= _MAX_IDENTIFIER or not value.isprintable() or value in {".", ".."}:
        raise unknown()
    return value


def sooner(deadline: Deadline, seconds: float) -> Deadline:
    """Return the request's deadline, or the source's own limit where that is nearer."""
    return Deadline(min(deadline.at, deadline.clock.monotonic() + seconds), deadline.clock)
