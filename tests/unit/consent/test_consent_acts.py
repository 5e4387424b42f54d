"""Consent acts: one entry and its effect on the rows, from what stood before."""

from dataclasses import replace

import pytest

from consent.acts import Fresh, written
from consent.changes import Seen
from consent.model import Act, Choice, Declined, Kind, Notice, Stale, State
from consent.rows import record_writes
from kernel.entry import EntryType
from kernel.names import ConsentId, ReceiptId
from tests.unit.consent import parts

FRESH = Fresh(ConsentId("co_fresh"), ReceiptId("rc_fresh"))
NOTHING = Seen(None, None)
LATER = parts.START + 2 * parts.DAY


@pytest.fixture
def tables():
    return parts.Tables()


def test_giving_makes_a_record_of_exactly_what_was_chosen(tables):
    entry, held = tables.act(parts.giving((parts.INCOME, parts.TOTAL), days=7, uses=2))
    assert entry.type is EntryType.CONSENT_GIVEN
    assert (held.id, held.state, held.term, held.epoch) == (FRESH.consent, State.GIVEN, 1, 1)
    assert held.granted == {(parts.INCOME, parts.TOTAL)}
    assert (held.valid_from, held.valid_until) == (parts.START, parts.START + 7 * parts.DAY)
    assert (held.use_limit, held.since) == (2, parts.START)
    assert (held.subject_ref, held.identifier) == (parts.REF, b"sealed identifier")


def test_the_entry_says_the_agreement_openly_and_the_words_to_those_entitled(tables):
    entry, _ = tables.act(parts.giving((parts.RESIDENTS, parts.FAMILY), days=7, uses=2))
    assert entry.header == {
        "consumer": "family-benefits",
        "agreement": "family-allowance",
        "agreement_revision": parts.REVISION,
        "purpose": "dpv:ServiceProvision",
        "basis": "consent",
        "consent": FRESH.consent,
    }
    assert entry.disclosures == {
        "actor": {"method": "counter", "clerk": "clerk-1"},
        "request": {
            "act": "give",
            "fields": {"population/residents": ["/name/family"]},
            "valid_days": 7,
            "uses": 2,
        },
        "response": {"receipt": "rc_1"},
    }
    (concerned,) = entry.concerned
    assert (concerned.ref, concerned.subject) == (parts.REF, parts.AMINA.subject)
    assert not entry.restricts
    assert not entry.control


def test_refusing_makes_a_record_that_grants_nothing(tables):
    entry, held = tables.act(parts.refusing())
    assert entry.type is EntryType.CONSENT_REFUSED
    assert entry.disclosures["request"] == {"act": "refuse"}
    assert (held.state, held.granted, held.valid_from, held.valid_until) == (
        State.REFUSED,
        frozenset(),
        parts.START,
        parts.START,
    )


def test_giving_after_a_refusal_goes_on_with_the_same_record(tables):
    tables.act(parts.refusing())
    entry, held = tables.act(parts.giving(), LATER, "co_other")
    assert entry.header["consent"] == held.id == FRESH.consent
    assert (held.state, held.epoch, held.since) == (State.GIVEN, 2, parts.START)
    assert held.valid_from == LATER


def test_giving_again_renews_the_terms_of_the_same_record(tables):
    tables.act(parts.giving(uses=1))
    narrower = parts.giving((parts.INCOME, parts.TOTAL), days=1, uses=5)
    entry, held = tables.act(narrower, LATER, "co_other")
    assert entry.type is EntryType.CONSENT_RENEWED
    assert (held.id, held.state, held.term, held.epoch) == (FRESH.consent, State.RENEWED, 2, 2)
    assert held.granted == {(parts.INCOME, parts.TOTAL)}
    assert (held.valid_from, held.valid_until) == (LATER, LATER + parts.DAY)
    assert (held.use_limit, held.since) == (5, parts.START)


def test_withdrawing_ends_the_record_and_restricts(tables):
    tables.act(parts.giving())
    entry, held = tables.act(parts.withdrawing(), LATER)
    assert entry.type is EntryType.CONSENT_WITHDRAWN
    assert entry.restricts
    assert entry.disclosures["request"] == {"act": "withdraw"}
    assert (held.id, held.state, held.epoch, held.term) == (FRESH.consent, State.WITHDRAWN, 2, 1)


@pytest.mark.parametrize("what", [parts.giving(), parts.refusing()])
def test_after_a_withdrawal_another_act_makes_a_new_record(tables, what):
    tables.act(parts.giving())
    tables.act(parts.withdrawing())
    entry, held = tables.act(what, LATER, "co_second")
    assert entry.header["consent"] == held.id == "co_second"
    assert (held.epoch, held.since) == (1, LATER)
    assert {row["state"] for row in tables.table("consent")} == {"ConsentWithdrawn", held.state}
    (slot,) = tables.table("consent_slot")
    assert slot["consent"] == "co_second"


def test_every_act_leaves_one_event_with_the_place_of_its_entry(tables):
    tables.act(parts.giving(uses=2))
    tables.act(replace(parts.giving(), means=parts.PAGE, notice=parts.notice()), LATER)
    tables.act(parts.withdrawing(), LATER + 1)
    until = LATER + 30 * parts.DAY
    same = {"consent": "co_fresh", "revision": parts.REVISION, "agency": parts.AGENCY}
    same |= {"purpose": parts.PURPOSE, "granted": record_writes(parts.record())[0].row["granted"]}
    names = ("epoch", "event_time", "event_state", "event_type", "method", "level", "index")
    names += ("valid_from", "valid_until", "use_limit", "notice", "language", "receipt")
    seen = (parts.notice().digest, "en")
    given = (parts.START, parts.START + 30 * parts.DAY, 2, None, None)
    assert tables.table("consent_event") == [
        same | dict(zip(names, values, strict=True))
        for values in [
            (1, parts.START, "ConsentGiven", "consent.given", "counter", None, 1, *given, "rc_1"),
            (
                *(2, LATER, "RenewedConsentGiven", "consent.renewed", "web", "substantial", 2),
                *(LATER, until, None, *seen, "rc_2"),
            ),
            (
                *(3, LATER + 1, "ConsentWithdrawn", "consent.withdrawn", "counter", None, 3),
                *(LATER, until, None, *seen, "rc_3"),
            ),
        ]
    ]


def test_every_event_has_a_receipt_that_leads_to_it(tables):
    tables.act(parts.refusing())
    tables.act(parts.giving())
    assert tables.table("consent_receipt") == [
        {"id": "rc_1", "consent": "co_fresh", "epoch": 1},
        {"id": "rc_2", "consent": "co_fresh", "epoch": 2},
    ]


def test_what_the_person_saw_is_kept_once_and_pinned_by_digest_and_language(tables):
    shown = parts.notice("fr")
    entry, held = tables.act(replace(parts.giving(), notice=shown))
    assert (held.notice, held.language) == (shown.digest, "fr")
    assert entry.disclosures["request"]["notice"] == {"digest": shown.digest, "language": "fr"}
    kept = {"digest": shown.digest, "language": "fr", "content": shown.content}
    assert tables.table("notice") == [kept]
    tables.act(replace(parts.giving(), notice=replace(shown, language="en")), LATER)
    assert tables.table("notice") == [kept]


def test_giving_again_at_the_counter_rests_on_no_page(tables):
    tables.act(replace(parts.giving(), notice=parts.notice()))
    _, held = tables.act(parts.giving())
    assert (held.notice, held.language) == (None, None)


def test_nobody_gives_on_a_page_without_what_it_said(tables):
    with pytest.raises(Declined) as declined:
        tables.act(replace(parts.giving(), means=parts.PAGE))
    assert declined.value.detail.startswith("Nobody gives consent on a page without a notice")
    assert tables.rows == {}


@pytest.mark.parametrize(
    "bad",
    [Notice("0" * 64, "en", "{}"), replace(parts.notice(), content="x" * (64 * 1024 + 1))],
)
def test_a_notice_is_named_by_its_content_and_of_bounded_size(tables, bad):
    with pytest.raises(ValueError, match="a notice"):
        tables.act(replace(parts.giving(), notice=bad))


def test_pausing_and_going_on_change_the_state_alone(tables):
    _, given = tables.act(parts.giving(uses=3))
    entry, paused = tables.act(parts.saying(Kind.SUSPEND), LATER)
    assert (entry.type, entry.restricts) == (EntryType.CONSENT_SUSPENDED, True)
    assert paused == replace(given, state=State.SUSPENDED, epoch=2)
    entry, again = tables.act(parts.saying(Kind.RESUME), LATER + 1)
    assert (entry.type, entry.restricts) == (EntryType.CONSENT_RESUMED, False)
    assert again == replace(given, epoch=3)


def test_narrowing_keeps_the_terms_and_what_remains(tables):
    _, given = tables.act(parts.giving(uses=3))
    entry, held = tables.act(parts.narrowing((parts.INCOME, parts.TOTAL)), LATER)
    assert (entry.type, entry.restricts) == (EntryType.CONSENT_NARROWED, True)
    assert entry.disclosures["request"] == {
        "act": "narrow",
        "fields": {"tax/income": ["/income/total"]},
    }
    assert held == replace(given, granted=frozenset({(parts.INCOME, parts.TOTAL)}), epoch=2)


def test_narrowing_a_renewed_consent_is_told_as_narrowing(tables):
    tables.act(parts.giving())
    tables.act(parts.giving())
    entry, held = tables.act(
        replace(parts.narrowing((parts.INCOME, parts.TOTAL)), notice=parts.notice())
    )
    assert (entry.type, held.state) == (EntryType.CONSENT_NARROWED, State.RENEWED)
    assert held.notice == parts.notice().digest


def test_narrowing_to_more_is_declined_and_leaves_no_trace(tables):
    tables.act(parts.giving((parts.INCOME, parts.TOTAL)))
    before = dict(tables.rows)
    with pytest.raises(Declined):
        tables.act(parts.narrowing(*parts.OFFERED))
    assert tables.rows == before


@pytest.mark.parametrize(
    ("kind", "state", "type_"),
    [
        (Kind.REVOKE, State.REVOKED, EntryType.CONSENT_REVOKED),
        (Kind.INVALIDATE, State.INVALIDATED, EntryType.CONSENT_INVALIDATED),
    ],
)
def test_another_party_or_an_authority_can_end_a_consent_for_good(tables, kind, state, type_):
    tables.act(parts.giving())
    entry, held = tables.act(parts.saying(kind), LATER)
    assert (entry.type, entry.restricts, held.state) == (type_, True, state)
    assert tables.act(parts.giving(), LATER, "co_second")[1].id == "co_second"


@pytest.mark.parametrize(
    ("kind", "means"),
    [
        *((kind, parts.SYSTEM) for kind in Kind if kind not in {Kind.REQUEST, Kind.REVOKE}),
        *((kind, parts.COURT) for kind in Kind if kind not in {Kind.REVOKE, Kind.INVALIDATE}),
        *((kind, parts.PAGE) for kind in (Kind.REQUEST, Kind.REVOKE, Kind.INVALIDATE)),
    ],
)
def test_an_act_comes_only_from_those_whose_it_is(tables, kind, means):
    tables.act(parts.giving())
    with pytest.raises(Declined) as declined:
        tables.act(replace(parts.saying(kind), means=means))
    assert declined.value.detail.endswith(f"come by {means.method}.")


def test_an_entry_about_a_consent_that_stays_names_the_agreement_that_it_was_given_to(tables):
    tables.act(parts.giving())
    later = replace(parts.TERMS, revision=parts.OTHER_REVISION)
    entry, held = tables.act(parts.saying(Kind.SUSPEND, later))
    assert entry.header["agreement_revision"] == held.revision == parts.REVISION
    entry, held = tables.act(parts.giving(terms=later))
    assert entry.header["agreement_revision"] == held.revision == parts.OTHER_REVISION


def test_an_act_says_how_sure_the_sign_in_was_and_under_which_policies_it_was_made(tables):
    entry, _ = tables.act(replace(parts.giving(), means=parts.PAGE, notice=parts.notice(), epoch=7))
    assert entry.disclosures["actor"] == {"method": "web", "clerk": "", "level": "substantial"}
    assert entry.epoch == 7


def test_a_choice_that_the_rules_decline_is_not_written():
    with pytest.raises(Declined):
        written(parts.giving(days=10_000), NOTHING, FRESH)


@pytest.mark.parametrize(
    "what",
    [
        Act(Kind.GIVE, parts.AMINA, parts.TERMS, parts.COUNTER),
        Act(Kind.REFUSE, parts.AMINA, parts.TERMS, parts.COUNTER, Choice(parts.OFFERED, 1, None)),
        Act(Kind.WITHDRAW, parts.AMINA, parts.TERMS, parts.COUNTER, Choice(parts.OFFERED, 1, 1)),
    ],
)
def test_to_give_is_to_choose_and_nothing_else_takes_a_choice(what):
    with pytest.raises(Declined, match=r"policy\.denied"):
        written(what, Seen(parts.record(), None), FRESH)


def test_an_act_on_a_record_that_was_not_there_when_it_was_made_is_stale(tables):
    first, second = (tables.write(parts.giving(), name) for name in ("co_1", "co_2"))
    tables.commit(first[1])
    with pytest.raises(Stale):
        tables.commit(second[1])
    assert [row["id"] for row in tables.table("consent")] == ["co_1"]


def test_an_act_on_a_record_that_moved_on_is_stale(tables):
    tables.act(parts.giving())
    _, withdrawal = tables.write(parts.withdrawing())
    _, renewal = tables.write(parts.giving())
    tables.commit(renewal)
    with pytest.raises(Stale):
        tables.commit(withdrawal)
    assert tables.current().state is State.RENEWED


def test_an_act_on_a_record_that_another_replaced_is_stale(tables):
    tables.act(parts.giving())
    tables.act(parts.withdrawing())
    _, late = tables.write(parts.giving(), "co_late")
    tables.act(parts.giving(), LATER, "co_second")
    with pytest.raises(Stale):
        tables.commit(late)
    assert tables.current().id == "co_second"


@pytest.mark.parametrize("lost", ["slot", "record"])
def test_an_act_on_rows_that_are_gone_is_stale(tables, lost):
    seen = parts.record()
    record_write, slot_write = record_writes(seen)
    tables.put([slot_write] if lost == "record" else [record_write])
    with pytest.raises(Stale):
        tables.commit(written(parts.withdrawing(), Seen(seen, None), FRESH)[1])


def test_nothing_of_a_person_is_shown_by_an_act():
    assert "RN-1234566" not in f"{parts.giving()!r} {parts.AMINA!r}"
