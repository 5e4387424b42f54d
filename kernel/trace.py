"""Trace: the name of one request over all hosts that have to do with it (W3C Trace Context).

It travels beside the arguments, with the thread that works on the request: no decision may ever
rest on it, and everything between the front and a source would have to carry it. It comes from
outside, unproven, and tells about nobody.
"""

import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from kernel.chance import Chance

SPAN_BITS = 64
_LAST = (1 << SPAN_BITS) - 1
_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
_SAMPLED = 1
# RFC 4648 §6 by hand: `b32encode` looks up pairs of letters, in a table that is never near by.
_LETTERS, _PLACES, _SPARE = b"abcdefghijklmnopqrstuvwxyz234567", range(125, -1, -5), 2


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of a request, our span in it, and the span that it came from."""

    id: str
    """32 hexadecimal digits, the same at every host."""
    span: int
    parent: str | None
    sampled: bool
    """Whether those who keep spans keep this one's."""

    @property
    def name(self) -> str:
        """Return the identifier as answers tell it, in the spelling of all our identifiers."""
        bits = int(self.id, 16) << _SPARE
        return f"tr_{bytes([_LETTERS[bits >> place & 31] for place in _PLACES]).decode('ascii')}"

    def part(self, number: int) -> int:
        """Return the span of a numbered part of the request; 0 is the request itself."""
        return (self.span + number - 1) % _LAST + 1

    def onward(self, number: int) -> str:
        """Return the `traceparent` of what is asked elsewhere in that part."""
        return f"00-{self.id}-{self.part(number):016x}-{self.sampled:02x}"


def begun(given: str | None, chance: Chance, keep: Callable[[str], bool] | None = None) -> Trace:
    """Return the trace that a `traceparent` names, or a new one where it is not well formed (W3C
    Trace Context §3.2: version 00, lower case, no identifier of zeros); `keep` decides by its
    identifier whether it is sampled, or without one whoever sent it. `tracestate` has no part in
    it: free text of strangers would pass the ledger by on its way to a source."""
    span = int.from_bytes(chance.bits(SPAN_BITS // 8), "big") % _LAST + 1
    found = _FORM.fullmatch(given) if given is not None else None
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        name, parent, sampled = f"{int.from_bytes(chance.bits(16), 'big') or 1:032x}", None, False
    else:
        name, parent, sampled = found[1], found[2], bool(int(found[3], 16) & _SAMPLED)
    return Trace(name, span, parent, sampled if keep is None else keep(name))


SOURCE, ENGINE = 6, 4
"""The parts of a request in which somebody else is asked, by their number in the pipeline."""

_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    """Return the trace of the request at hand, or None outside of one."""
    return _current.get()


def follow(trace: Trace | None) -> None:
    """Take a trace as that of the request at hand, until the next."""
    _current.set(trace)


def onward(number: int) -> list[str]:
    """Return the header lines that pass the trace on from a part of the request; none outside."""
    trace = _current.get()
    return [] if trace is None else [f"traceparent: {trace.onward(number)}"]
