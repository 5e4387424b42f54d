"""Steps: the ten of a request, by the name under which they are measured, and the eleventh."""

from enum import StrEnum
from typing import Self


class Step(StrEnum):
    """Where a request is; the number is the one of the pipeline's plan."""

    number: int

    def __new__(cls, number: int, name: str) -> Self:
        """Make a step that is known by its name."""
        made = str.__new__(cls, name)
        made._value_ = name
        made.number = number
        return made

    AUTHENTICATE = (1, "authenticate")
    RESOLVE = (2, "resolve")
    CONSENT = (3, "consent")
    DECIDE = (4, "decide")
    WRITE_DECISION = (5, "write_decision")
    FETCH = (6, "fetch")
    MINIMISE = (7, "minimise")
    SEAL = (8, "seal")
    WRITE_RELEASE = (9, "write_release")
    RELEASE = (10, "release")
    REFUSE = (11, "refuse")
    """A no is written down, wherever it came up."""


def unwatched(_: Step) -> None:
    """Take no note of a step."""
