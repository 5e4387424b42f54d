"""Stops: what is halted in an emergency, each by one ledger entry, until it goes on again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model import Agreement, Service
from kernel.canonical import Json
from kernel.clock import Micros, rfc3339
from kernel.effect import Apply, Effect, Key, Moment, Rows, Write
from kernel.entry import Entry, EntryType, Ledger, Logged
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId

MAX_REASON = 400
_STOPPED, _RESUMED = "stopped", "resumed"


class Halts(StrEnum):
    """What can be stopped."""

    AGREEMENT = "agreement"
    AGENCY = "agency"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Stop:
    """One thing that is stopped: since when, why, and the entry that says so."""

    kind: Halts
    name: str
    since: Micros
    reason: str
    index: int


@dataclass(frozen=True, slots=True)
class Stops:
    """Everything that is stopped at one moment."""

    held: Mapping[tuple[str, str], Stop] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[tuple[str, str, int, str, int]]) -> "Stops":
        """Return the stops of these rows: kind, name, since, reason, index."""
        return cls(
            {
                (kind, name): Stop(Halts(kind), name, Micros(since), reason, index)
                for kind, name, since, reason, index in rows
            }
        )

    def find(self, kind: Halts, name: str) -> Stop | None:
        """Return the stop of something, or None where it is not stopped."""
        return self.held.get((kind, name))

    def agency(self, agency: AgencyId) -> Stop | None:
        """Return the stop of an agency, whose clients are then refused as if disabled."""
        return self.find(Halts.AGENCY, agency)

    def agreement(self, agreement: Agreement) -> Stop | None:
        """Return what stops an agreement: its own stop, or that of its agency."""
        return self.find(Halts.AGREEMENT, agreement.id) or self.agency(agreement.agency)

    def service(self, service: Service) -> Stop | None:
        """Return the stop of a service's source."""
        return self.find(Halts.SOURCE, service.source)


NONE = Stops()
"""Nothing is stopped."""


def stop(ledger: Ledger, kind: Halts, name: str, reason: str) -> Logged:
    """Stop something, in force on the next request everywhere; raise `Refusal` where it is stopped
    already. What is in flight meets the control epoch at its next entry."""
    entry = Entry(
        EntryType.STOP_SET,
        {"kind": kind.value, "name": name, "reason": reason},
        control=True,
        restricts=True,
    )
    return ledger.append(entry, stopping(kind, name, reason))


def stopping(kind: Halts, name: str, reason: str) -> Effect:
    """Return what stops something; it raises `Refusal` where that is stopped already."""
    return _effect(kind, name, _STOPPED, reason)


def resume(ledger: Ledger, kind: Halts, name: str, reason: str | None) -> Logged:
    """Let something go on again; raise `Refusal` where it is not stopped."""
    header: dict[str, Json] = {"kind": kind.value, "name": name}
    if reason is not None:
        header["reason"] = reason
    entry = Entry(EntryType.STOP_LIFTED, header, control=True)
    return ledger.append(entry, _effect(kind, name, _RESUMED, reason or ""))


def _effect(kind: Halts, name: str, state: str, reason: str) -> Effect:
    place = Key("stop", (kind.value, name))
    row = {"kind": kind.value, "name": name, "state": state, "reason": reason}
    return Effect((place,), _turning(place, row))


def _turning(place: Key, row: Mapping[str, str]) -> Apply:
    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        held, named = rows[place], f"The {row['kind']} {row['name']!r} is"
        since = None
        if held is not None and held["state"] == _STOPPED:
            since = rfc3339(Micros(int(held["since"] or 0)))
        if since is not None and row["state"] == _STOPPED:
            raise Refusal(Reason.REQUEST_MALFORMED, f"{named} stopped already, since {since}.")
        if since is None and row["state"] == _RESUMED:
            raise Refusal(Reason.REQUEST_MALFORMED, f"{named} not stopped.")
        return (Write(place, {**row, "since": moment.time, "index": moment.index}),)

    return apply
