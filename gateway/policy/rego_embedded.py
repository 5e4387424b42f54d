"""The embedded evaluator: regopy in one thread, with the guards that its pitfalls need."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from regopy import Interpreter
from regopy.interpreter import Bundle as Compiled
from regopy.rego_shared import LogLevel, RegoError

from gateway.model import Decision
from gateway.policy.decision import read_decision
from gateway.policy.fault import Fault
from kernel.canonical import Json, parse

ENTRYPOINT = "exchange/decision"
MAX_ANSWER = 64 * 1024
_ERROR = re.compile(r"\(error \d+:([^|()]*)\|(\d+)\|\d+\s+\(errormsg \d+:([^)]*)\)")

FAILURES = (RegoError, ValueError)
"""What an evaluation that went wrong raises; the text of such an error goes nowhere."""


class BadRules(ValueError):
    """The interpreter does not accept the rules; `faults` says where."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """Keep the faults."""
        super().__init__("the rules cannot be compiled")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Compiled rules and the interpreter that runs them; for one thread only."""

    interpreter: Interpreter
    compiled: Compiled

    @classmethod
    def of(cls, rules: Mapping[str, str]) -> "Evaluator":
        """Return the compiled rules, or raise `BadRules`."""
        interpreter = Interpreter()
        interpreter.log_level = LogLevel.NONE
        # Without this a built-in that fails is undefined, and `not` turns that into a yes.
        interpreter.strict_built_in_errors = True
        try:
            for path, text in sorted(rules.items()):
                interpreter.add_module(path, text)
            compiled = interpreter.build(None, [ENTRYPOINT])
        except FAILURES as error:
            raise BadRules(tuple(_faults(rules, str(error)))) from None
        if not compiled.ok():
            sentence = "the rules cannot be compiled: does one depend on itself?"
            raise BadRules((Fault("exchange/decision.rego", 1, sentence),))
        return cls(interpreter, compiled)

    def decide(self, input: str) -> Decision:
        """Return the decision on an input, or raise one of `FAILURES`."""
        # A term, not `set_input`: that one does not escape quotes in texts.
        self.interpreter.set_input_term(input)
        output = self.interpreter.query_bundle_entrypoint(self.compiled, ENTRYPOINT)
        if not output.ok():
            raise ValueError("the evaluation failed")
        answer = parse(str(output).encode(), max_bytes=MAX_ANSWER)
        expressions = answer.get("expressions") if isinstance(answer, dict) else None
        if not isinstance(expressions, list) or len(expressions) != 1:
            raise ValueError("the decision is undefined")
        return read_decision(_reordered(expressions[0]))


def _reordered(value: Json) -> Json:
    """Return a decision with its sets in OPA's order. The interpreter orders texts by how they
    look in JSON, where the closing quote counts, so `/a!` comes before `/a`; a list that is in
    neither order stays as it is, and is refused."""
    if not isinstance(value, dict):
        return value
    return {name: _in_order(member) for name, member in value.items()}


def _in_order(member: Json) -> Json:
    if not isinstance(member, list) or not all(isinstance(one, str) for one in member):
        return member
    as_json = sorted(member, key=lambda one: f'"{one}"')
    return sorted(member) if member == as_json else member


def _faults(rules: Mapping[str, str], message: str) -> Iterator[Fault]:
    """Yield the interpreter's faults by line; it tells the place as an offset into the file."""
    found = False
    for path, offset, sentence in _ERROR.findall(message):
        before = rules.get(path, "").encode()[: int(offset)]
        found = True
        yield Fault(path, before.count(b"\n") + 1, f"this is not Rego: {sentence}")
    if not found:
        yield Fault("exchange/decision.rego", 1, "the rules cannot be compiled")
