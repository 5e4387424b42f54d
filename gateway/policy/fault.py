"""Fault: something wrong in the policy repository, told by file, line and a plain sentence."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something that is wrong: in which file, on which line, and one plain sentence."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.sentence}"


class PolicyError(ValueError):
    """The policies are not loaded, and those before them stay; `faults` says where and why."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Keep the faults, in the order of files and lines."""
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(map(str, self.faults)))


class BadOpaUrl(ValueError):
    """The address of OPA cannot be used; the message says why."""
