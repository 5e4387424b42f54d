"""Recovering: a restored database goes on, from the database, the guard and the keys alone."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from audit.checkpoint import BadCheckpoint, Signer
from audit.disclosures import RootKey
from audit.guard import Guard
from audit.model import BadLedger, Tree
from audit.recovery import At, Loss, carry_out, examine, finish
from audit.writer import Keys
from crypto.keys import KeyRing
from gateway.recovery.restoring import Restorer, Unknown
from gateway.rooms import PATIENCE, origin
from gateway.setup.settings import Settings
from gateway.setup.storage import guard_of, make_ready
from identity.pseudonyms import Pseudonyms
from kernel.chance import SystemChance
from kernel.clock import Deadline, SystemClock
from kernel.database import open_database
from kernel.database_model import Sequencer

_LONG = 1800.0
"""Seconds that a recovery may take, which hashes every entry anew under the right to write."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asks for: only to look; an earlier checkpoint to hold the database
    against; and the restrictions, by index, that nobody can put back."""

    dry: bool = False
    checkpoint: str | None = None
    given_up: frozenset[int] = frozenset()


def recover(settings: Settings, wish: Wish, say: Say) -> None:
    """Say what was lost, and unless the wish is only to look, let the log go on.

    Everything happens under the database's lock. Raises `BadLedger` where the database is no
    beginning of the log, or where something cannot be put back and was not given up.
    """
    clock, chance = SystemClock(), SystemChance()
    if not (settings.state_dir / "keys").is_dir():  # made anew, they could not read the guard
        raise BadLedger(
            f"there are no keys in {settings.state_dir / 'keys'}: put back the gateway's own,"
            f" without which neither the guard nor the database can be read"
        )
    ring = KeyRing.open(settings.state_dir / "keys", chance, clock, settings.key_encryption_key)
    signer = Signer(origin(settings), ring.log.private)
    keys = Keys(signer, RootKey(ring.disclosure.id, ring.disclosure.value))
    identify = Pseudonyms(ring.pseudonym.value, chance).open
    make_ready(settings, Deadline.within(PATIENCE, clock))
    database = open_database(settings.database)
    try:
        guard = guard_of(settings, signer, clock)
        recovering = _Recovering(
            guard, keys, At(clock, chance), Restorer(keys.root, database, chance, identify), say
        )
        with database.sequence(Deadline.within(_LONG, clock)) as connection:
            recovering.run(connection, wish)
    finally:
        database.close(Deadline.within(PATIENCE, clock))


@dataclass(frozen=True, slots=True)
class _Recovering:
    guard: Guard
    keys: Keys
    at: At
    restorer: Restorer
    say: Say

    def run(self, connection: Sequencer, wish: Wish) -> None:
        loss = examine(connection, self.guard, self._checkpoint(wish.checkpoint))
        if loss is None:
            self.say("Nothing was lost: the database has all that the guard knows of.")
            return
        if loss.written:
            self.say("The recovery is in the database already; the guard has to follow it.")
        else:
            self._tell(loss)
        if wish.dry:
            return
        if not loss.written:
            self._write(connection, loss, wish.given_up)
        tree = finish(connection, self.guard, self.keys)
        signer, _ = self.guard.signed()
        self.say(f"The log goes on as {signer.name} with {tree.size} entries.")
        self.say(f"Its verifier key: {signer.vkey}")

    def _write(self, connection: Sequencer, loss: Loss, given_up: frozenset[int]) -> None:
        try:
            changes = self.restorer.changes(loss.restrictions, given_up)
        except Unknown as unknown:
            raise BadLedger(_unknown(unknown.indexes)) from unknown
        pauses = list(self.restorer.pauses())
        carry_out(connection, loss, [*changes, *pauses], self.keys, self.at)
        self.say(f"{len(changes)} restrictions stand again.")
        if pauses:
            self.say(
                f"{len(pauses)} consents whose uses are counted rest until their people let them"
                " run again."
            )

    def _tell(self, loss: Loss) -> None:
        left, end = loss.head.size, loss.end
        named = loss.note.partition("\n")[0]
        self.say(f"The log {named} had {end} entries; the database ends after {left}.")
        if end > left:
            self.say(f"The entries {left} to {end - 1} are lost.")
        kinds = Counter(str(line.header.get("type")) for line in loss.restrictions)
        for kind, count in sorted(kinds.items()):
            self.say(f"The guard holds of them: {count} {kind}")

    def _checkpoint(self, note: str | None) -> Tree | None:
        if note is None:
            return None
        try:
            return self.keys.signer.heir(note).read(note)
        except BadCheckpoint as error:
            raise BadLedger(f"the checkpoint is not one of this log: {error}") from error


def _unknown(indexes: tuple[int, ...]) -> str:
    listed = ", ".join(map(str, indexes))
    options = " ".join(f"--give-up {index}" for index in indexes)
    return (
        f"the guard's journal does not tell enough to put back the restrictions {listed}: find out"
        f" whom they are about, set them again afterwards, and say so with {options}"
    )
