"""Opening: what must hold between database, tree and guard before the ledger serves."""

from base64 import b64encode
from collections.abc import Iterable, Mapping

import orjson

from audit import store
from audit.guard import Guard, Restriction
from audit.merkle import EMPTY, Growth, leaf_hash, parts
from audit.model import BadLedger, Head, Tree
from kernel.canonical import Json
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


def settle_journal(connection: Connection, guard: Guard, size: int) -> None:
    """Check the guard's journal against the entries, and add restrictions that it missed.

    A crash between the commit and the journal leaves an entry that was never acknowledged.
    """
    last = guard.last()
    after = -1
    if last is not None:
        after, digest = last
        if after >= size:
            raise BadLedger(
                f"the guard's journal holds a restriction at index {after},"
                f" but the database ends at {size - 1}: it is an older copy"
            )
        ((_, value),) = store.leaves(connection, after, after + 1)
        if b64encode(value) != digest:
            raise BadLedger(f"the entry {after} is not the restriction in the guard's journal")
    rows = connection.execute(
        'SELECT l."index", l.hash, l.leaf FROM ledger_restriction AS r'
        ' JOIN ledger_leaf AS l ON l."index" = r."index" WHERE r."index" > ? ORDER BY r."index"',
        (after,),
    ).fetchall()
    if rows:
        guard.restrict([Restriction(index, value, _header(text)) for index, value, text in rows])


def _header(text: bytes) -> Mapping[str, Json]:
    """Return the header as the journal has it; the digests and the version stay in the leaf."""
    members: dict[str, Json] = orjson.loads(text)
    return {name: members[name] for name in members if name not in {"_sd", "_sd_alg", "v"}}


def _check_head(connection: Connection, head: Head, origin: str, found: int) -> None:
    if head.origin != origin:
        raise BadLedger(f"the database holds the log {head.origin}, not {origin}")
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


def _check_known(connection: Connection, tree: Tree, found: int) -> None:
    if tree.size > found:
        raise BadLedger(
            f"a checkpoint over {tree.size} entries was signed, but the database has only {found}:"
            f" it is an older copy, or lost its end"
        )
    if store.StoredTree(connection).root(tree.size) != tree.root:
        raise BadLedger(
            f"the first {tree.size} entries are not those of the checkpoint that was signed:"
            f" history was rewritten"
        )
