"""Cases on the real ledger: opened in the person's words, answered once, each an entry."""

import threading
from dataclasses import replace

import pytest

from audit.person import activity
from consent.cases import MAX_TEXT, MOST_OPEN, CaseKind, CaseState, CaseStore, checked
from consent.model import Declined
from identity.pseudonyms import Pseudonyms
from kernel.chance import SystemChance
from kernel.errors import Reason, Refusal
from kernel.names import Subject
from tests.contract import ledger_stage as stage
from tests.unit.consent import parts

# "I want", which needs a joiner between its halves.
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
WORDS = "I never asked for this."


class Desk:
    """A case store over a real ledger, and people with real pseudonyms."""

    def __init__(self, log):
        self.log = log
        self.names = Pseudonyms(b"p" * 32, SystemChance())
        self.store = CaseStore(log.database, log.ledger, SystemChance(), self.names.open)
        self.amina = self.person("RN-1234566")

    def person(self, value):
        subject = Subject("resident-number", value)
        return parts.Person(subject, self.names.ref(subject), self.names.seal(subject))

    def open(self, person=None, text=WORDS):
        who = person or self.amina
        return self.store.open(who, CaseKind.OBJECTION, parts.AGREEMENT, parts.AGENCY, text)

    def told(self, person=None):
        """Return what the person finds in their activity: type, header and disclosures."""
        ref = (person or self.amina).ref
        root = self.log.keys.root
        events = activity(self.log.database.read(), root, ref)
        return [(event.header["type"], event.header["case"], event.disclosures) for event in events]


@pytest.fixture
def desk(place):
    with stage.Stage(place).open() as log:
        yield Desk(log)


def test_a_case_is_opened_in_the_ledger_and_found_by_its_person(desk):
    case = desk.open()
    assert (case.kind, case.about, case.agency) == (
        CaseKind.OBJECTION,
        "family-allowance",
        "family-benefits",
    )
    assert (case.state, case.closed, case.closing) == (CaseState.OPEN, None, None)
    assert desk.log.ledger.entry(case.opening)["case"] == case.id
    assert desk.store.of(desk.amina.ref) == (case,)
    assert desk.store.one(desk.amina.ref, case.id) == case == desk.store.get(case.id)


def test_a_case_of_somebody_else_is_not_there(desk):
    case = desk.open()
    other = desk.person("RN-7654321")
    assert desk.store.one(other.ref, case.id) is None
    assert desk.store.of(other.ref) == ()
    assert desk.store.get("ca_unknown") is None


def test_an_answer_closes_the_case_and_concerns_the_person_by_name(desk):
    case = desk.open()
    closed = desk.store.answer(case, "officer-1", CaseState.UPHELD, "You are right.")
    assert desk.store.get(case.id) == closed
    assert (closed.state, closed.opening) == (CaseState.UPHELD, case.opening)
    assert closed.closing == case.opening + 1
    assert desk.log.ledger.entry(closed.closing)["type"] == "case.answered"


def test_the_words_stand_in_the_persons_activity_and_in_no_table(desk):
    case = desk.open()
    desk.store.answer(case, "officer-1", CaseState.DISMISSED, "The law asks for it.")
    told = {type_: said for type_, name, said in desk.told() if name == case.id}
    assert told["case.opened"]["request"]["text"] == WORDS
    assert told["case.answered"]["response"] == {
        "outcome": "dismissed",
        "text": "The law asks for it.",
    }
    assert told["case.answered"]["actor"] == {"officer": "officer-1"}
    stored = desk.log.site.stored()
    assert WORDS.encode() not in stored
    assert b"The law asks" not in stored
    assert b"RN-1234566" not in stored


def test_a_case_is_answered_once(desk):
    case = desk.open()
    desk.store.answer(case, "officer-1", CaseState.ANSWERED, "It was us.")
    size = desk.log.ledger.size
    with pytest.raises(Declined, match=r"policy\.denied"):
        desk.store.answer(case, "officer-2", CaseState.UPHELD, "No, it was us.")
    assert desk.log.ledger.size == size
    assert desk.store.get(case.id).state is CaseState.ANSWERED


def test_an_answer_is_a_closing_one_to_a_case_that_there_is(desk):
    case = desk.open()
    with pytest.raises(Declined):
        desk.store.answer(case, "officer-1", CaseState.OPEN, "Later.")
    with pytest.raises(Declined):
        desk.store.answer(replace(case, id="ca_unknown"), "officer-1", CaseState.UPHELD, "Yes.")
    assert desk.store.get(case.id) == case


def test_the_queue_has_those_that_wait_longest_first(desk):
    first, second = desk.open(), desk.open(desk.person("RN-7654321"))
    third = desk.open()
    assert desk.store.queue(CaseState.OPEN, 2) == (first, second)
    desk.store.answer(first, "officer-1", CaseState.UPHELD, "Yes.")
    assert desk.store.queue(CaseState.OPEN, 9) == (second, third)
    assert [case.id for case in desk.store.queue(CaseState.UPHELD, 9)] == [first.id]
    assert [case.id for case in desk.store.of(desk.amina.ref)] == [third.id, first.id]


def test_so_many_cases_of_a_person_wait_and_no_more_even_at_once(desk):
    cases = [desk.open() for _ in range(MOST_OPEN - 1)]
    refused = []

    def one_more():
        try:
            desk.open()
        except Refusal as refusal:
            refused.append(refusal.reason)

    threads = [threading.Thread(target=one_more) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [Reason.QUOTA_EXCEEDED] * 3
    desk.open(desk.person("RN-7654321"))
    desk.store.answer(cases[0], "officer-1", CaseState.UPHELD, "Yes.")
    desk.open()
    assert len(desk.store.of(desk.amina.ref)) == MOST_OPEN + 1


@pytest.mark.parametrize(
    "text",
    ["", " \n ", "x" * (MAX_TEXT + 1), "bell\a", "\ud800", "turned \u202e round", "nul\0"],
)
def test_words_that_cannot_be_kept_are_declined_by_name(desk, text):
    size = desk.log.ledger.size
    with pytest.raises(Declined):
        desk.open(text=text)
    case = desk.open()
    with pytest.raises(Declined):
        desk.store.answer(case, "officer-1", CaseState.UPHELD, text)
    assert desk.log.ledger.size == size + 1


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" No.\r\nNever. ", "No.\nNever."),
        (PERSIAN, PERSIAN),
        ("👩\u200d👧 e\u0301", "👩\u200d👧 e\u0301"),
        ("x" * MAX_TEXT, "x" * MAX_TEXT),
        ("x" + "\r\n" * (MAX_TEXT // 2) + "y", "x" + "\n" * (MAX_TEXT // 2) + "y"),
    ],
)
def test_words_in_any_script_are_kept_as_written(text, kept):
    assert checked(text) == kept


def test_nothing_that_a_person_wrote_is_in_a_case_or_a_refusal(desk):
    assert WORDS not in repr(desk.open())
    with pytest.raises(Declined) as declined:
        desk.open(text="secret" + "x" * MAX_TEXT)
    assert "secret" not in f"{declined.value!r} {declined.value.detail}"
