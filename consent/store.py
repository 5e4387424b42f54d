"""Consent store: reads the records, and carries out what people decide, each one ledger entry."""

from consent.acts import AUTHORITY, Fresh, written
from consent.blocks import BlockKind, Order, blocking
from consent.model import Acknowledgement, Act, Declined, Means, Overtaken, Person, Stale
from consent.reading import Reading
from consent.words import MAX_REASON, checked
from kernel.chance import Chance
from kernel.clock import Clock
from kernel.database import Database
from kernel.entry import Ledger, Logged
from kernel.names import ConsentId, ReceiptId

TRIES = 5


class ConsentStore(Reading):
    """The consents of everybody, each change of them one ledger entry."""

    def __init__(self, database: Database, ledger: Ledger, chance: Chance, clock: Clock) -> None:
        """Take the database to read, the ledger to write, a source of identifiers, and a clock."""
        super().__init__(database, clock)
        self._ledger = ledger
        self._chance = chance

    def carry_out(self, act: Act) -> Acknowledgement:
        """Write an act down and return its acknowledgement, which lists every use before it.

        Raises `Declined` where the consent rules say no, `Refusal` (`quota.exceeded`) where an
        agency asks too soon or too much, and `Outdated` as the ledger does. After a withdrawal
        is acknowledged no later use of that record commits (P2).
        """
        for _ in range(TRIES - 1):
            try:
                return self._once(act)
            except Stale:  # somebody else changed the record in between: look again
                continue
        return self._once(act)

    def _once(self, act: Act) -> Acknowledgement:
        fresh = Fresh(
            ConsentId(self._chance.identifier("co")), ReceiptId(self._chance.identifier("rc"))
        )
        seen = self._seen(act.person.ref, act.terms.agreement)
        held = seen.record
        if act.after is not None and (held is None or (held.id, held.epoch) != act.after):
            raise Overtaken
        entry, effect = written(act, seen, fresh)
        logged = self._ledger.append(entry, effect)
        done = self.receipt(fresh.receipt)
        if done is None:
            raise LookupError("the ledger acknowledged an act that the tables do not hold")
        return Acknowledgement(
            consent=done.consent,
            state=done.state,
            at=logged.time,
            index=logged.index,
            uses=self.uses(done.consent),
            receipt=done.receipt,
        )

    def lock(self, person: Person, means: Means) -> Logged:
        """Lock everything about a person on their own word."""
        return self._block(person, BlockKind.SELF, means, lift=False)

    def unlock(self, person: Person, means: Means) -> Logged:
        """Lift the person's own lock and no other block."""
        return self._block(person, BlockKind.SELF, means, lift=True)

    def ordered(self, person: Person, order: Order) -> Logged:
        """Set or lift a block on an authority's word; the person's own lock is not theirs."""
        if order.kind is BlockKind.SELF:
            raise Declined("The person's own lock is for the person alone.")
        means, reason = Means(AUTHORITY, order.officer), checked(order.reason, MAX_REASON)
        return self._block(person, order.kind, means, lift=order.lift, reason=reason)

    def _block(
        self,
        person: Person,
        kind: BlockKind,
        means: Means,
        *,
        lift: bool,
        reason: str | None = None,
    ) -> Logged:
        for _ in range(TRIES):
            if (kind in self.blocks(person.ref)) is not lift:
                raise Declined("Nothing is locked." if lift else "This is locked already.")
            try:
                return self._ledger.append(*blocking(person, kind, means, lift=lift, reason=reason))
            except Stale:  # somebody else did so in between: look again
                continue
        raise Stale
