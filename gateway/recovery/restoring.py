"""Restoring: the entries that put back what a database lost, made from the guard's journal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from audit.disclosures import RootKey, Unreadable
from audit.guard import Restriction
from audit.journal import Content, unsealed
from consent.blocks import BlockKind
from consent.recovered import Restricted, blocked, limited, pausing, restoring
from consent.rows import facts
from gateway.stops import Halts, stopping
from identity.clients import disabling
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.database import Database
from kernel.effect import Effect
from kernel.entry import Change, Concerned, Entry, EntryType
from kernel.names import ClientId, ConsentId, ReceiptId, Subject, SubjectRef

_CONTROL: Final = frozenset({EntryType.STOP_SET, EntryType.CLIENT_DISABLED})
_STAMPS: Final = frozenset({"type", "time"})


@dataclass(frozen=True, slots=True)
class Unknown(Exception):
    """Lines of the journal that do not tell enough to be put back, by their indexes."""

    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Restorer:
    """Makes changes of lost restrictions, and pauses what can no longer be counted."""

    root: RootKey
    database: Database
    chance: Chance
    identify: Callable[[bytes, SubjectRef], Subject]

    def changes(self, lost: Sequence[Restriction], given_up: frozenset[int]) -> list[Change]:
        """Return the changes that put restrictions back, in their order; raise `Unknown` where a
        line does not tell enough and the operator has not given it up."""
        made: list[Change] = []
        unknown: list[int] = []
        for line in lost:
            try:
                made += self._change(line)
            except (Unreadable, LookupError, TypeError, ValueError):
                if line.index not in given_up:
                    unknown.append(line.index)
        if unknown:
            raise Unknown(tuple(unknown))
        return made

    def pauses(self) -> Iterator[Change]:
        """Yield a pause of every consent in force whose uses are counted."""
        for record in limited(self.database):
            subject = self.identify(record.identifier, record.subject_ref)
            person = Concerned(record.subject_ref, subject)
            yield Change(*pausing(record, person, self._receipt()))

    def _change(self, line: Restriction) -> Iterator[Change]:
        kind = EntryType(str(line.header["type"]))
        if kind is EntryType.LOG_RECOVERED:
            return
        content = unsealed(self.root, line) if line.sealed else Content(whole=False)
        header = {name: line.header[name] for name in line.header if name not in _STAMPS}
        entry = Entry(
            type=kind,
            header=header,
            disclosures=content.disclosures,
            concerned=content.people,
            control=kind in _CONTROL,
            restricts=True,
        )
        yield Change(entry, self._effect(kind, header, content))

    def _effect(self, kind: EntryType, header: Mapping[str, Json], content: Content) -> Effect:
        if kind is EntryType.STOP_SET:
            name, reason = str(header["name"]), str(header["reason"])
            return stopping(Halts(str(header["kind"])), name, reason)
        if kind is EntryType.CLIENT_DISABLED:
            return disabling(ClientId(str(header["client"])))
        if kind is EntryType.BLOCK_SET:
            (person,) = content.people
            return blocked(person, BlockKind(str(_told(content, "request")["kind"])))
        return restoring(self._restricted(kind, header, content))

    def _restricted(
        self, kind: EntryType, header: Mapping[str, Json], content: Content
    ) -> Restricted:
        consent = ConsentId(str(header["consent"]))
        if not content.whole:
            return Restricted(kind, consent, self._receipt())
        granted = None
        match _told(content, "request").get("fields"):
            case dict(fields):
                granted = facts({name: _texts(value) for name, value in fields.items()})
        means = _told(content, "actor")
        level = means.get("level")
        return Restricted(
            type=kind,
            consent=consent,
            receipt=ReceiptId(str(_told(content, "response")["receipt"])),
            granted=granted,
            method=str(means["method"]),
            level=None if level is None else str(level),
        )

    def _receipt(self) -> ReceiptId:
        return ReceiptId(self.chance.identifier("rc"))


def _told(content: Content, name: str) -> Mapping[str, Json]:
    value = content.disclosures[name]
    if isinstance(value, dict):
        return value
    raise ValueError("a disclosure is not an object")


def _texts(value: Json) -> list[str]:
    if isinstance(value, list):
        return [str(one) for one in value]
    raise ValueError("fields are a list")
