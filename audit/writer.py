"""Writer: what the holder of the sequencer's lock does: check, commit, sign, keep the guard."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from audit import leaf, opening, shards, store
from audit.batch import Batch, Committed, wanted
from audit.checkpoint import Checkpoint, Signer
from audit.disclosures import RootKey
from audit.guard import Guard
from audit.leaf import Draft
from audit.merkle import EMPTY
from audit.model import BadLedger, Head, Tree
from audit.waiting import Job, unavailable
from audit.writing import write
from kernel.chance import Chance
from kernel.clock import Clock, Micros
from kernel.database_model import Connection, Sequencer, StorageError
from kernel.entry import Entry, EntryType
from kernel.errors import Outdated, Refusal

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """The log's signing key, and the root of the keys under which disclosures are sealed."""

    signer: Signer
    root: RootKey


class Writer:
    """The ledger's end of the lock; it remembers the head that it left, and trusts no other."""

    def __init__(
        self, guard: Guard, keys: Keys, clock: Clock, chance: Chance, head_age: float
    ) -> None:
        """Prepare; the first commit checks the database before anything else."""
        self._guard = guard
        self._keys = keys
        self._clock = clock
        self._chance = chance
        self._head_age = head_age
        self._head: Head | None = None
        self._floor = Tree(0, EMPTY)
        self._kept = (0, 0.0)
        self._current_until = clock.monotonic()
        self.signer = keys.signer
        """The log's key under the log's name, which is another one after a recovery."""
        self._sent: tuple[Head, Batch] | None = None
        self.newest: Checkpoint | None = None
        """Over the tree as we left it or found it right; nothing else is ever signed."""
        self.wrote = False
        """Whether the last commit reached the disk, so that trying again would write twice."""
        self.written: tuple[Entry, ...] = ()
        """What the last commit made durable."""

    def commit(self, connection: Sequencer, jobs: Sequence[Job]) -> None:
        """Write the jobs' entries and effects in one transaction and tell each what became of it.

        Any error leaves nothing written; only the guard can fail after the commit, and then the
        restrictions alone are not acknowledged.
        """
        self.wrote, self.written = False, ()
        if self._head is None:
            self.ready(connection)
        connection.begin()
        drafts = [(job, job.drafted) for job in jobs if job.drafted is not None]
        keys = [key for job, drafted in drafts for key in wanted(drafted, job.effect)]
        found, rows = store.load_with_head(connection, keys)
        head = self._follow(connection, found)
        batch = Batch(head, self._now(connection), self._keys.root, self._chance)
        batch.add(rows)
        for job, drafted in drafts:
            self._place(connection, batch, job, drafted)
        if batch.leaves:
            head = self._write(connection, batch)
        else:
            connection.rollback()
        self._acknowledge(connection, head, batch, jobs)

    def settle(self, connection: Sequencer, jobs: Sequence[Job]) -> bool:
        """Return whether the batch whose commit nobody knew of is there after all; then each job
        is told what became of it. Whoever has the right to write sees it, or it never was."""
        if self._sent is None:
            return False
        after, batch = self._sent
        index, value, _ = batch.leaves[0]
        head = store.head(connection)
        if head is None or head.size <= index:
            return False
        # Others may have gone on since; a leaf has random salts, so that no other has its hash.
        if head.batch != after.batch and store.leaves(connection, index, index + 1)[0][1] != value:
            return False
        connection.rollback()
        self._acknowledge(connection, after, batch, jobs)
        return True

    def ready(self, connection: Sequencer) -> Head:
        """Return the newest head: checked in full after opening, extended by ourselves since."""
        if self._head is None:
            self._head = self._open(connection)
        else:
            self._follow(connection, store.head(connection))
        return self._head

    def _follow(self, connection: Connection, found: Head | None) -> Head:
        if self._head is None:
            raise BadLedger("the log was never checked")
        self._head = opening.follow(connection, self._head, found)
        return self._head

    def _now(self, connection: Sequencer) -> Micros:
        """Return the database's own time, where it keeps one, since all its writers share that."""
        return self._clock.now() if connection.now is None else connection.now

    def forget(self) -> None:
        """Check everything anew before the next commit: something failed, or looks different."""
        self._head = None

    def due(self) -> float | None:
        """Return in how many seconds the guard's head grows too old; None when it is current."""
        if self.newest is None or self.newest.tree.size == self._kept[0]:
            return None
        return max(0.0, self._kept[1] + self._head_age - self._clock.monotonic())

    def behind(self) -> float:
        """Return for how many seconds the guard has not had the newest head; 0 where it has it."""
        if self.newest is None or self.newest.tree.size == self._kept[0]:
            return 0.0
        return max(0.0, self._clock.monotonic() - self._current_until)

    def keep(self, connection: Sequencer) -> None:
        """Put the newest head into the guard, when it is not there yet."""
        self._show(self.ready(connection))
        if self.due() is not None:
            self._keep()

    def _open(self, connection: Sequencer) -> Head:
        """Check database, tree and guard against each other; open the log where there is none."""
        if store.head(connection) is None and not self._guard.exists():
            self._guard.keep(self._keys.signer.sign(Tree(0, EMPTY)))
        known = self._follow_guard()
        head = opening.inspect(connection, self.signer.name, (known, self._floor))
        if head is None:
            self._head = self._begin(connection, self.signer.name)
            if not connection.outlasts:  # then that commit gave the right to write away
                connection.begin()
            head = self._follow(connection, store.head(connection))
        opening.settle_journal(connection, self._guard, self._keys.root, head)
        self._show(head)
        self._keep()
        return head

    def _follow_guard(self) -> Tree:
        """Return the guard's tree, and take the name under which it is signed: a log that was
        recovered goes on under another, with a tree of its own."""
        signer, note = self._guard.signed()
        if signer.name != self.signer.name:
            if shards.number(signer.name) < shards.number(self.signer.name):
                raise BadLedger(f"the guard went back from {self.signer.name} to {signer.name}")
            _log.warning("the log was recovered and goes on as %s", signer.name)
            self.signer, self.newest, self._floor = signer, None, Tree(0, EMPTY)
        return signer.read(note)

    def _begin(self, connection: Sequencer, origin: str) -> Head:
        """Write the state row and the log's first entry, `log.opened`, in one transaction."""
        empty = opening.unopened(origin)
        header = {"origin": origin, "key": self.signer.key_id.hex()}
        connection.begin()
        batch = Batch(empty, self._now(connection), self._keys.root, self._chance)
        store.write_head(connection, empty, None)
        batch.place(leaf.draft(Entry(EntryType.LOG_OPENED, header), self._chance), None)
        return self._write(connection, batch)

    def _place(self, connection: Sequencer, batch: Batch, job: Job, drafted: Draft) -> None:
        job.error, job.index = None, None
        try:
            job.index = batch.place(drafted, job.effect)
        except Outdated as outdated:
            job.error = outdated
        except Refusal as refusal:
            job.error = refusal
            if job.refused is not None:
                change = job.refused(refusal)
                instead = leaf.draft(change.entry, self._chance)
                batch.add(store.load(connection, batch.missing(instead, change.effect)))
                try:
                    batch.place(instead, change.effect)
                except (Outdated, Refusal) as second:
                    job.error = second

    def _write(self, connection: Sequencer, batch: Batch) -> Head:
        head = write(connection, batch)
        self._sent = (head, batch)
        connection.commit()
        self.wrote, self.written = True, tuple(batch.entries)
        return head

    def _acknowledge(
        self, connection: Sequencer, head: Head, batch: Batch, jobs: Sequence[Job]
    ) -> None:
        """Keep the guard, and give every job its answer."""
        self._head = head
        committed = Committed(head.origin, batch.time, batch.growth, self._show(head))
        for job in jobs:
            job.committed = committed
        try:
            self._guarded(connection, batch)
        except (OSError, StorageError, BadLedger) as error:
            _log.error("the guard cannot be written: %s", error)
            self.forget()
            restricted = {restriction.index for restriction in batch.restrictions}
            for job in jobs:
                if job.index in restricted:
                    job.error = unavailable("the guard cannot be written")

    def _guarded(self, connection: Sequencer, batch: Batch) -> None:
        """Bring the guard up to date where the batch restricts, or the guard's head is old.

        Whoever does has the right to write, so that lines stand in the order of their entries with
        none left out, and no head comes after a newer one.
        """
        due = self.due()
        old = due is not None and due <= 0
        if not batch.restrictions and not old:
            return
        if connection.outlasts:
            if batch.restrictions:
                self._guard.restrict(batch.restrictions)
            if old:
                self._keep()
            return
        connection.begin()
        try:
            head = self._follow(connection, store.head(connection))
            opening.settle_journal(connection, self._guard, self._keys.root, head)
            self._show(head)
            if old:
                self._keep()
        finally:
            connection.rollback()

    def _show(self, head: Head) -> Checkpoint:
        """Return the checkpoint of a head that was checked or written by ourselves."""
        tree = Tree(head.size, head.root)
        if self.newest is None or self.newest.tree != tree:
            if self.newest is not None and self.newest.tree.size == self._kept[0]:
                self._current_until = self._clock.monotonic()
            self.newest = Checkpoint(tree, self.signer)
            self._floor = tree
        return self.newest

    def _keep(self) -> None:
        if self.newest is not None:
            self._kept = (self._kept[0], self._clock.monotonic())  # also when it fails: no hurry
            self._guard.keep(self.newest.note())
            self._kept = (self.newest.tree.size, self._kept[1])
