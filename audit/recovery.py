"""Recovery: how a database that lost its end goes on, with every restriction put back first.

History is never rewritten. The entries that are left become the beginning of a log of another
origin, whose next entry, `log.recovered`, says what was lost; after it the guard's restrictions
are written anew. All of it is one commit, and the guard's new head comes after it: until then
nothing opens, whichever step a crash hits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audit import journal, leaf, opening, shards, store
from audit.batch import Batch
from audit.guard import Guard, Restriction
from audit.merkle import leaf_hash
from audit.model import BadLedger, Head, Tree
from audit.writer import Keys
from audit.writing import write
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.clock import Clock
from kernel.database_model import Connection, Sequencer
from kernel.entry import Change, Entry, EntryType
from kernel.errors import Refusal

_AT_ONCE = 1024
_ROOM = 1_000_000
"""Added to the control epoch besides the lost entries, so that none of the lost timeline comes
again: what a process remembers under it is outdated for ever."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What the guard knows and the database does not have."""

    head: Head
    """The database's own: its size is how many entries are left."""
    note: str
    """The last checkpoint that the guard kept: how far the log was, signed."""
    lost: Tree
    restrictions: tuple[Restriction, ...]
    """Those of the guard's journal that are lost, in their order."""
    written: bool = False
    """Whether the recovery is committed already and only the guard has to follow."""

    @property
    def end(self) -> int:
        """Return how many entries the log had, as far as anybody knows."""
        return max([self.lost.size, *(one.index + 1 for one in self.restrictions)])


def surviving(lines: Iterable[Restriction]) -> list[Restriction]:
    """Return the lines of a journal that belong to the log as it is now: a recovery takes back
    those whose entries it lost."""
    kept: list[Restriction] = []
    for line in lines:
        if line.header.get("type") == EntryType.LOG_RECOVERED.value:
            first = int(str(line.header["kept"]))
            kept = [one for one in kept if one.index < first]
        kept.append(line)
    return kept


def examine(connection: Connection, guard: Guard, checkpoint: Tree | None) -> Loss | None:
    """Return what was lost, or None where the database has everything that the guard knows of.

    Every leaf is hashed anew. Raises `BadLedger` where the database is no beginning of the log:
    it was rewritten, it belongs to another log, or it is not what an earlier checkpoint says.
    """
    signer, note = guard.signed()
    lost = signer.read(note)
    head = store.head(connection)
    if head is None:
        raise BadLedger("the database holds no log; restore a backup of it first")
    known = [] if checkpoint is None else [checkpoint]
    found = opening.inspect(connection, head.origin, known)
    if found is None or not shards.same_log(found.origin, signer.name):
        raise BadLedger(f"the database holds the log {head.origin}, not {signer.name}")
    _rehash(connection, head)
    guard.last()  # cuts off a line that a crash tore
    lines = surviving(guard.restrictions())
    if shards.number(head.origin) > shards.number(signer.name):
        _check_begun(connection, head, signer.name, lost)
        return Loss(head, note, lost, (), written=True)
    _check_lines(connection, head, lines)
    missing = tuple(one for one in lines if one.index >= head.size)
    same = head.origin == signer.name
    if same and head.size >= lost.size:
        opening.inspect(connection, head.origin, [lost])
        if not missing:
            return None
    return Loss(head, note, lost, missing)


def carry_out(
    connection: Sequencer, loss: Loss, changes: Sequence[Change], keys: Keys, at: "At"
) -> Head:
    """Commit the recovery and the changes that put restrictions back; return the new head.

    A change whose effect raises `Refusal` is in force already and is left out.
    """
    origin = shards.following(loss.note.partition("\n")[0])
    head = loss.head._replace(origin=origin, epoch=loss.head.epoch + loss.end + _ROOM)
    connection.begin()
    if store.head(connection) != loss.head:
        raise BadLedger("the database changed while it was looked at: another recovery runs")
    batch = Batch(head, connection.now or at.clock.now(), keys.root, at.chance)
    batch.place(leaf.draft(_recovered(loss, origin), at.chance), None)
    for change in changes:
        drafted = leaf.draft(change.entry, at.chance)
        batch.add(store.load(connection, batch.missing(drafted, change.effect)))
        try:
            batch.place(drafted, change.effect)
        except Refusal:
            continue
    row = (loss.head.size, loss.head.origin, origin)
    store.write(connection, "ledger_recovery", [row], replace=False)
    after = write(connection, batch)
    connection.commit()
    return after


def finish(connection: Sequencer, guard: Guard, keys: Keys) -> Tree:
    """Bring the guard to the recovered log: its journal first, its head last; return the head.

    May be repeated: what the journal holds already is not written again.
    """
    if not connection.outlasts:  # then the commit before gave the right to write away
        connection.begin()
    head = store.head(connection)
    if head is None:
        raise BadLedger("the database holds no log")
    guard.last()
    origins = shards.origins(connection, head.origin)
    first = origins.recoveries[-1][0]
    lines = surviving(guard.restrictions())
    here = any(_begins(one, head.origin) for one in lines)
    kept = [one.index for one in lines if here or one.index < first]
    missing = journal.missing(connection, keys.root, origins, max(kept, default=-1))
    if missing:
        guard.restrict(missing)
    tree = Tree(head.size, head.root)
    guard.keep(keys.signer.named(head.origin).sign(tree))
    return tree


@dataclass(frozen=True, slots=True)
class At:
    """When, and by what chance."""

    clock: Clock
    chance: Chance


def _recovered(loss: Loss, origin: str) -> Entry:
    """Return the entry that says what was lost; it holds the whole signed checkpoint of it."""
    body, _, rest = loss.note.partition("\n\n")
    previous, size, root = body.split("\n")
    header: dict[str, Json] = {
        "origin": origin,
        "previous": previous,
        "kept": str(loss.head.size),
        "size": size,
        "root": root,
        "signature": rest.split(" ")[2].rstrip("\n"),
    }
    return Entry(EntryType.LOG_RECOVERED, header, control=True, restricts=True)


def _rehash(connection: Connection, head: Head) -> None:
    for start in range(0, head.size, _AT_ONCE):
        end = min(start + _AT_ONCE, head.size)
        for index, (text, value) in enumerate(store.leaves(connection, start, end), start):
            if leaf_hash(text) != value:
                raise BadLedger(f"the leaf of entry {index} does not have the hash that is stored")


def _check_lines(connection: Connection, head: Head, lines: Sequence[Restriction]) -> None:
    """Compare the restrictions that the guard and the database both know."""
    for line in lines:
        if line.index >= head.size:
            continue
        ((_, value),) = store.leaves(connection, line.index, line.index + 1)
        if value != line.leaf_hash:
            raise BadLedger(
                f"the entry {line.index} is not the restriction in the guard's journal: the"
                f" database is no beginning of the log, and history is never rewritten"
            )


def _check_begun(connection: Connection, head: Head, previous: str, lost: Tree) -> None:
    """Check that the database was recovered from just what the guard holds."""
    first, _, origin = shards.origins(connection, head.origin).recoveries[-1]
    ((text, _),) = store.leaves(connection, first, first + 1)
    header = journal.header(text)
    told = (header.get("previous"), header.get("size"), header.get("origin"))
    if told != (previous, str(lost.size), head.origin) or origin != head.origin:
        raise BadLedger(f"the database was recovered as {head.origin}, but not from {previous}")


def _begins(line: Restriction, origin: str) -> bool:
    recovered = line.header.get("type") == EntryType.LOG_RECOVERED.value
    return recovered and line.header.get("origin") == origin
