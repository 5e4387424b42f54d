"""Every entry is told in plain words: what happened, and why."""

import pytest

from consent.pages.detail import How, detail
from consent.pages.listing import agencies, days
from consent.pages.reasons import ABOUT_YOU, WHY, why
from consent.pages.seen import TYPES, Outcome
from consent.pages.telling import Teller, ground, plain, tag
from kernel.entry import EntryType
from kernel.errors import Exact, Reason
from tests.unit.seeing.entries import Catalogue, entry

TELLER = Teller(Catalogue(), "en")
OF_NOBODY = {
    EntryType.LOG_OPENED,
    EntryType.LOG_RECOVERED,
    EntryType.POLICY_ACTIVATED,
    EntryType.CLIENT_ADDED,
    EntryType.CLIENT_DISABLED,
    EntryType.KEY_ADDED,
    EntryType.STOP_SET,
    EntryType.STOP_LIFTED,
}
OF_PEOPLE = sorted(set(EntryType) - OF_NOBODY)


def told(seen) -> str:
    return plain(TELLER.sentence(seen))


def test_every_reason_has_words_of_its_own():
    assert set(WHY) == set(Reason)
    assert set(ABOUT_YOU) == set(Exact)
    words = [str(one) for one in (*WHY.values(), *ABOUT_YOU.values())]
    assert len(set(words)) == len(words)
    assert all(one.endswith(".") and len(one.split()) <= 20 for one in words)


@pytest.mark.parametrize("exact", Exact)
def test_the_person_reads_the_exact_reason(exact):
    assert why("subject.not_released", exact.value) == str(ABOUT_YOU[exact])


@pytest.mark.parametrize("reason", Reason)
def test_without_an_exact_reason_the_public_one_is_told(reason):
    assert why(reason.value, None) == str(WHY[reason])


@pytest.mark.parametrize(("reason", "exact"), [(None, None), ("later.reason", "later.exact")])
def test_a_reason_that_is_not_known_is_said_to_be_unknown(reason, exact):
    assert "not one that this page knows" in why(reason, exact)


def test_every_type_of_entry_is_found_under_exactly_one_outcome():
    found = [kind for kinds in TYPES.values() for kind in kinds]
    assert sorted(found) == OF_PEOPLE
    assert set(TYPES) == set(Outcome)


@pytest.mark.parametrize("kind", OF_PEOPLE)
@pytest.mark.parametrize("named", [False, True])
def test_every_type_of_entry_is_told_in_sentences(kind, named):
    seen = entry(kind, named=named)
    sentence = told(seen)
    assert sentence.endswith(".")
    assert "Something else" not in sentence
    assert "%(" not in sentence
    assert ground(seen).endswith(".")
    assert tag(seen).text
    assert detail(seen, TELLER).sentence == TELLER.sentence(seen)


def test_a_release_says_who_got_how_much_from_whom():
    seen = entry(EntryType.EXCHANGE_RELEASE, response={"fields": ["/a", "/b"]})
    assert told(seen) == "Family Benefits got 2 facts about you from Population Register."
    assert ground(seen) == "You had agreed to it."


def test_where_only_answers_travelled_it_speaks_of_answers():
    seen = entry(
        EntryType.EXCHANGE_RELEASE, response={"fields": ["/a"], "answers": {"/a": "yes_no"}}
    )
    assert told(seen) == "Family Benefits got 1 answer about you from Population Register."


def test_names_are_in_the_readers_language_and_keep_their_direction():
    seen = entry(EntryType.EXCHANGE_REFUSAL)
    sentence = Teller(Catalogue(), "fr").sentence(seen)
    assert sentence.startswith("\u2068Allocations\u2069 ")


def test_a_statutory_entry_names_the_law():
    header = {"basis": "statutory", "agreement": "tax-letters", "consumer": "tax"}
    shown = detail(entry(EntryType.EXCHANGE_RELEASE, header=header, response={}), TELLER)
    assert "A law lets them ask" in shown.why
    assert (shown.by_law, shown.law.act.text, shown.law.article) == (True, "Tax Act", "§ 14")


def test_somebody_who_is_only_named_reads_so_and_gets_no_link_to_the_consent_of_another():
    seen = entry(EntryType.EXCHANGE_RELEASE, named=True, response={"fields": ["/a"]})
    shown = detail(seen, TELLER)
    assert "about somebody else. The answer also names you." in plain(shown.sentence)
    assert "The person whom they asked about" in shown.why
    assert shown.consent is None


def test_the_facts_of_a_release_say_what_travelled():
    seen = entry(
        EntryType.EXCHANGE_RELEASE,
        request={"fields": ["/name/family", "/children/*/birth_date", "/spouse/name"]},
        response={
            "fields": ["/name/family", "/children/*/birth_date"],
            "answers": {"/name/family": "yes_no"},
        },
    )
    facts = detail(seen, TELLER).facts
    assert [(one.title.text, one.how, one.about) for one in facts] == [
        ("Family name", How.ANSWERED, "subject"),
        ("Dates of birth of your children", How.TOLD, "child"),
        ("Name of your partner", How.WITHHELD, "partner"),
    ]
    assert [one.question and one.question.text for one in facts] == [
        "Is your name known?",
        None,
        None,
    ]


def test_the_facts_of_a_refusal_were_only_asked_for():
    seen = entry(
        EntryType.EXCHANGE_REFUSAL,
        request={"fields": ["/name/family"]},
        response={"reason": "field.not_agreed", "exact": None},
    )
    assert [one.how for one in detail(seen, TELLER).facts] == [How.ASKED]


@pytest.mark.parametrize(
    ("kind", "how"),
    [(EntryType.CONSENT_GIVEN, How.ALLOWED), (EntryType.CONSENT_REQUESTED, How.ASKED)],
)
def test_the_facts_of_a_consent_come_by_service(kind, how):
    request = {"fields": {"population/residents": ["/name/family"], "tax/income": ["/total"]}}
    facts = detail(entry(kind, request=request), TELLER).facts
    assert [(one.service, one.title.text, one.how) for one in facts] == [
        ("population/residents", "Family name", how),
        ("tax/income", "/total", how),
    ]


@pytest.mark.parametrize(
    "odd", [None, 7, "x", [], [1], {"fields": 7}, {"fields": [7, {}]}, {"fields": {"s": 7}}]
)
@pytest.mark.parametrize("kind", OF_PEOPLE)
def test_disclosures_of_another_shape_are_told_without_a_fault(kind, odd):
    seen = entry(kind, actor=odd, request=odd, response=odd, input=odd, subject=odd)
    assert detail(seen, TELLER).facts == ()
    assert seen.subject is None
    assert told(seen)


@pytest.mark.parametrize("lifted", [False, True])
def test_a_lock_by_an_authority_is_not_told_as_the_persons_own(lifted):
    kind = EntryType.BLOCK_LIFTED if lifted else EntryType.BLOCK_SET
    own, court = entry(kind, request={"kind": "self"}), entry(kind, request={"kind": "court"})
    assert told(own).startswith("You ")
    assert told(court).startswith("An authority ")
    assert ground(court).startswith("It was not your own choice.")


def test_what_was_said_at_a_counter_is_told_so_with_the_clerk():
    seen = entry(EntryType.CONSENT_GIVEN, actor={"method": "counter", "clerk": "c-1"})
    shown = detail(seen, TELLER)
    assert "at a counter" in shown.why
    assert shown.clerk == "c-1"


def test_who_asked_for_which_case_is_shown():
    seen = entry(
        EntryType.EXCHANGE_RELEASE,
        actor={"client": "fb-1", "user": "clerk-4471"},
        request={"fields": [], "case": "FA-1"},
        response={},
    )
    shown = detail(seen, TELLER)
    assert (shown.client, shown.user, shown.case) == ("fb-1", "clerk-4471", "FA-1")


def test_an_agreement_that_is_gone_is_shown_by_its_name():
    shown = detail(entry(EntryType.CONSENT_GIVEN, header={"agreement": "gone"}), TELLER)
    assert (shown.agreement.text, shown.purpose, shown.law) == ("gone", None, None)
    assert "gone" in shown.sentence


def test_the_list_is_by_day_and_a_decision_stands_with_its_outcome():
    kinds = EntryType
    entries = [
        entry(kinds.EXCHANGE_RELEASE, 5, day=3, header={"exchange": "ex_2"}, response={}),
        entry(kinds.CONSENT_GIVEN, 4, day=3),
        entry(kinds.EXCHANGE_DECISION, 3, day=2, header={"exchange": "ex_2"}),
        entry(kinds.EXCHANGE_DECISION, 2, day=2, header={"exchange": "ex_1"}),
        entry(kinds.SUBJECT_ACCESS, 1, day=2),
    ]
    found = [[(row.number, row.decision) for row in day.rows] for day in days(entries, TELLER)]
    assert found == [[(5, 3), (4, None)], [(2, None), (1, None)]]


def test_no_entry_is_left_out_of_the_list():
    entries = [entry(kind, n) for n, kind in enumerate(OF_PEOPLE, 1)][::-1]
    rows = [row for day in days(entries, TELLER) for row in day.rows]
    shown = {row.number for row in rows} | {row.decision for row in rows if row.decision}
    assert shown == {seen.number for seen in entries}


def test_the_agencies_to_look_for_are_those_that_may_ask():
    assert [agency for agency, _ in agencies(Catalogue(), "en")] == ["family-benefits", "tax"]
