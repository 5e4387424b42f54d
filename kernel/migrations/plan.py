"""Plan: which revisions there are, which is the newest, and what a database must let us do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kernel.clock import Deadline
from kernel.grants import Roles

HEAD = "0002_serves_0001"
"""The newest revision; a test compares it with the scripts."""
_OWN = Path(__file__).parent / "versions"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the scripts of the revisions are, and the newest of them."""

    head: str = HEAD
    versions: tuple[Path, ...] = (_OWN,)


class Schema(Protocol):
    """The schema of a database, held so that nobody else migrates it."""

    def revision(self) -> str | None:
        """Return the revision, or None where there is no schema yet."""
        ...

    def upgrade(self, plan: Plan, deadline: Deadline) -> None:
        """Run every revision that is missing, or raise `BadSchema`."""
        ...

    def grant(self, roles: Roles) -> None:
        """Give these roles what `kernel.grants` says, and nothing else."""
        ...
