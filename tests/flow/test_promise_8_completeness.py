"""P8, you see everything: every release and every refusal about a person is in that person's list,
numbered without gaps."""

import json
from pathlib import Path

from tests.agency import Answer
from tests.country import ENROLMENT, INCOME, RESIDENTS
from tests.flow.office import TOTAL, YEAR, Question, told
from tests.flow.watched import WatchedCountry

NAME, REGISTERED = "/name/family", "/children/*/resident_number"


def test_p8_you_see_everything_every_release_and_every_refusal_is_numbered_without_gaps(
    watched: WatchedCountry, tmp_path: Path
):
    resident = watched.resident()
    answers = story(watched, resident)
    listed = watched.activity(resident)
    assert [entry["number"] for entry in listed] == list(range(1, len(listed) + 1))
    ended = {
        entry["exchange"]: (entry["type"], entry["disclosures"]["response"].get("reason"))
        for entry in listed
        if entry["type"] in {"exchange.release", "exchange.refusal"}
    }
    assert ended == {answer.json["exchange"]: outcome(answer) for answer in answers}
    mine = {entry["consent"] for entry in listed if "consent" in entry}
    exported = [
        index
        for index, leaf in enumerate(watched.leaves(tmp_path / "log"))
        if leaf.get("exchange") in ended or leaf.get("consent") in mine
    ]
    assert [entry["index"] for entry in listed] == exported


def test_p8_you_see_everything_who_asked_for_what_and_why_not(watched: WatchedCountry):
    resident = watched.resident()
    answer = watched.agency().exchange(
        resident.number, RESIDENTS, [NAME, "/nationality"], case="FA-1", user="clerk-1"
    )
    [entry] = watched.activity(resident)
    assert (entry["exchange"], entry["number"]) == (answer.json["exchange"], 1)
    assert (entry["consumer"], entry["agreement"]) == ("family-benefits", "family-allowance")
    disclosed = entry["disclosures"]
    assert disclosed["actor"] == {"client": "family-benefits-1", "user": "clerk-1"}
    assert disclosed["request"]["fields"] == [NAME, "/nationality"]
    assert disclosed["request"]["case"] == "FA-1"
    assert disclosed["response"] == {"reason": "field.not_agreed", "exact": None}
    assert disclosed["subject"]["value"] == resident.number


def test_p8_you_see_everything_also_the_exact_reason_that_the_asker_is_not_told(
    watched: WatchedCountry,
):
    resident, agency = watched.consented(), watched.agency()
    assert watched.consents("withdraw", resident).returncode == 0
    answer = agency.exchange(resident.number, INCOME, [YEAR])
    assert b"withdrawn" not in answer.body
    assert watched.activity(resident)[-1]["disclosures"]["response"] == {
        "reason": "subject.not_released",
        "exact": "consent.withdrawn",
    }


def test_p8_you_see_everything_also_what_failed_at_the_source(watched: WatchedCountry):
    resident = watched.consented()
    watched.office.tells(resident.number, somebody_else)
    answer = watched.agency().exchange(resident.number, INCOME, [YEAR])
    given, decided, refused = watched.activity(resident)
    assert [one["number"] for one in (given, decided, refused)] == [1, 2, 3]
    assert decided["exchange"] == refused["exchange"] == answer.json["exchange"]
    assert refused["disclosures"]["response"]["reason"] == answer.reason == "source.bad_answer"


def test_p8_you_see_everything_also_what_was_told_of_you_when_somebody_else_was_asked_about(
    watched: WatchedCountry,
):
    agency, resident = watched.agency(), watched.with_children(2, 3)
    answer = agency.exchange(resident.number, RESIDENTS, [NAME, REGISTERED])
    decided, released = watched.activity(resident)[-2:]
    assert (decided["type"], released["type"]) == ("exchange.decision", "exchange.release")
    for child in resident.children:
        [entry] = watched.activity(child)
        assert (entry["number"], entry["type"]) == (1, "exchange.release")
        assert entry["exchange"] == answer.json["exchange"]
        assert entry["index"] == released["index"]
        assert entry["disclosures"]["subject"]["value"] == child.number
        assert entry["disclosures"]["response"]["answers"] == {REGISTERED: "exists"}
        others = {resident.number, *(one.number for one in resident.children)} - {child.number}
        assert not [number for number in others if number in json.dumps(entry)]
    assert agency.exchange(resident.number, RESIDENTS, [NAME]).status == 200
    assert [len(watched.activity(child)) for child in resident.children] == [
        1 for _ in resident.children
    ]


def test_p8_who_is_named_in_an_answer_sees_what_was_told_of_them_and_nothing_of_the_person_asked(
    watched: WatchedCountry,
):
    agency, resident = watched.agency(), watched.with_children(2, 3)
    answer = agency.exchange(
        resident.number, RESIDENTS, [NAME, REGISTERED], case="FA-2026-7", user="clerk-1"
    )
    assert answer.status == 200
    [entry] = watched.activity(resident.children[0])
    told = entry["disclosures"]
    assert told.keys() == {"subject", "actor", "request", "response"}
    assert told["actor"]["user"] == "clerk-1"
    assert told["request"] == {
        "agreement": "family-allowance",
        "service": RESIDENTS,
        "fields": [REGISTERED],
    }
    assert told["response"] == {"fields": [REGISTERED], "answers": {REGISTERED: "exists"}}
    asked_about = watched.activity(resident)[-1]
    assert asked_about["index"] == entry["index"]
    assert asked_about["disclosures"]["request"]["case"] == "FA-2026-7"
    assert asked_about["disclosures"]["request"]["fields"] == [NAME, REGISTERED]


def test_p8_a_block_of_a_child_stops_what_an_answer_about_its_parent_would_tell_of_it(
    watched: WatchedCountry,
):
    agency, resident = watched.agency(), watched.with_children(2, 3)
    child = f"resident-number:{resident.children[0].number}"
    assert agency.exchange(resident.number, RESIDENTS, [NAME, REGISTERED]).status == 200
    order = ("--kind", "protected", "--officer", "o-1", "--reason", "Somebody is looking for it.")
    assert watched.run("gateway", "blocks", "set", "--subject", child, *order).returncode == 0
    refused = agency.exchange(resident.number, RESIDENTS, [NAME, REGISTERED])
    assert (refused.status, refused.reason) == (403, "subject.not_released")
    entry = watched.activity(resident)[-1]
    assert entry["disclosures"]["response"] == {"reason": "subject.not_released", "exact": None}
    assert agency.exchange(resident.number, RESIDENTS, [NAME]).status == 200


def story(country: WatchedCountry, resident: object) -> list[Answer]:
    """Have every kind of thing happen to a person; return the answers that opened an exchange."""
    number = resident.number
    benefits, maintenance = country.agency(), country.agency("child-maintenance")
    answers = [
        benefits.exchange(number, INCOME, [YEAR]),
        benefits.exchange(number, INCOME, [YEAR], agreement="nobody-knows-it"),
        benefits.exchange(number, INCOME, [YEAR], agreement="child-maintenance"),
        benefits.exchange(number, "tax/secrets", [YEAR]),
        benefits.exchange(number, INCOME, ["/income/weather"]),
        benefits.exchange(number, INCOME, ["/bank/account"]),
        maintenance.exchange(
            number, INCOME, [YEAR, TOTAL], agreement="child-maintenance", case=None
        ),
        maintenance.exchange(number, INCOME, [YEAR, TOTAL], agreement="child-maintenance"),
    ]
    assert country.consents("give", resident, "--uses", "2").returncode == 0
    answers += [benefits.exchange(number, INCOME, [YEAR]) for _ in range(3)]
    country.office.tells(number, somebody_else)
    answers += [
        maintenance.exchange(number, INCOME, [YEAR, TOTAL], agreement="child-maintenance"),
        benefits.exchange(number, ENROLMENT, ["/enrolments/*/since"]),
    ]
    assert country.consents("withdraw", resident).returncode == 0
    answers.append(benefits.exchange(number, RESIDENTS, [NAME]))
    said = [(answer.status, answer.json.get("reason")) for answer in answers]
    assert said == [
        (403, "subject.not_released"),
        (403, "agreement.unknown"),
        (403, "agreement.unknown"),
        (403, "service.not_agreed"),
        (400, "field.unknown"),
        (403, "field.not_agreed"),
        (400, "case.required"),
        (200, None),
        (200, None),
        (200, None),
        (403, "subject.not_released"),
        (502, "source.bad_answer"),
        (200, None),
        (403, "subject.not_released"),
    ]
    return answers


def somebody_else(question: Question) -> bytes:
    return told({"taxpayer": "RN-0000000", "income": {"year": 2025, "total": 1}})


def outcome(answer: Answer) -> tuple[str, str | None]:
    if answer.status == 200:
        return "exchange.release", None
    return "exchange.refusal", answer.reason
