"""Policy lint: may these rules be evaluated at all, so that a decision can be replayed anywhere?

A rule sees the input and the other rules, calls the built-ins that both engines compute alike,
and nothing else: no clock, no chance, no network, no environment, no data beside the input.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import PurePosixPath

from gateway.policy.cycles import Rules
from gateway.policy.fault import Fault
from gateway.policy.rego_tokens import Module, Reference, modules
from kernel.canonical import MAX_SAFE_INTEGER

ENTRYPOINT = "exchange/decision.rego"
ALLOWED = frozenset({
    "abs", "array.concat", "array.reverse", "concat", "contains", "count", "endswith",
    "intersection", "is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set",
    "is_string", "max", "min", "object.filter", "object.get", "object.keys", "object.remove",
    "object.subset", "object.union", "set", "sort", "startswith", "sum", "union",
})  # fmt: skip
"""The built-ins on which both engines were found to agree (`tests/contract`)."""
_BANNED = {
    "http": "it asks the network",
    "io": "tokens are verified before the policies are asked",
    "net": "it asks the network, or is unknown to the embedded engine",
    "opa": "it shows the environment of the engine",
    "rand": "a decision must be the same when it is replayed",
    "uuid": "a decision must be the same when it is replayed",
    "rego": "rules do not read themselves",
    "time": "the only time is `input.at`, and the embedded engine reads dates differently",
    "graph": "the embedded engine does not have it",
    "walk": "it visits everything, without a bound",
    "numbers": "it can be made to run without a bound",
    "trace": "rules have no side effects",
    "print": "rules have no side effects",
    "lower": "the embedded engine changes ASCII letters only",
    "upper": "the embedded engine changes ASCII letters only",
}
_KEYWORDS = frozenset({"else", "every", "if", "in", "not", "some"})
_KNOWN = _KEYWORDS | frozenset(
    {"_", "contains", "data", "default", "false", "import", "input", "null", "package", "true"}
)


def lint(rules: Mapping[str, str]) -> list[Fault]:
    """Return what rules by path must not do, in the order of files and lines."""
    parsed = modules(rules)
    heads: dict[str, set[str]] = {}
    for path, module in parsed.items():
        heads.setdefault(package_of(path), set()).update(module.heads)
    faults: list[Fault] = []
    cycles = Rules()
    for path, module in parsed.items():
        faults += _words(path, module)
        faults += _references(path, module, heads)
        faults += _strangers(path, module, heads[package_of(path)])
        cycles.add(path, package_of(path), module)
    faults += cycles.cycles()
    if ENTRYPOINT in rules and "decision" not in heads["exchange"]:
        faults.append(Fault(ENTRYPOINT, 1, "the rule `decision` is missing"))
    return sorted(set(faults))


def package_of(path: str) -> str:
    """Return the package that a file must declare: the directory is the package."""
    return ".".join(PurePosixPath(path).parent.parts)


def _words(path: str, module: Module) -> Iterator[Fault]:
    declared = [token.line for token in module.tokens if token.text == "package" and token.first]
    if len(declared) != 1:
        yield Fault(path, 1, "a file declares exactly one package")
    for token in module.tokens:
        if token.kind == "template":
            yield Fault(path, token.line, "template strings are not allowed: use `concat`")
        if token.kind == "string" and "\\" in token.text:
            yield Fault(path, token.line, "a text with a backslash is not read alike everywhere")
        if token.kind == "number" and len(token.text) > len(str(MAX_SAFE_INTEGER)) - 1:
            yield Fault(path, token.line, "this number is too large for every engine to agree")
        if token.text in {"with", "as"} and token.kind == "name":
            yield Fault(path, token.line, f"`{token.text}` is for tests only")
    for before, after in pairwise(module.tokens):
        if after.text == "(" and before.text in {"]", ")"}:
            yield Fault(path, after.line, "a function is called by its plain name")


def _references(path: str, module: Module, heads: Mapping[str, set[str]]) -> Iterator[Fault]:
    package = package_of(path)
    aliases: dict[str, str] = {}
    for reference in module.references():
        sentence = None
        if reference.before == "package":
            sentence = _declared(reference, package)
        elif reference.before == "import":
            sentence = _imported(reference, heads)
            aliases[reference.parts[-1]] = reference.name.removeprefix("data.")
        else:
            sentence = _used(reference, aliases, heads, heads[package])
        if sentence is not None:
            yield Fault(path, reference.line, sentence)


def _strangers(path: str, module: Module, local: set[str]) -> Iterator[Fault]:
    """Yield names that stand in a file once: a variable is bound in one place and used in another,
    so that is a typo. Under `not`, the embedded engine would take it for a yes."""
    names = [r for r in module.references() if r.before not in {"package", "import", "as"}]
    times = Counter(reference.parts[0] for reference in names)
    known = _KNOWN | local | {r.parts[-1] for r in module.references() if r.before == "import"}
    for reference in names:
        first = reference.parts[0]
        if times[first] == 1 and first not in known and not reference.called:
            yield Fault(path, reference.line, f"`{first}` is nothing here: is it a typo?")


def _declared(reference: Reference, package: str) -> str | None:
    if reference.name == package and not reference.open_ended:
        return None
    return f"the package must be `{package}`, as the directory says"


def _imported(reference: Reference, heads: Mapping[str, set[str]]) -> str | None:
    if reference.parts[0] != "data" or reference.name.removeprefix("data.") not in heads:
        return f"`{reference.name}` is not a package of these policies: nothing else is imported"
    if reference.parts[-1] in _BANNED or any(
        name.startswith(f"{reference.parts[-1]}.") for name in ALLOWED
    ):
        return f"a package must not be named `{reference.parts[-1]}`, as built-ins are"
    return None


def _used(
    reference: Reference,
    aliases: Mapping[str, str],
    heads: Mapping[str, set[str]],
    local: set[str],
) -> str | None:
    first, *rest = reference.parts
    if first in _BANNED and (reference.called or (rest and first not in local)):
        return f"`{reference.name}` is not allowed: {_BANNED[first]}"
    if first == "data":
        return _elsewhere(".".join(rest), reference, heads)
    if first in aliases:
        return _elsewhere(".".join((aliases[first], *rest)), reference, heads)
    if not reference.called or reference.name in ALLOWED or first in _KEYWORDS:
        return None
    if not rest and first in local:
        return None
    return f"`{reference.name}` is not a function that rules may call"


def _elsewhere(name: str, reference: Reference, heads: Mapping[str, set[str]]) -> str | None:
    """Return what is wrong with a reference into another package, which must name a rule of it."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        package = ".".join(parts[:end])
        if package in heads:
            return None if parts[end] in heads[package] else f"`{name}` is no rule: is it a typo?"
    if reference.open_ended or name in heads:
        return f"`{reference.name}` must go on to name a rule"
    return f"`{reference.name}` is not of these policies: there is no data beside the input"
