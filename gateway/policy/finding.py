"""Finding: one fault in the policy repository, told by file, line and a plain sentence."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that is wrong: in which file, on which line, and one plain sentence."""

    file: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.sentence}"


class PolicyError(ValueError):
    """The policies are not loaded, and those before them stay; `findings` says where and why."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Keep the findings, in the order of files and lines."""
        self.findings = tuple(sorted(set(findings)))
        super().__init__("\n".join(map(str, self.findings)))


class BadOpaUrl(ValueError):
    """The address of OPA cannot be used; the message says why."""
