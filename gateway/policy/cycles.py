"""Cycles: does a rule depend on itself? The embedded engine only notices when it is asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.policy.fault import Fault
from gateway.policy.rego_tokens import Module, Reference

Rule = tuple[str, str]
"""A package, and the name of a rule in it."""


@dataclass(slots=True)
class Rules:
    """Which rules each rule refers to, and where each one stands."""

    uses: dict[Rule, set[Rule]] = field(default_factory=dict)
    places: dict[Rule, tuple[str, int]] = field(default_factory=dict)

    def add(self, path: str, package: str, module: Module) -> None:
        """Add the rules of one file; what stands between two rules' names belongs to the first."""
        heads = module.heads
        aliases: dict[str, str] = {}
        rule: Rule | None = None
        for reference in module.references():
            if reference.before == "import":
                aliases[reference.parts[-1]] = reference.name.removeprefix("data.")
            elif reference.first or reference.before == "default":
                rule = (package, reference.parts[0])
                self.places.setdefault(rule, (path, reference.line))
                self.uses.setdefault(rule, set())
            elif rule is not None and (used := _used(reference, package, heads, aliases)):
                self.uses[rule].add(used)

    def cycles(self) -> Iterator[Fault]:
        """Yield a fault for each rule from which a way leads back to itself."""
        for rule in self.uses:
            reached: set[Rule] = set()
            ahead = list(self.uses[rule])
            while ahead:
                here = ahead.pop()
                if here not in reached:
                    reached.add(here)
                    ahead += self.uses.get(here, ())
            if rule in reached:
                path, line = self.places[rule]
                yield Fault(path, line, f"`{rule[1]}` depends on itself")


def _used(
    reference: Reference, package: str, heads: frozenset[str], aliases: Mapping[str, str]
) -> Rule | None:
    first, *rest = reference.parts
    if first == "data" and len(rest) > 1:
        return ".".join(rest[:-1]), rest[-1]
    if first in aliases and rest:
        return aliases[first], rest[0]
    return (package, first) if first in heads else None
