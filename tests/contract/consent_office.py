"""A consent store over a real ledger, and releases under what it holds."""

from consent.effects import used
from consent.store import ConsentStore
from kernel.chance import SystemChance
from kernel.clock import Micros
from tests.contract import ledger_stage as stage
from tests.unit.consent import parts

AGREED = (parts.AGREEMENT, parts.REVISION)


class Office:
    """One process's worth of parts on a directory: database, ledger, store."""

    def __init__(self, log):
        self.log = log
        self.store = ConsentStore(log.database, log.ledger, SystemChance(), log.clock)
        self.released = 0

    def act(self, act):
        return self.store.carry_out(act)

    def found(self, *, service=parts.RESIDENTS, agreed=AGREED, after=0, ref=parts.REF):
        at = Micros(self.log.clock.now() + after)
        return self.store.look_up(ref, agreed, service, at)

    def state(self, **where):
        return self.found(**where).finding.state

    def release(self, consent, *fields, service=parts.RESIDENTS, number=None):
        self.released += 1
        number = number or self.released
        one = parts.release(number, *fields, consent=consent, service=service)
        person = stage.Concerned(parts.REF, parts.AMINA.subject)
        entry = stage.release(one.exchange, person)
        return self.log.ledger.append(entry, used(one))

    def rows(self, question, *values):
        return [tuple(row) for row in self.log.database.read().execute(question, values)]

    def entries(self):
        """Return the open part of every entry about consent, in the ledger's order."""
        leaves = map(self.log.ledger.entry, range(self.log.ledger.size))
        return [leaf for leaf in leaves if leaf["type"].startswith("consent.")]
