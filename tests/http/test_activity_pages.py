"""The pages on which a person sees everything, and the officer's, through the real application."""

import csv
import io
import json
import re
import sqlite3
import zipfile
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit import person as lists
from audit.verify_evidence import verify
from consent import cases
from consent.blocks import BlockKind, blocking
from consent.cases import MAX_TEXT, MOST_OPEN
from consent.model import Kind, Means
from consent.pages import everything, officer
from gateway.people import log as people_log
from kernel.canonical import Json
from kernel.entry import EntryType
from kernel.errors import Reason, Refusal
from tests.house import URL, House, Visitor, house

NUMBERS = re.compile(r'href="/activity/([0-9]+)"')
OLDER = re.compile(r'href="(/activity\?[^"]*)" rel="next"')
HOSTILE = "<script>alert(1)</script>\"'&<b>{{ 7*7 }}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house") / "state") as opened:
        yield opened


def everything_that_can_happen(home: House, person, other) -> None:
    """Write one entry of every type that can concern a person."""
    web = Means("web", "", "low")
    home.act(Kind.GIVE, person)
    home.act(Kind.SUSPEND, person, web)
    home.act(Kind.RESUME, person, web)
    home.exchange("ex_" + person.ref[:8], person, other)
    home.refusal("ex_r" + person.ref[:8], person, "subject.not_released", "consent.withdrawn")
    home.rooms.consents.lock(person, web)
    home.rooms.consents.unlock(person, web)
    consent = {"consumer": "family-benefits", "agreement": "family-allowance"}
    for kind in EntryType:
        if kind.value.startswith("consent."):
            name = f"co_{kind.value.partition('.')[2]}{person.ref[:6]}"
            header = {**consent, "consent": name, "agreement_revision": "a" * 64}
            home.append(kind, header, [person], {"actor": {"method": "web"}})
    case = f"ca_{person.ref[:8]}"
    home.append(EntryType.CASE_OPENED, {"case": case}, [person], {"request": {"text": "x"}})
    home.append(EntryType.ACCESS_VIEW, {"case": case}, [person], {"actor": {"officer": "o"}})
    home.append(EntryType.CASE_ANSWERED, {"case": case}, [person], {"response": {"text": "y"}})
    home.append(EntryType.SUBJECT_ACCESS, {}, [person], {"actor": {"method": "web"}})


def listed(visitor: Visitor, path: str = "/activity") -> set[int]:
    """Return every number that the pages of a list link to, from the newest to the last page."""
    numbers: set[int] = set()
    while path:
        text = visitor.get(path).text
        numbers |= {int(number) for number in NUMBERS.findall(text)}
        older = OLDER.search(text)
        path = older[1].replace("&amp;", "&") if older else ""
    return numbers


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_every_entry_about_a_person_is_in_their_list_and_has_a_page(home, monkeypatch, language):
    monkeypatch.setattr(people_log, "PAGE", 5)
    person, other = home.person(), home.person()
    everything_that_can_happen(home, person, other)
    rooms = home.rooms
    entries = list(lists.activity(rooms.database.read(), rooms.root, person.ref))
    assert len({entry.header["type"] for entry in entries}) == 20
    visitor = home.visitor(person)
    visitor.language = language
    assert listed(visitor) == {entry.number for entry in entries}
    for entry in entries:
        page = visitor.get(f"/activity/{entry.number}")
        assert page.status_code == 200
        assert f'lang="{language}"' in page.text
        assert f">{entry.index}<" in page.text


def test_somebody_named_in_an_answer_about_another_sees_the_entry(home):
    asked, named = home.person(), home.person()
    home.exchange("ex_named", asked, named)
    text = home.visitor(named).get("/activity/1").text
    assert "about somebody else. The answer also names you." in text
    assert "/consents/co_1" not in text
    assert "/consents/co_1" in home.visitor(asked).get("/activity/2").text
    assert "about somebody else" not in home.visitor(asked).get("/activity/2").text


def test_what_was_asked_about_another_and_not_released_is_in_no_list_but_theirs(home):
    asked, named = home.person(), home.person()
    home.exchange("ex_held", asked, named, told=None)
    home.refusal("ex_held_2", asked, "subject.not_released")
    assert listed(home.visitor(asked)) == {1, 2}
    assert listed(home.visitor(named)) == set()


def test_what_stayed_where_it_is_stands_on_a_line_of_its_own(home):
    person, field = home.person(), "/children/*/resident_number"
    answers = {field: "exists"}
    home.exchange("ex_line", person, fields=[field], told=[field], answers=answers)
    text = home.visitor(person).get("/activity/2").text
    assert re.search(
        r"</strong> <span>about your child</span>\s*</div>\s*"
        r'<div class="small">The fact itself stayed where it is.</div>',
        text,
    )


def test_a_refusal_tells_its_person_the_exact_reason(home):
    person = home.person()
    home.refusal("ex_exact", person, "subject.not_released", "consent.withdrawn")
    text = home.visitor(person).get("/activity/1").text
    assert "Your consent had been stopped before." in text
    assert "clerk-4471" in text
    assert "FA-2026-00042" in text


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", {1, 2, 3, 4, 5}),
        ("?outcome=shared", {2, 3}),
        ("?outcome=refused", {4, 5}),
        ("?outcome=decided", {1}),
        ("?outcome=locked", set()),
        ("?agency=tax", {5}),
        ("?agency=family-benefits&outcome=refused", {4}),
        ("?agency=nobody", set()),
        ("?agency=%22%3A&outcome=refused", set()),
        ("?outcome=nonsense&before=x", {1, 2, 3, 4, 5}),
        ("?before=3", {1, 2}),
        ("?before=1", set()),
    ],
)
def test_the_list_is_looked_through_by_agency_and_by_outcome(home, query, numbers):
    person = home.person()
    home.act(Kind.GIVE, person)
    home.exchange("ex_f" + person.ref[:8], person)
    home.refusal("ex_g" + person.ref[:8], person, "case.required")
    home.refusal("ex_h" + person.ref[:8], person, "case.required", consumer="tax")
    assert listed(home.visitor(person), f"/activity{query}") == numbers


def test_the_evidence_of_an_entry_verifies_offline(home):
    person = home.person()
    home.refusal("ex_evidence", person, "case.required")
    answer = home.visitor(person).get("/activity/1/evidence")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="evidence-1.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    found = verify(answer.data, home.rooms.signer.vkey)
    assert found.number == 1
    assert home.rooms.ledger.entry(found.entry)["exchange"] == "ex_evidence"


@pytest.mark.parametrize("number", ["0", "2", "-1", "01", "1.0", "x", "9" * 40, "%D9%A1", "1%00"])
def test_a_number_that_is_not_in_the_list_is_not_found(home, number):
    person = home.person()
    home.refusal(
        "ex_n" + person.ref[:8] + sha256(number.encode()).hexdigest()[:6], person, "internal"
    )
    visitor = home.visitor(person)
    for page in ("", "/evidence", "/report"):
        assert visitor.get(f"/activity/{number}{page}").status_code == 404


def test_nobody_sees_the_entries_or_cases_of_another(home):
    mine, theirs = home.person(), home.person()
    home.refusal("ex_mine", mine, "case.required")
    for n in range(3):
        home.refusal(f"ex_theirs_{n}", theirs, "case.required")
    case = home.visitor(theirs).post("/activity/3/report", text="Theirs alone.").headers["Location"]
    me = home.visitor(mine)
    assert me.get(case).status_code == 404
    assert me.get("/activity/3").status_code == 404
    assert "ex_theirs" not in me.get("/activity/1").text
    assert case not in me.get("/cases").text
    assert b"Theirs alone" not in me.post("/download").data
    assert home.visitor(theirs).get(case).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/activity", "/activity/1", "/activity/1/evidence", "/required-by-law", "/cases", "/download"],
)
def test_a_list_is_for_its_person_alone(home, path):
    person = home.person()
    home.refusal("ex_a" + person.ref[:8] + path[-4:], person, "internal")
    assert home.visitor(person).get(path).status_code == 200
    for stranger in (Visitor(home.client, ""), home.officer()):
        answer = stranger.get(path)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, "/login")


def test_a_list_with_a_gap_is_not_shown_as_if_it_were_whole(home):
    person = home.person()
    for n in range(3):
        home.refusal(f"ex_gap_{n}", person, "internal")
    rooms = home.rooms
    with sqlite3.connect(rooms.database.path) as connection:
        connection.execute("DELETE FROM ledger_body WHERE person = ? AND number = 2", (person.ref,))
    answer = home.visitor(person).get("/activity")
    assert answer.status_code == 500
    assert "Your list is not whole" in answer.text
    assert not NUMBERS.search(answer.text)


def test_a_report_becomes_a_case_that_its_person_can_follow(home):
    person = home.person()
    home.refusal("ex_report", person, "case.required")
    visitor = home.visitor(person)
    answer = visitor.post("/activity/1/report", text="It was not me.\r\n\r\nI was away.")
    assert answer.status_code == 303
    page = visitor.get(answer.headers["Location"]).text
    assert "It was not me." in page
    assert "I was away." in page
    assert "Waits for an answer" in page
    assert 'href="/activity/1"' in page
    assert answer.headers["Location"] in visitor.get("/cases").text
    assert "You wrote to the privacy officers." in visitor.get("/activity/2").text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Write what it is about."),
        ("  \r\n ", "Write what it is about."),
        ("x" * (MAX_TEXT + 1), f"Write at most {MAX_TEXT} letters."),
        ("turned \u202e round", "Write with plain letters and signs only."),
    ],
)
@pytest.mark.parametrize(
    "path", ["/activity/1/report", "/required-by-law/child-maintenance/object"]
)
def test_a_text_that_cannot_be_kept_comes_back_with_what_is_wrong(home, path, text, words):
    person = home.person()
    home.refusal("ex_w" + person.ref[:8] + str(len(text)), person, "internal")
    answer = home.visitor(person).post(path, text=text)
    assert answer.status_code == 400
    assert answer.text.count(words) == 2
    assert text.strip()[:50] in answer.text
    assert home.cases.of(person.ref) == ()


@pytest.mark.parametrize("letter", ["x", "é", "ع", "न", "語"])
def test_a_text_as_long_as_it_may_be_is_kept_in_any_script(home, letter):
    person = home.person()
    home.act(Kind.GIVE, person)
    answer = home.visitor(person).post("/activity/1/report", text=letter * MAX_TEXT)
    assert answer.status_code == 303
    [case] = home.cases.of(person.ref)
    assert letter * MAX_TEXT in home.visitor(person).get(f"/cases/{case.id}").text


def test_too_many_open_cases_are_said_in_plain_words(home):
    person = home.person()
    home.refusal("ex_many", person, "internal")
    visitor = home.visitor(person)
    for n in range(MOST_OPEN):
        assert visitor.post("/activity/1/report", text=f"Case {n}").status_code == 303
    answer = visitor.post("/activity/1/report", text="One more")
    assert answer.status_code == 400
    assert "Too many of your cases wait for an answer." in answer.text


def test_what_a_law_requires_is_listed_and_can_be_objected_to(home):
    person = home.person()
    visitor = home.visitor(person)
    page = visitor.get("/required-by-law").text
    in_force = home.rooms.control.now()
    for agreement in in_force.agreements.values():
        shown = f"/required-by-law/{agreement.id}/object" in page
        assert shown is (agreement.basis.value == "statutory")
    assert "Child Maintenance Act" in page
    assert "§ 22" in page
    answer = visitor.post("/required-by-law/child-maintenance/object", text="Not with my address.")
    case = visitor.get(answer.headers["Location"]).text
    assert "Not with my address." in case
    assert "Child maintenance payments" in case


@pytest.mark.parametrize("agreement", ["family-allowance", "none", "%2e%2e"])
def test_nobody_objects_to_what_is_not_required_by_law(home, agreement):
    person = home.person()
    visitor = home.visitor(person)
    assert visitor.get(f"/required-by-law/{agreement}/object").status_code == 404
    path = f"/required-by-law/{agreement}/object"
    assert visitor.post(path, form="/required-by-law", text="x").status_code == 404
    assert home.cases.of(person.ref) == ()


def test_hostile_texts_are_shown_as_text(home):
    person = home.person()
    header = {"exchange": "ex_hostile", "consumer": '"><script>x</script>'.replace(" ", "")}
    said: dict[str, Json] = {
        "actor": {"client": HOSTILE, "user": HOSTILE},
        "request": {"case": HOSTILE, "fields": [HOSTILE], "service": HOSTILE},
        "response": {"reason": HOSTILE, "exact": HOSTILE},
    }
    home.append(EntryType.EXCHANGE_REFUSAL, header, [person], said)
    visitor = home.visitor(person)
    case = visitor.post("/activity/1/report", text=HOSTILE).headers["Location"]
    officer = home.officer()
    pages = [
        visitor.get(path).text
        for path in ("/activity", "/activity/1", "/activity/1/report", case, "/cases")
    ]
    pages += [officer.get("/officer").text, officer.get(f"/officer{case}").text]
    for page in pages:
        assert "<script" not in page
        assert "<b>{{" not in page
        assert ">49<" not in page
    assert "&lt;script&gt;alert(1)" in pages[1]


# The officer


def test_the_officers_look_is_in_the_persons_list_before_the_text_is_shown(home):
    person = home.person()
    home.refusal("ex_look", person, "case.required")
    case = home.visitor(person).post("/activity/1/report", text="Secret words.").headers["Location"]
    queue = home.officer("officer-2").get("/officer").text
    assert case in queue
    assert "Secret words" not in queue
    assert person.subject.value not in queue
    shown = home.officer("officer-2").get(f"/officer{case}")
    assert "Secret words." in shown.text
    assert person.subject.value not in shown.text
    entry = home.visitor(person).get("/activity/3").text
    assert "A privacy officer read your case." in entry
    assert "officer-2" in entry


class Refusing:
    """A ledger that takes nothing."""

    def append(self, *_: object) -> None:
        raise Refusal(Reason.LEDGER_UNAVAILABLE, "The ledger does not take entries now.")


def test_a_ledger_that_refuses_shows_the_officer_nothing(home, monkeypatch):
    person = home.person()
    home.refusal("ex_shut", person, "case.required")
    case = home.visitor(person).post("/activity/1/report", text="Secret words.").headers["Location"]
    monkeypatch.setattr(type(home.rooms.ledger), "append", Refusing.append)
    answer = home.officer().get(f"/officer{case}")
    assert answer.status_code == 503
    assert "Secret words" not in answer.text
    assert "case.required" not in answer.text
    assert person.subject.value not in answer.text
    assert home.visitor(person).post("/download").status_code == 503


def test_an_answer_closes_the_case_and_its_person_reads_it(home):
    person = home.person()
    home.refusal("ex_answer", person, "case.required")
    visitor, officer = home.visitor(person), home.officer()
    case = visitor.post("/activity/1/report", text="Why?").headers["Location"]
    answer = officer.post(f"/officer{case}", outcome="upheld", text="You are right.\n\nSorry.")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/officer")
    page = visitor.get(case).text
    assert "You were right" in page
    assert "You are right." in page
    assert case not in officer.get("/officer").text
    again = officer.post(f"/officer{case}", form="/officer", outcome="dismissed", text="No.")
    assert again.status_code == 409
    assert "This case was answered already" in again.text
    assert "You were right" in visitor.get(case).text


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"outcome": "upheld", "text": ""}, "Write an answer."),
        ({"outcome": "", "text": "Yes."}, "Choose what you decided."),
        ({"outcome": "open", "text": "Yes."}, "Choose what you decided."),
        ({"text": "Yes."}, "Choose what you decided."),
    ],
)
def test_an_answer_that_lacks_something_comes_back(home, members, words):
    person = home.person()
    home.refusal("ex_l" + person.ref[:10], person, "case.required")
    case = home.visitor(person).post("/activity/1/report", text="Why?").headers["Location"]
    answer = home.officer().post(f"/officer{case}", **members)
    assert answer.status_code == 400
    assert words in answer.text
    assert members["text"] in answer.text
    assert home.cases.of(person.ref)[0].state == "open"


@pytest.mark.parametrize("path", ["/officer", "/officer/cases/ca_x"])
def test_a_resident_reaches_no_page_of_an_officer(home, path):
    visitor = home.visitor(home.person())
    for cookie in (visitor.cookie, visitor.cookie.replace("resident", "officer"), ""):
        answer = Visitor(home.client, cookie).get(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/officer/login?")


def test_a_case_that_is_not_there_leaves_no_entry(home):
    size = home.rooms.ledger.size
    assert home.officer().get("/officer/cases/ca_none").status_code == 404
    assert home.rooms.ledger.size == size


def test_the_queue_shows_who_waits_longest_first_and_no_more_than_fit(home, monkeypatch):
    person = home.person()
    home.refusal("ex_queue", person, "case.required")
    visitor = home.visitor(person)
    for n in range(3):
        visitor.post("/activity/1/report", text=f"Case {n}")
    monkeypatch.setattr(officer, "MOST_SHOWN", 2)
    page = home.officer().get("/officer").text
    assert len(re.findall(r"/officer/cases/ca_", page)) == 2
    assert "There are more." in page


# The download


def downloaded(visitor: Visitor) -> zipfile.ZipFile:
    answer = visitor.post("/download")
    assert (answer.status_code, answer.content_type) == (200, "application/zip")
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    return zipfile.ZipFile(io.BytesIO(answer.data))


def test_the_download_holds_everything_and_is_in_the_list_that_it_holds(home):
    person, other = home.person(), home.person()
    everything_that_can_happen(home, person, other)
    visitor = home.visitor(person)
    case = visitor.post("/activity/1/report", text="What is this?").headers["Location"]
    home.officer().post(f"/officer{case}", outcome="answered", text="This is that.")
    file = downloaded(visitor)
    entries = json.loads(file.read("activity.json"))
    rooms = home.rooms
    kept = list(lists.activity(rooms.database.read(), rooms.root, person.ref))
    assert [one["number"] for one in entries] == [one.number for one in kept][::-1]
    assert entries[0]["header"]["type"] == "subject.access"
    told = json.loads(file.read("cases.json"))[0]
    assert (told["text"], told["answer"], told["state"]) == (
        "What is this?",
        "This is that.",
        "answered",
    )
    (record,) = json.loads(file.read("consents.json"))
    assert record["agreement"] == "family-allowance"
    receipts = {event["receipt"] for event in record["events"]}
    assert {f"receipts/{one}.jwt" for one in receipts} == {
        name for name in file.namelist() if name.startswith("receipts/")
    }
    assert b"activity.csv" in file.read("README.txt")


def test_the_manifest_is_signed_and_names_the_hash_of_every_file(home):
    person = home.person()
    home.act(Kind.GIVE, person)
    file = downloaded(home.visitor(person))
    manifest = json.loads(file.read("manifest.json"))
    names = [name for name in file.namelist() if not name.startswith("manifest.")]
    assert manifest["sha256"] == {name: sha256(file.read(name)).hexdigest() for name in names}
    assert manifest["entries"] == manifest["entries_in_the_list"] == 2
    keys = json.loads(home.client.get("/v1/receipts/keys", base_url=URL).data)["keys"]
    header, claims, signed = file.read("manifest.jwt").decode().strip().split(".")
    kid = json.loads(decoded(header))["kid"]
    public = decoded(next(key["x"] for key in keys if key["kid"] == kid))
    Ed25519PublicKey.from_public_bytes(public).verify(
        decoded(signed), f"{header}.{claims}".encode()
    )
    assert json.loads(decoded(claims)) == {**manifest, "iss": URL}
    assert json.loads(decoded(header))["typ"] == "causeway-download+jwt"


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_long_list_is_cut_and_the_file_says_so(home, monkeypatch):
    monkeypatch.setattr(everything, "MAX_ENTRIES", 3)
    person = home.person()
    for n in range(6):
        home.refusal(f"ex_long_{n}", person, "internal")
    file = downloaded(home.visitor(person))
    assert [one["number"] for one in json.loads(file.read("activity.json"))] == [7, 6, 5]
    manifest = json.loads(file.read("manifest.json"))
    assert manifest["entries_in_the_list"] == 7


@pytest.mark.parametrize(
    ("module", "limit", "words"),
    [
        (everything, "MAX_ENTRIES", "Your list has 6 entries. This file holds the newest 1."),
        (everything, "MAX_RECORDS", "You have 2 consents. This file holds the newest 1."),
        (cases, "MOST_LISTED", "You have 2 cases. This file holds the newest 1."),
    ],
)
def test_page_and_file_say_what_a_cut_download_leaves_out(home, monkeypatch, module, limit, words):
    person = home.person()
    home.act(Kind.GIVE, person)
    home.act(Kind.WITHDRAW, person)
    home.act(Kind.GIVE, person)
    visitor = home.visitor(person)
    for _ in range(2):
        visitor.post("/activity/1/report", text="What is this?")
    assert "does not hold everything" not in visitor.get("/download").text
    monkeypatch.setattr(module, limit, 1)
    assert words in visitor.get("/download").text
    assert words in downloaded(visitor).read("README.txt").decode()


def test_a_whole_download_does_not_speak_of_a_cut(home):
    file = downloaded(home.visitor(home.person()))
    assert "This file holds the newest" not in file.read("README.txt").decode()


def test_a_person_has_one_download_in_the_making_and_others_do_not_wait_for_it(home):
    person = home.person()
    first = home.visitor(person).post("/download")
    size = home.rooms.ledger.size
    again = home.visitor(person).post("/download")
    assert again.status_code == 429
    assert "Your file is being made" in again.text
    assert home.rooms.ledger.size == size, "what was not sent is not written down"
    assert downloaded(home.visitor(home.person())).testzip() is None
    first.close()
    assert downloaded(home.visitor(person)).testzip() is None


def test_a_download_that_could_not_begin_holds_nobody_up(home, monkeypatch):
    person = home.person()
    visitor = home.visitor(person)
    with monkeypatch.context() as broken:
        broken.setattr(type(home.rooms.ledger), "append", Refusing.append)
        assert visitor.post("/download").status_code == 503
    assert downloaded(visitor).testzip() is None


def test_no_cell_of_the_table_is_a_formula(home):
    person = home.person()
    header = {"exchange": "ex_csv", "consumer": "=HYPERLINK(1)", "provider": "@SUM(1)"}
    said: dict[str, Json] = {
        "request": {"fields": ["+1", "-2"], "service": "=x"},
        "response": {"reason": "case.required"},
    }
    home.append(EntryType.EXCHANGE_REFUSAL, header, [person], said)
    text = downloaded(home.visitor(person)).read("activity.csv").decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 3
    assert not [cell for row in rows for cell in row if cell.startswith(tuple("=+-@\t\r"))]
    assert "'=HYPERLINK(1)" in rows[2]
    assert "'@SUM(1)" in rows[2]


def test_the_download_is_taken_by_a_form_of_ours_only(home):
    visitor = home.visitor(home.person())
    size = home.rooms.ledger.size
    answer = home.client.post(
        "/download",
        base_url=URL,
        headers={"Cookie": visitor.cookie, "Origin": "https://elsewhere.example"},
    )
    assert answer.status_code == 400
    assert home.rooms.ledger.size == size


def test_an_authoritys_lock_is_told_as_such(home):
    person = home.person()
    home.rooms.ledger.append(*blocking(person, BlockKind.COURT, Means("authority", ""), lift=False))
    assert "An authority locked your data." in home.visitor(person).get("/activity/1").text


@pytest.mark.parametrize(
    ("language", "said"), [("en", "brought back from a copy"), ("fr", "copie le"), ("ar", "نسخة")]
)
def test_a_list_that_was_recovered_from_a_copy_does_not_claim_to_be_whole(
    home, monkeypatch, language, said
):
    visitor = home.visitor(home.person())
    visitor.language = language
    assert said not in visitor.get("/activity").text
    monkeypatch.setattr(lists, "recovered", lambda _: "2026-11-22T12:00:00.000000Z")
    assert said in visitor.get("/activity").text
    assert "This list is whole" not in visitor.get("/activity").text
