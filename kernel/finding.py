"""Finding: something that stands between a deployment and production."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What is found, and how to mend it."""

    what: str
    fix: str
    refuses: bool = True
    """Whether production refuses to start over it, or only says so."""
