"""Everything that can happen to a consent, told again from the ledger alone, gives the tables."""

from dataclasses import replace

import pytest

from consent.blocks import BlockKind, blocking
from consent.cases import CaseKind, CaseState, CaseStore
from consent.model import Kind
from identity.pseudonyms import Pseudonyms
from kernel.chance import SystemChance
from kernel.names import Subject
from kernel.tables import metadata
from tests.contract import ledger_stage as stage
from tests.contract.consent_office import Office
from tests.faults.replay import Contradiction, Replay, differences, opened
from tests.unit.consent import parts

FACT = (parts.RESIDENTS, parts.FAMILY)
TOTAL = (parts.INCOME, parts.TOTAL)


class Life:
    """One person's whole life with consent, on a real ledger and with time that passes."""

    def __init__(self, log, clock):
        self.log = log
        self.clock = clock
        self.office = Office(log)
        self.names = Pseudonyms(b"p" * 32, SystemChance())
        subject = Subject("resident-number", "RN-1234566")
        self.person = parts.Person(subject, self.names.ref(subject), self.names.seal(subject))
        self.cases = CaseStore(log.database, log.ledger, SystemChance(), self.names.open)

    def act(self, act, days=0):
        self.clock.at += days * parts.DAY + 1
        return self.office.act(replace(act, person=self.person))

    def whole(self):
        """Let happen all that can: every kind of act, in and beside a consent that stands."""
        web = replace(parts.giving(FACT, TOTAL, uses=2), means=parts.PAGE, notice=parts.notice())
        self.act(parts.asking(1))
        self.act(parts.saying(Kind.DEFER))
        self.act(web)
        self.act(parts.asking(2), days=40)
        self.act(parts.saying(Kind.DEFER))
        self.act(parts.refusing())
        self.act(replace(parts.giving(), notice=parts.notice("fr")))
        self.act(parts.narrowing(FACT, TOTAL))
        self.act(parts.saying(Kind.SUSPEND))
        self.act(parts.asking(3), days=40)
        self.act(parts.saying(Kind.RESUME))
        self.act(parts.withdrawing())
        self.act(parts.saying(Kind.DEFER))
        self.act(parts.giving())
        self.act(parts.saying(Kind.REVOKE))
        self.act(parts.refusing())
        self.act(parts.asking(4), days=40)
        self.act(parts.giving(FACT))
        self.act(parts.giving())
        self.act(parts.saying(Kind.SUSPEND))
        self.act(parts.giving(TOTAL))
        self.act(parts.saying(Kind.INVALIDATE))

    def beside(self):
        """Let blocks be set and lifted, and cases be opened and answered."""
        self.office.store.lock(self.person, parts.PAGE)
        self.log.ledger.append(*blocking(self.person, BlockKind.COURT, parts.COURT, lift=False))
        self.office.store.unlock(self.person, parts.PAGE)
        first = self.cases.open(self.person, CaseKind.REPORT, "3", parts.AGENCY, "Not me.")
        self.cases.open(self.person, CaseKind.OBJECTION, parts.AGREEMENT, parts.AGENCY, "No.")
        self.cases.answer(first, "officer-1", CaseState.DISMISSED, "It was you.")

    def told(self, leaves=None):
        """Return in words where the tables are not what the ledger tells."""
        replay = Replay()
        ledger, connection = self.log.ledger, self.log.database.read()
        leaves = leaves or [ledger.entry(index) for index in range(ledger.size)]
        root = self.log.keys.root
        for entry in opened(connection, root, stage.ORIGIN, leaves):
            replay.take(entry)
        return list(differences(connection, replay)), replay

    def spoil(self, table, **change):
        """Change a row behind the ledger's back."""
        keys = metadata.tables[table].primary_key.columns.keys()
        row = dict(self.log.database.read().execute(f"SELECT * FROM {table}").fetchall()[-1])
        ((name, value),) = change.items()
        where = " AND ".join(f'"{key}" = ?' for key in keys)
        statement = f'UPDATE {table} SET "{name}" = ? WHERE {where}'
        assert self.log.site.change(statement, value, *(row[key] for key in keys)) == 1


@pytest.fixture
def life(place):
    clock = stage.Set()
    with stage.Stage(place, clock=clock).open() as log:
        yield Life(log, clock)


def test_a_whole_life_told_again_gives_the_tables(life):
    life.whole()
    life.beside()
    wrong, replay = life.told()
    assert wrong == []
    tables = replay.tables
    kinds = {row["event_type"] for row in tables["consent_event"].values()}
    assert len(kinds) == 11
    assert {row["state"] for row in tables["consent_request"].values()} == {"answered"}
    assert len(tables["consent"]) == 3
    assert len(tables["consent_receipt"]) == 22
    assert [row["kinds"] for row in tables["block"].values()] == ["court"]
    assert [row["open"] for row in tables["resident_cases"].values()] == [1]


SPOILT = [
    ("consent", "state", "ConsentGiven"),
    ("consent_event", "level", "high"),
    ("consent_receipt", "epoch", 99),
    ("consent_request", "state", "open"),
    ("consent_asked", "at", 0),
    ("consent_asking", "count", 0),
    ("notice", "language", "de"),
    ("block", "kinds", ""),
    ("resident_case", "state", "upheld"),
    ("resident_cases", "open", 0),
]


def test_a_row_that_no_entry_tells_of_is_noticed_in_every_table(life):
    life.whole()
    life.beside()
    for table, column, value in SPOILT:
        life.spoil(table, **{column: value})
    wrong, _ = life.told()
    assert {text.partition(" ")[0] for text in wrong} == {
        f"{table}.{column}" for table, column, _ in SPOILT
    }


def test_an_end_that_follows_an_end_contradicts_the_entries_before(life):
    life.act(parts.giving())
    life.act(parts.withdrawing())
    leaves = [life.log.ledger.entry(index) for index in range(life.log.ledger.size)]
    leaves[-2]["type"] = "consent.withdrawn"
    with pytest.raises(Contradiction, match="cannot become"):
        life.told(leaves)
