"""Blocks: what stands before everything about a person, whatever consent or law would allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from consent.model import Means, Person, Stale
from consent.rows import actor, block_key
from kernel.effect import Effect, Moment, Rows, Value, Write
from kernel.entry import Concerned, Entry, EntryType


class BlockKind(StrEnum):
    """Why nothing about a person may leave; the person sets and lifts only their own lock."""

    SELF = "self"
    PROTECTED = "protected"
    COURT = "court"
    RESTRICTION = "restriction"


@dataclass(frozen=True, slots=True, repr=False)
class Order:
    """An authority's word about one kind of block: who gives it, why, and whether it is over."""

    kind: BlockKind
    officer: str
    reason: str
    lift: bool


def kinds(row: Mapping[str, Value] | None) -> frozenset[str]:
    """Return the kinds that a row of `block` holds in force."""
    return frozenset(str(row["kinds"]).split()) if row is not None else frozenset()


def blocking(
    person: Person, kind: BlockKind, means: Means, *, lift: bool, reason: str | None = None
) -> tuple[Entry, Effect]:
    """Return what the ledger is to write to set or lift one kind; the others stay as they are.

    The effect raises `Stale` where that is done already.
    """
    key = block_key(person.ref)

    def apply(rows: Rows, moment: Moment) -> Sequence[Write]:
        held = kinds(rows[key])
        if (kind in held) is not lift:
            raise Stale
        after = held - {kind.value} if lift else held | {kind.value}
        row: dict[str, Value] = {
            "subject_ref": person.ref,
            "kinds": " ".join(sorted(after)),
            "since": moment.time,
        }
        return (Write(key, row),)

    entry = Entry(
        type=EntryType.BLOCK_LIFTED if lift else EntryType.BLOCK_SET,
        header={},
        disclosures={
            "actor": actor(means),
            "request": {"kind": kind.value} | ({"reason": reason} if reason is not None else {}),
        },
        concerned=(Concerned(person.ref, person.subject),),
        restricts=not lift,
    )
    return entry, Effect((key,), apply)
