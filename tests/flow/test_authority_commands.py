"""What an authority does about consents and blocks, and what a clerk takes down for a person."""

import json
import subprocess
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.demo.sources import Resident
from tests.browserless import Browser, sign_in
from tests.country import AGREEMENT, ENROLMENT, INCOME, RESIDENTS, SCHEME, RunningCountry

REASON = "Order 7/26 of the <district> court."
YEAR, TOTAL = f"{INCOME}#/income/year", f"{INCOME}#/income/total"


def call(country: RunningCountry, command: str, resident: Resident, *options: str) -> Any:
    """Run a command about a resident as a process of its own, beside the running gateway."""
    who = ("--subject", f"{SCHEME}:{resident.number}")
    if command.startswith("consents "):
        who = (*who, "--agreement", AGREEMENT)
    return country.run("gateway", *command.split(), *who, *options)


def done(told: subprocess.CompletedProcess) -> Any:
    """Expect exit 0 and nothing but one JSON line; return it."""
    assert (told.returncode, told.stderr) == (0, "")
    [line] = told.stdout.splitlines()
    return json.loads(line)


def ordered(country: RunningCountry, command: str, resident: Resident, *options: str) -> Any:
    """Let an authority act, and return what is printed."""
    return done(call(country, command, resident, *options, "--officer", "o-1", "--reason", REASON))


def at_the_counter(country: RunningCountry, command: str, resident: Resident, *more: str) -> Any:
    """Let a clerk act for the resident, and return what is printed."""
    return done(call(country, command, resident, *more, "--clerk", "c-1"))


def refused(country: RunningCountry, exact: str, resident: Resident, **members: Any) -> None:
    """Expect that the next exchange is refused as all are to the asker, and exactly so within."""
    agency = country.agency(members.pop("agency", "family-benefits"))
    asked = {"service": INCOME, "fields": ["/income/year"], **members}
    answer = agency.exchange(resident.number, **asked)
    assert (answer.status, answer.reason) == (403, "subject.not_released")
    assert exact not in answer.body.decode()
    assert country.activity(resident)[-1]["disclosures"]["response"]["exact"] == exact


def released(country: RunningCountry, resident: Resident, **members: Any) -> str:
    """Expect that the next exchange is answered; return its identifier."""
    agency = country.agency(members.pop("agency", "family-benefits"))
    asked = {"service": INCOME, "fields": ["/income/year"], **members}
    answer = agency.exchange(resident.number, **asked)
    assert answer.status == 200, answer.body
    return answer.json["exchange"]


def pages(country: RunningCountry, resident: Resident, *numbers: int) -> list[str]:
    """Return the resident's own list, and these entries of it, as the pages tell them."""
    browser = Browser()
    listed = sign_in(browser, country.gateway, resident.number, "/activity").body
    urls = (f"{country.gateway}/activity/{number}" for number in numbers)
    told = (listed, *(browser.get(url).body for url in urls))
    return [text.replace("\u2068", "").replace("\u2069", "") for text in told]


@pytest.mark.parametrize(
    ("act", "state", "type_", "told"),
    [
        ("revoke", "ConsentRevoked", "consent.revoked", "An authority ended your consent for"),
        ("invalidate", "ConsentInvalidated", "consent.invalidated", "is no longer valid"),
    ],
)
def test_an_authority_ends_a_consent_and_its_reason_is_for_the_person_alone(
    country: RunningCountry, tmp_path, act: str, state: str, type_: str, told: str
) -> None:
    resident = country.consenting()
    exchange = released(country, resident)
    ended = ordered(country, f"consents {act}", resident)
    assert (ended["state"], [use["exchange"] for use in ended["uses"]]) == (state, [exchange])
    refused(country, "consent.withdrawn", resident)

    entry = next(one for one in country.activity(resident) if one["index"] == ended["index"])
    assert (entry["type"], entry["consent"]) == (type_, ended["consent"])
    assert entry["disclosures"]["request"] == {"act": act, "reason": REASON}
    assert entry["disclosures"]["actor"] == {"method": "authority", "clerk": "o-1"}
    leaf = country.leaves(tmp_path)[ended["index"]]
    assert leaf["type"] == type_
    assert "court" not in json.dumps(leaf)

    listed, page, later = pages(country, resident, entry["number"], entry["number"] + 1)
    assert told in listed
    assert told in page
    assert "It was not your own choice." in page
    assert "Order 7/26 of the &lt;district&gt; court." in page
    assert "o-1" in page
    assert "Your consent had been stopped before." in later
    twice = call(country, f"consents {act}", resident, "--officer", "o-1", "--reason", "Twice.")
    assert twice.stderr == f"There is no consent to {act}.\n"


def test_at_a_counter_a_person_pauses_and_goes_on(country: RunningCountry) -> None:
    resident = country.consenting()
    exchange = released(country, resident)
    paused = at_the_counter(country, "consents suspend", resident)
    assert paused["state"] == "ConsentSuspended"
    assert [use["exchange"] for use in paused["uses"]] == [exchange]
    refused(country, "consent.suspended", resident)
    assert at_the_counter(country, "consents resume", resident)["state"] == "ConsentGiven"
    released(country, resident)

    entries = {one["type"]: one for one in country.activity(resident)}
    numbers = [entries[kind]["number"] for kind in ("consent.suspended", "consent.resumed")]
    assert entries["consent.suspended"]["disclosures"]["actor"]["method"] == "counter"
    _, pause, again = pages(country, resident, *numbers)
    assert "You paused your consent for Family Benefits" in pause
    assert "You said so at a counter" in pause
    assert "c-1" in pause
    assert "You ended the pause for Family Benefits" in again


def test_at_a_counter_a_person_takes_facts_away_and_keeps_the_others(
    country: RunningCountry,
) -> None:
    resident = country.consenting()
    alone = call(country, "consents narrow", resident, "--clerk", "c-1", "--drop", YEAR)
    assert (alone.returncode, alone.stdout) == (1, "")
    assert "Without /income/year, tax/income can answer nothing" in alone.stderr
    narrowed = at_the_counter(country, "consents narrow", resident, "--drop", YEAR, "--drop", TOTAL)
    assert narrowed["state"] == "ConsentGiven"
    refused(country, "consent.field", resident)
    released(country, resident, service=RESIDENTS, fields=["/name/family"])

    entry = next(one for one in country.activity(resident) if one["type"] == "consent.narrowed")
    assert INCOME not in entry["disclosures"]["request"]["fields"]
    assert ENROLMENT in entry["disclosures"]["request"]["fields"]
    again = call(country, "consents narrow", resident, "--clerk", "c-1", "--drop", YEAR)
    assert again.stderr == f"{YEAR} is not shared under this consent.\n"


def test_a_block_stops_everything_also_what_a_law_allows_until_the_last_is_lifted(
    country: RunningCountry,
) -> None:
    resident = country.consenting()
    law = {"agency": "child-maintenance", "agreement": "child-maintenance",
           "service": RESIDENTS, "fields": ["/name/family"]}  # fmt: skip
    released(country, resident, **law)
    first = ordered(country, "blocks set", resident, "--kind", "court")
    assert (first["kind"], first["state"]) == ("court", "set")
    refused(country, "subject.blocked", resident)
    refused(country, "subject.blocked", resident, **law)
    ordered(country, "blocks set", resident, "--kind", "protected")
    listed = call(country, "blocks list", resident).stdout.splitlines()
    assert [json.loads(line)["kind"] for line in listed] == ["court", "protected"]

    lifted = ordered(country, "blocks lift", resident, "--kind", "court")
    assert (lifted["kind"], lifted["state"]) == ("court", "lifted")
    refused(country, "subject.blocked", resident, **law)
    ordered(country, "blocks lift", resident, "--kind", "protected")
    released(country, resident)
    released(country, resident, **law)
    assert call(country, "blocks list", resident).stdout == ""

    entries = country.activity(resident)
    begun = next(one for one in entries if one["index"] == first["index"])
    ended = next(one for one in entries if one["index"] == lifted["index"])
    assert begun["disclosures"]["request"] == {"kind": "court", "reason": REASON}
    _, begin, end = pages(country, resident, begun["number"], ended["number"])
    assert "An authority locked your data." in begin
    assert "Order 7/26 of the" in begin
    assert "An authority unlocked your data." in end


def test_at_a_counter_a_person_locks_everything_and_lifts_no_block_but_their_own(
    country: RunningCountry,
) -> None:
    resident = country.consenting()
    locked = at_the_counter(country, "blocks lock", resident)
    assert (locked["kind"], locked["state"]) == ("self", "set")
    ordered(country, "blocks set", resident, "--kind", "restriction")
    assert at_the_counter(country, "blocks unlock", resident)["state"] == "lifted"
    refused(country, "subject.blocked", resident)
    assert call(country, "blocks unlock", resident, "--clerk", "c-1").returncode == 1

    [entry] = [one for one in country.activity(resident) if one["index"] == locked["index"]]
    assert entry["disclosures"]["actor"] == {"method": "counter", "clerk": "c-1"}
    _, page = pages(country, resident, entry["number"])
    assert "You locked your data." in page
    assert "You said so at a counter" in page


def test_where_there_is_nothing_to_do_the_answer_is_no(country: RunningCountry) -> None:
    resident = country.resident()
    order, clerk = ("--officer", "o-1", "--reason", REASON), ("--clerk", "c-1")
    court = ("--kind", "court")
    cases = [
        ("consents revoke", order, "no consent to revoke"),
        ("consents narrow", (*clerk, "--drop", YEAR), "no consent to narrow"),
        ("consents resume", clerk, "no consent to resume"),
        ("blocks lift", (*order, *court), "Nothing is locked"),
    ]
    for command, options, words in cases:
        told = call(country, command, resident, *options)
        assert (told.returncode, told.stdout) == (1, ""), command
        assert words in told.stderr
        assert len(told.stderr.splitlines()) == 1
        assert resident.number not in told.stderr
    assert country.activity(resident) == []


def test_a_law_is_no_consent_that_an_authority_could_end(country: RunningCountry) -> None:
    order = ("--officer", "o-1", "--reason", REASON, "--agreement", "child-maintenance")
    told = country.run("gateway", "consents", "invalidate", "--all", *order)
    assert (told.returncode, told.stdout) == (1, "")
    assert "rests on a law" in told.stderr
    order = (*order[:-1], "no-such-agreement")
    told = country.run("gateway", "consents", "invalidate", "--all", *order)
    assert (told.returncode, told.stdout) == (2, "")
    assert "--agreement" in told.stderr


WHO = ["--subject", f"{SCHEME}:RN-0000000"]
UNDER = [*WHO, "--agreement", AGREEMENT]
ORDER = ["--officer", "o-1", "--reason", REASON]
REVOKE = ["consents", "revoke", *UNDER]
BLOCK = ["blocks", "set", *WHO]
WRONG = {
    "no reason": [*REVOKE, "--officer", "o-1"],
    "an empty reason": [*REVOKE, "--officer", "o-1", "--reason", " \n "],
    "a reason without an end": [*REVOKE, "--officer", "o-1", "--reason", "x" * 501],
    "a reason that turns around": [*REVOKE, "--officer", "o-1", "--reason", "a\u202eb"],
    "a reason that rings": [*REVOKE, "--officer", "o-1", "--reason", "a\x07b"],
    "a reason of broken bytes": [*REVOKE, "--officer", "o-1", "--reason", "a\udcffb"],
    "no officer": [*REVOKE, "--reason", REASON],
    "an empty officer": [*REVOKE, "--officer", "", "--reason", REASON],
    "an officer without an end": [*REVOKE, "--officer", "o" * 101, "--reason", REASON],
    "an officer of two lines": [*REVOKE, "--officer", "o-1\no-2", "--reason", REASON],
    "no person to revoke": ["consents", "revoke", "--agreement", AGREEMENT, *ORDER],
    "everybody revoked": [*REVOKE, *ORDER, "--all"],
    "nobody invalidated": ["consents", "invalidate", "--agreement", AGREEMENT, *ORDER],
    "one and all invalidated": ["consents", "invalidate", *UNDER, "--all", *ORDER],
    "all of any agreement": ["consents", "invalidate", "--all", *ORDER],
    "an agreement of broken bytes": ["consents", "revoke", *WHO, "--agreement", "\udcff", *ORDER],
    "an agreement without a name": ["consents", "revoke", *WHO, "--agreement", "", *ORDER],
    "no clerk": ["consents", "suspend", *UNDER],
    "an empty clerk": ["consents", "suspend", *UNDER, "--clerk", ""],
    "nothing to take away": ["consents", "narrow", *UNDER, "--clerk", "c-1"],
    "a fact that is none": ["consents", "narrow", *UNDER, "--clerk", "c-1", "--drop", "income"],
    "no kind": [*BLOCK, *ORDER],
    "a kind that is none": [*BLOCK, *ORDER, "--kind", "whim"],
    "the person's own lock": [*BLOCK, *ORDER, "--kind", "self"],
    "the person's own lock, lifted": ["blocks", "lift", *WHO, *ORDER, "--kind", "self"],
    "a lock without a clerk": ["blocks", "lock", *WHO],
    "a lock of nobody": ["blocks", "lock", "--clerk", "c-1"],
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_what_is_called_wrongly_ends_with_two_before_anything_is_opened(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_NO_SUCH_SETTING", "stops whatever opens the rooms")
    told = CliRunner().invoke(main, arguments, prog_name="python -m gateway")
    assert (told.exit_code, told.stdout) == (2, "")
    assert len(told.stderr.splitlines()) == 1
    assert "Traceback" not in told.stderr
