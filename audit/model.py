"""Nouns of the ledger: its head, its faults, and an entry as a person may see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from kernel.canonical import Json
from kernel.clock import Micros
from kernel.entry import Entry
from kernel.waits import OwnThread, Waits

SHARD = 1
"""The one shard of this database; more come as rows of their own."""


class BadLedger(Exception):
    """The ledger cannot be trusted, so it does not open; the message says what was found."""


class Head(NamedTuple):
    """The ledger's state row: the tree, the last entry's time, the control epoch, the batch."""

    origin: str
    size: int
    root: bytes
    edge: tuple[bytes, ...]
    last_time: Micros
    epoch: int
    batch: str


class Tree(NamedTuple):
    """A tree head: how many entries, and the root over them."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Turn:
    """One turn of whoever writes for all: what became durable, and the seconds that the right to
    write and then the writing took. `failed` where the storage or the guard did."""

    entries: tuple[Entry, ...]
    waited: float
    seconds: float
    failed: bool


class Body(NamedTuple):
    """One sealed set of disclosures: for one person, or for nobody in particular."""

    person: str
    entry: int
    number: int | None
    sealed: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Activity:
    """One entry of a person's own list: its public header, and what this person may see."""

    number: int
    index: int
    header: Mapping[str, Json]
    disclosures: Mapping[str, Json]


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """One entry of a person's own list as it is written: its leaf, and the disclosures (RFC 9901)
    that this person may see."""

    number: int
    index: int
    leaf: bytes
    disclosures: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Page:
    """Some entries of a person's own list, newest first; of how many; and before which number the
    list goes on, None where it ends."""

    entries: tuple[Activity, ...]
    total: int
    before: int | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a caller waits, how many may wait, how many commit at once, and how old the
    guard's head may get; in seconds and entries. `waits` is how callers wait for a batch."""

    patience: float = 2.0
    waiting: int = 4096
    batch: int = 256
    head_age: float = 0.5
    waits: Waits = field(default_factory=OwnThread)
