"""The memory adapter: records in a dictionary, for tests and for trying things out."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import ClassVar

from adapters.base import identifier, unknown
from kernel.canonical import Json
from kernel.clock import Deadline
from kernel.errors import Reason, Refusal
from kernel.names import Pointer, Subject


@dataclass(slots=True, repr=False)
class MemorySource:
    """Answers from records by identifier; `refusing` makes it a source that is down."""

    blocks: ClassVar[bool] = True

    name: str
    records: Mapping[str, Json]
    refusing: Refusal | None = None
    asked: list[frozenset[Pointer]] = field(default_factory=list)
    """What was asked for so far, in order: the fields only, never the person."""

    def fetch(self, subject: Subject, fields: frozenset[Pointer], deadline: Deadline) -> Json:
        """Return a copy of the whole record: a talkative source, which is the harder test."""
        self.asked.append(fields)
        if self.refusing is not None:
            raise self.refusing
        if not deadline.left():
            raise Refusal(Reason.SOURCE_TIMEOUT, f"The source {self.name} did not answer in time.")
        value = identifier(subject)
        if value not in self.records:
            raise unknown()
        return deepcopy(self.records[value])

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""
