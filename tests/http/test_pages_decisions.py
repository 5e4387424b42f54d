"""Deciding in the browser: what a person picked reaches the record exactly, once, and no more."""

import pytest

from kernel.names import RequestId
from tests.attacks.ledger_watch import committed, nothing_written, size, written
from tests.country import RunningCountry
from tests.person import Page, Someone
from tests.settled import FACTS, asked_for, chosen, given, named, signed_in
from tests.vault import Vault, vault

AGENCY = "Family Benefits"
WAY_BACK = "http://127.0.0.1/applications"


@pytest.fixture(scope="module")
def tables(country: RunningCountry) -> Vault:
    """The consents as another process reads them."""
    return vault(country)


@pytest.fixture
def asked(country: RunningCountry) -> tuple[Someone, str]:
    """Somebody who is asked just now, signed in, and the request."""
    number = country.resident().number
    request = asked_for(country.agency(), number)
    return signed_in(country, number), request


def answer(browser: Someone, request: str, word: str) -> Page:
    page = browser.visit(f"/requests/{request}")
    return browser.submit(page, page.form(request), ("answer", word))


def confirm(browser: Someone, page: Page) -> Page:
    return browser.submit(page, page.form(page.path))


def test_the_question_tells_who_why_what_until_when_and_what_a_no_means(asked):
    browser, request = asked
    text = browser.visit(f"/requests/{request}").text
    for words in (
        AGENCY,
        "To decide on your family allowance",
        "Is your child registered?",
        "Only yes or no",
        "about your child",
        "Population Register",
        "Tax Administration",
        "unless you stop it before",
        "Your application is not refused.",
        "You can bring a birth certificate",
    ):
        assert words in text
    assert "School Register" not in text, "it was not asked for"


def test_the_question_names_the_case_that_the_office_asks_for(asked):
    browser, request = asked
    text = browser.visit(f"/requests/{request}").text
    assert "For their case" in text
    assert '<bdi class="code" dir="ltr">FA-2026-00042</bdi>' in text


def test_a_question_without_a_case_shows_none(country: RunningCountry):
    number = country.resident().number
    answer = country.agency().ask_consent(number, FACTS)
    page = signed_in(country, number).visit(f"/requests/{answer.json['request']}")
    assert (page.status, "For their case" in page.text) == (200, False)


@pytest.mark.parametrize(
    ("case", "shown"),
    [
        ("</bdi><script>alert(1)</script>", "&lt;/bdi&gt;&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\"onload='x'", "&#34;onload=&#39;x&#39;"),
        ("{{ 7*7 }}", "{{ 7*7 }}"),
        ("\u202eFA-1", "\u202eFA-1"),
    ],
)
def test_a_hostile_case_is_shown_as_text_and_turns_nothing_round(country, case, shown):
    number = country.resident().number
    answer = country.agency().ask_consent(number, FACTS, case=case)
    assert answer.status == 201, answer.body
    text = signed_in(country, number).visit(f"/requests/{answer.json['request']}").text
    assert f'<bdi class="code" dir="ltr">{shown}</bdi>' in text


def test_the_three_answers_look_the_same(asked):
    browser, request = asked
    page = browser.visit(f"/requests/{request}")
    values = [value for name, value in page.form(request).buttons if name == "answer"]
    assert values == ["yes", "choose", "no", "later"]
    for word in ("yes", "choose", "no"):
        assert f'<button class="button equal" type="submit" name="answer" value="{word}">' in (
            page.text
        )


def test_looking_and_checking_decide_nothing(asked, country: RunningCountry):
    browser, request = asked
    with nothing_written(country):
        for path in ("", "/choose", "/check/all", "/check/0.1.2-once", "/answered"):
            assert browser.visit(f"/requests/{request}{path}").status == 200


def test_yes_to_all_gives_what_was_asked_and_nothing_else(asked, tables, country: RunningCountry):
    browser, request = asked
    page = answer(browser, request, "yes")
    assert page.path == f"/requests/{request}/check/all"
    with written(country, "consent.given"):
        page = confirm(browser, page)
    assert page.path == f"/requests/{request}/answered"
    assert "You said yes" in page.text
    record = tables.of_request(request)
    assert record.state.value == "ConsentGiven"
    assert record.granted == {(name, field) for name, fields in FACTS.items() for field in fields}
    assert record.use_limit is None
    assert (record.valid_until - record.valid_from) == 365 * 86_400 * 1_000_000


def test_a_subset_reaches_the_record_exactly(asked, tables, country: RunningCountry):
    browser, request = asked
    page = answer(browser, request, "choose")
    assert page.path == f"/requests/{request}/choose"
    assert [name for name, _ in page.form("/choose").offered if name == "fact"] == ["fact"] * 5
    assert not [one for one in page.form("/choose").members if one[0] in {"fact", "span"}]
    page = chosen(browser, request, 0, 1, 2, span="once")
    assert page.path == f"/requests/{request}/answered"
    record = tables.of_request(request)
    assert record.granted == {
        ("population/residents", "/name/family"),
        ("population/residents", "/name/given"),
        ("population/residents", "/children/*/resident_number"),
    }
    assert record.use_limit == 1
    assert (record.valid_until - record.valid_from) == 30 * 86_400 * 1_000_000


def test_the_notice_of_the_record_is_the_page_that_was_seen(country: RunningCountry, tables):
    number = country.resident().number
    request = asked_for(country.agency(), number)
    browser = signed_in(country, number, language="fr")
    confirm(browser, browser.visit(f"/requests/{request}/check/all"))
    record = tables.of_request(request)
    notice = tables.store.notice(record.notice)
    assert record.language == notice.language == "fr"
    assert "Pour décider de votre allocation familiale" in notice.content


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ([], "Choose at least one fact"),
        ([("fact", "0"), ("fact", "1"), ("fact", "2")], "Choose for how long."),
        ([("fact", "0"), ("span", "full")], "answers nothing without"),
    ],
)
def test_a_choice_that_lacks_something_says_what(asked, country: RunningCountry, members, error):
    browser, request = asked
    page = browser.visit(f"/requests/{request}/choose")
    with nothing_written(country):
        page = browser.submit(page, page.form("/choose"), *members)
    assert page.status == 400
    assert error in page.text
    assert 'role="alert"' in page.text
    kept = [one for one in page.form("/choose").members if one[0] == "fact"]
    assert kept == [one for one in members if one[0] == "fact"], "what was ticked stays ticked"


def test_no_is_one_click_and_says_what_to_bring(asked, tables, country: RunningCountry):
    browser, request = asked
    with written(country, "consent.refused"):
        page = answer(browser, request, "no")
    assert page.path == f"/requests/{request}/answered"
    assert "You said no" in page.text
    assert "You can bring a birth certificate" in page.text
    assert named(page, "/receipts/").startswith("rc_")
    assert tables.of_request(request).state.value == "ConsentRefused"


def test_after_a_no_a_yes_is_still_possible(asked, tables):
    browser, request = asked
    page = answer(browser, request, "no")
    assert f"/requests/{request}/choose" in page.links
    page = browser.visit(f"/requests/{request}/choose")
    picked = [("fact", "0"), ("fact", "1"), ("fact", "2"), ("span", "full")]
    page = confirm(browser, browser.submit(page, page.form("/choose"), *picked))
    assert "You said yes" in page.text
    assert tables.of_request(request).state.value == "ConsentGiven"


def test_later_keeps_the_question_open(asked, tables, country: RunningCountry):
    browser, request = asked
    with written(country, "consent.deferred"):
        page = answer(browser, request, "later")
    assert page.path == "/home"
    assert "Put off" in page.text
    assert f"/requests/{request}" in page.links
    assert tables.store.request(RequestId(request)).state.value == "open"
    assert "You said yes" in confirm(browser, answer(browser, request, "yes")).text


def test_sending_twice_decides_once(asked, country: RunningCountry):
    browser, request = asked
    check = answer(browser, request, "yes")
    members = check.form(check.path).members
    before = size(country)
    first, second = (browser.follow(browser.post(check.path, members)) for _ in range(2))
    assert first.path == second.path == f"/requests/{request}/answered"
    assert named(first, "/receipts/") == named(second, "/receipts/")
    assert [leaf["type"] for leaf in committed(country, before)] == ["consent.given"]


def test_an_answer_that_was_given_leads_to_what_was_said(asked, country: RunningCountry):
    browser, request = asked
    form = browser.visit(f"/requests/{request}").form(request)
    confirm(browser, answer(browser, request, "yes"))
    with nothing_written(country):
        for path in ("", "/check/all"):
            assert browser.visit(f"/requests/{request}{path}").path.endswith("/answered")
        for word in ("yes", "no", "later", "choose"):
            page = browser.follow(
                browser.post(f"/requests/{request}", [*form.members, ("answer", word)])
            )
            assert "You said yes" in page.text
        assert browser.visit(f"/requests/{request}/choose").status == 404


def test_giving_needs_a_stronger_sign_in_and_keeps_the_choice(country: RunningCountry, tables):
    number = country.resident().number
    request = asked_for(country.agency(), number)
    browser = Someone(country.gateway)
    browser.sign_in(number, level="low")
    check = f"/requests/{request}/check/0.1.2-once"
    page = browser.visit(check)
    assert "You sign in once more" in page.text
    with nothing_written(country):
        page = confirm(browser, page)
        assert page.url.startswith(country.document["signin"])
        signed = (("person", number), ("level", "substantial"), ("answer", "yes"))
        page = browser.submit(page, page.form("/authorize"), *signed)
    assert page.path == check, "back at the choice, which stands"
    assert "You said yes" in confirm(browser, page).text
    record = tables.of_request(request)
    assert (record.use_limit, len(record.granted)) == (1, 3)
    assert tables.store.events(record.id)[-1].level == "substantial"


def test_refusing_needs_no_stronger_sign_in(country: RunningCountry):
    number = country.resident().number
    request = asked_for(country.agency(), number)
    browser = Someone(country.gateway)
    browser.sign_in(number, level="low")
    with written(country, "consent.refused"):
        assert "You said no" in answer(browser, request, "no").text


def test_the_way_back_is_the_agencys_own_registered_address(country: RunningCountry):
    agency, number = country.agency(), country.resident().number
    told = agency.ask_consent(number, FACTS, return_url=WAY_BACK)
    assert told.status == 201, told.body
    browser = signed_in(country, number)
    page = confirm(browser, answer(browser, told.json["request"], "yes"))
    assert [one for one in page.links if one.startswith("http")] == [WAY_BACK]


def test_without_a_registered_address_no_link_leads_away(asked):
    browser, request = asked
    page = confirm(browser, answer(browser, request, "yes"))
    assert [one for one in page.links if not one.startswith(("/", "#"))] == []


def test_what_was_asked_is_first_on_the_overview_until_it_is_answered(asked):
    browser, request = asked
    page = browser.visit("/home")
    assert "asks about you" in page.text
    assert f"/requests/{request}" in page.links
    answer(browser, request, "no")
    page = browser.visit("/home")
    assert "Nothing needs you now." in page.text
    assert "You said no to" in page.text


def test_another_persons_request_looks_like_none(asked, country: RunningCountry):
    _, request = asked
    other = signed_in(country, country.resident().number)
    token = other.visit("/home").forms[0].value("token")
    with nothing_written(country):
        for path in ("", "/choose", "/check/all", "/answered"):
            theirs, unknown = (
                other.get(f"/requests/{one}{path}") for one in (request, f"{request[:-1]}7")
            )
            assert (theirs.status, unknown.status) == (404, 404)
        members = [("token", token), ("answer", "no")]
        assert other.post(f"/requests/{request}", members).status == 404


def test_the_page_lists_what_a_person_gave(country: RunningCountry):
    number = country.resident().number
    browser = signed_in(country, number)
    consent = given(country.agency(), number, browser)["consent"]
    assert f"/consents/{consent}" in browser.visit("/consents").links
