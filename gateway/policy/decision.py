"""Decision: what counts as a question and an answer of the policies, and the answer in bytes."""

from collections.abc import Callable
from itertools import pairwise

from gateway.model import Decision, Obligation
from kernel.canonical import Json, canonical, parse
from kernel.errors import Reason, Refusal
from kernel.names import Pointer

MAX_INPUT = 64 * 1024
MAX_ITEMS = 256
MAX_LENGTH = 512
_MEMBERS = {"allow", "fields", "obligations", "reasons"}


class BadDecision(ValueError):
    """The value is not a decision; the message says why and quotes nothing of it."""


class OtherRevision(Refusal):
    """The policies answered, but those of another revision than the one asked for."""

    def __init__(self) -> None:
        """Refuse with `policy.unavailable`."""
        super().__init__(Reason.POLICY_UNAVAILABLE, "New policies are being made ready; try again.")


def unavailable() -> Refusal:
    """Return the refusal for policies that gave no usable answer."""
    return Refusal(
        Reason.POLICY_UNAVAILABLE,
        "The policies gave no usable answer, so nothing was decided; try again in a moment.",
    )


def read_input(input: bytes) -> Json:
    """Return the value of a policy input, or raise `ValueError`: not plain JSON, too large, or a
    text with a quote, a backslash or a control character, which no identifier has and which the
    embedded engine counts and cuts differently than OPA."""
    if b"\\" in input:
        raise BadDecision("a text of the input needs escapes")
    return parse(input, max_bytes=MAX_INPUT)


def read_decision(value: Json) -> Decision:
    """Return the decision that an engine's value states, or raise `BadDecision`: a member missing,
    unknown or of another type, a list that is unsorted, repeats itself or has no end."""
    if not isinstance(value, dict) or value.keys() != _MEMBERS:
        raise BadDecision("a decision has exactly allow, fields, obligations and reasons")
    allow = value["allow"]
    if not isinstance(allow, bool):
        raise BadDecision("allow is true or false")
    decision = Decision(
        allow=allow,
        reasons=_items(value["reasons"], _string),
        fields=tuple(Pointer(field) for field in _items(value["fields"], _string)),
        obligations=tuple(Obligation(kind) for kind in _items(value["obligations"], _obligation)),
    )
    if allow and (decision.reasons or not decision.fields):
        raise BadDecision("a decision that allows has fields and no reasons")
    if not allow and (not decision.reasons or decision.fields or decision.obligations):
        raise BadDecision("a decision that refuses has reasons and nothing else")
    return decision


def canonical_decision(decision: Decision) -> bytes:
    """Return the decision as canonical JSON: equal decisions, equal bytes, on every engine."""
    return canonical(
        {
            "allow": decision.allow,
            "fields": decision.fields,
            "obligations": [{"type": obligation.type} for obligation in decision.obligations],
            "reasons": decision.reasons,
        }
    )


def _items(value: Json, read: Callable[[Json], str]) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise BadDecision(f"a list of at most {MAX_ITEMS} items is expected")
    items = tuple(read(item) for item in value)
    if any(before >= after for before, after in pairwise(items)):
        raise BadDecision("a list is not sorted or repeats an item")
    return items


def _string(value: Json) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH:
        raise BadDecision(f"a text of 1 to {MAX_LENGTH} characters is expected")
    return value


def _obligation(value: Json) -> str:
    if not isinstance(value, dict) or value.keys() != {"type"}:
        raise BadDecision("an obligation has exactly a type")
    return _string(value["type"])
