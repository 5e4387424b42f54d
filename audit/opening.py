"""Opening: what must hold between database, tree and guard before the ledger serves."""

from base64 import b64encode
from collections.abc import Iterable

from audit import journal, shards, store
from audit.disclosures import RootKey
from audit.guard import Guard
from audit.merkle import EMPTY, Growth, leaf_hash, parts
from audit.model import BadLedger, Head, Tree
from kernel.clock import Micros
from kernel.database_model import Connection

_REHASHED = 1024
_FOLLOWED = 4096


def unopened(origin: str) -> Head:
    """Return the head of a log that has no entry yet."""
    return Head(origin, 0, EMPTY, (), Micros(0), 0, "")


def inspect(connection: Connection, origin: str, known: Iterable[Tree]) -> Head | None:
    """Return the head after checking it against the tables and against heads known elsewhere.

    None means that no log was opened here yet. Raises `BadLedger` that says what was found.
    """
    head = store.head(connection)
    highest = connection.execute('SELECT max("index") FROM ledger_leaf').fetchall()[0][0]
    found = 0 if highest is None else highest + 1
    if head is None and found:
        raise BadLedger(f"the database holds {found} entries but no state row")
    if head is not None:
        _check_head(connection, head, origin, found)
    for tree in known:
        _check_known(connection, tree, found)
    return head


def follow(connection: Connection, mine: Head, head: Head | None) -> Head:
    """Return the head as other processes left it, after extending our own tree up to it."""
    if head == mine:
        return mine
    if head is None or head.size < mine.size or head.origin != mine.origin:
        raise BadLedger(f"the database lost entries: there were {mine.size} a moment ago")
    if head.size - mine.size > _FOLLOWED:
        _check_head(connection, head, mine.origin, head.size)
        _check_known(connection, Tree(mine.size, mine.root), head.size)
        return head
    growth = Growth(mine.size, mine.edge)
    growth.extend(value for _, value in store.leaves(connection, mine.size, head.size))
    if growth.root() != head.root or tuple(growth.edge()) != head.edge:
        raise BadLedger(
            f"the entries {mine.size} to {head.size - 1}, written by another process,"
            f" do not lead to the root in the state row"
        )
    return head


def settle_journal(connection: Connection, guard: Guard, root: RootKey, head: Head) -> None:
    """Check the guard's journal against the entries, and add restrictions that it missed.

    A crash between the commit and the journal leaves an entry that was never acknowledged.
    """
    last = guard.last()
    after = -1
    if last is not None:
        after, digest = last
        if after >= head.size:
            raise BadLedger(
                f"the guard's journal holds a restriction at index {after},"
                f" but the database ends at {head.size - 1}: it is an older copy; what it lacks is"
                f" put back by `audit recover`"
            )
        ((_, value),) = store.leaves(connection, after, after + 1)
        if b64encode(value) != digest:
            raise BadLedger(f"the entry {after} is not the restriction in the guard's journal")
    origins = shards.origins(connection, head.origin)
    if lines := journal.missing(connection, root, origins, after):
        guard.restrict(lines)


def _check_head(connection: Connection, head: Head, origin: str, found: int) -> None:
    if head.origin != origin:
        raise BadLedger(
            f"the database holds the log {head.origin}, not {origin}{_other(head, origin)}"
        )
    if head.size != found:
        raise BadLedger(f"the state row says {head.size} entries, the table ends after {found}")
    tree = store.StoredTree(connection)
    if tree.root(head.size) != head.root:
        raise BadLedger(f"the {head.size} entries do not lead to the root in the state row")
    if tuple(tree.subtree(start, end) for start, end in parts(head.size)) != head.edge:
        raise BadLedger(f"the {head.size} entries do not lead to the edge in the state row")
    first = max(0, head.size - _REHASHED)
    for index, (text, value) in enumerate(store.leaves(connection, first, head.size), first):
        if leaf_hash(text) != value:
            raise BadLedger(f"the leaf of entry {index} does not have the hash that is stored")


def _other(head: Head, origin: str) -> str:
    """Return what it means that another log than the guard's is found."""
    if not shards.same_log(head.origin, origin):
        return ""
    if shards.number(head.origin) > shards.number(origin):
        return ": a recovery was begun and not ended; run `audit recover` again"
    return ": it is an older copy, from before a recovery"


def _check_known(connection: Connection, tree: Tree, found: int) -> None:
    if tree.size > found:
        raise BadLedger(
            f"a checkpoint over {tree.size} entries was signed, but the database has only {found}:"
            f" it is an older copy, or lost its end; nothing is released from it before"
            f" `audit recover` has put back what people withdrew"
        )
    if store.StoredTree(connection).root(tree.size) != tree.root:
        raise BadLedger(
            f"the first {tree.size} entries are not those of the checkpoint that was signed:"
            f" history was rewritten"
        )
