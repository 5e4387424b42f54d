"""About the person: every reason that lies with them looks the same to the asker."""

import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest

from kernel.errors import Exact
from tests.agency import Agency
from tests.attacks.ledger_watch import DECISION, REFUSAL, RELEASE, committed, size, written
from tests.country import AGREEMENT, INCOME, SCHEME
from tests.flow.office import Office
from tests.flow.watched import WatchedCountry


def end(country: WatchedCountry, *commands: tuple[str, ...]) -> Any:
    """Return somebody after these acts at the counter."""
    resident = country.resident()
    for act, *options in commands:
        done = country.consents(act, resident, *options)
        assert done.returncode == 0, done.stderr
    return resident


def expired(country: WatchedCountry) -> Any:
    """Return somebody whose consent ended a second ago: its row is set back, as time would."""
    resident = end(country, ("give", "--valid-days", "1"))
    with closing(sqlite3.connect(country.database, isolation_level=None)) as database:
        database.execute("PRAGMA busy_timeout = 5000")
        database.execute("PRAGMA wal_autocheckpoint = 0")
        day = 86_400_000_000
        newest = "SELECT id FROM consent ORDER BY since DESC LIMIT 1"
        database.execute(
            "UPDATE consent SET valid_from = valid_from - ?, valid_until = ? "
            f"WHERE id = ({newest})",
            (2 * day, time.time_ns() // 1000 - 1_000_000),
        )
    return resident


def used_up(country: WatchedCountry, agency: Agency) -> Any:
    resident = end(country, ("give", "--uses", "1"))
    answer = agency.exchange(resident.number, INCOME, ["/income/year"])
    assert answer.status == 200
    return resident


class Nobody:
    """A number that is right in form and belongs to nobody."""

    number = "RN-0000000"


@pytest.fixture(scope="module")
def agency(odd_country: WatchedCountry) -> Agency:
    return odd_country.agency()


@pytest.fixture(scope="module")
def people(odd_country: WatchedCountry, agency: Agency) -> dict[str, Any]:
    country = odd_country
    return {
        "consent.absent, not in any register": Nobody(),
        "consent.absent": country.resident(),
        "consent.refused": end(country, ("refuse",)),
        "consent.withdrawn": end(country, ("give",), ("withdraw",)),
        "consent.exhausted": used_up(country, agency),
        "consent.field": end(country, ("give", "--field", "population/residents#/name/family")),
        "consent.expired": expired(country),
    }


def test_every_reason_about_a_person_looks_the_same(
    odd_country: WatchedCountry, odd_office: Office, agency: Agency, people: dict[str, Any]
) -> None:
    """One body but for `exchange` and `trace`, one entry each, and the office is never asked."""
    bodies, sizes = [], []
    for case, person in people.items():
        asked, before = len(odd_office.asked), size(odd_country)
        answer = agency.exchange(person.number, INCOME, ["/income/year"])
        assert (answer.status, answer.reason) == (403, "subject.not_released"), case
        assert [leaf["type"] for leaf in committed(odd_country, before)] == [REFUSAL], case
        assert len(odd_office.asked) == asked, case
        document = answer.json
        del document["exchange"], document["trace"]
        bodies.append(document)
        sizes.append((len(answer.body), sorted(answer.headers)))
    assert all(body == bodies[0] for body in bodies)
    assert len(set(map(str, sizes))) == 1


def test_no_leaf_tells_the_exact_reason(
    odd_country: WatchedCountry, agency: Agency, people: dict[str, Any]
) -> None:
    """It is a disclosure, sealed for the person and the officer; the leaf has its digest alone."""
    for case, person in people.items():
        before = size(odd_country)
        agency.exchange(person.number, INCOME, ["/income/year"])
        [leaf] = committed(odd_country, before)
        assert not any(exact.value in str(leaf) for exact in Exact), case


@pytest.mark.parametrize("exact", ["consent.absent", "consent.withdrawn", "consent.expired"])
def test_the_person_learns_the_exact_reason(
    odd_country: WatchedCountry, agency: Agency, people: dict[str, Any], exact: str
) -> None:
    number = people[exact].number
    agency.exchange(number, INCOME, ["/income/year"])
    told = odd_country.run("gateway", "consents", "activity", "--subject", f"{SCHEME}:{number}")
    assert told.returncode == 0, told.stderr
    assert exact in told.stdout.splitlines()[-1]


def test_an_optional_field_cut_for_any_reason_says_one_thing(
    odd_country: WatchedCountry, agency: Agency
) -> None:
    """A fact that was not granted is withheld, and the rest is released."""
    resident = end(odd_country, ("give", "--field", f"{INCOME}#/income/year"))
    with written(odd_country, DECISION, RELEASE):
        answer = agency.exchange(resident.number, INCOME, ["/income/year", "/income/total"])
    assert answer.json["withheld"] == [{"field": "/income/total", "reason": "field.not_consented"}]
    assert agency.open(answer)["record"] == {"income": {"year": 2025}}


def test_a_withdrawal_counts_from_the_next_request_on(
    odd_country: WatchedCountry, odd_office: Office, agency: Agency
) -> None:
    """R12: a moment later is late enough."""
    resident = end(odd_country, ("give",))
    assert agency.exchange(resident.number, INCOME, ["/income/year"]).status == 200
    withdrawn = odd_country.consents("withdraw", resident)
    assert withdrawn.returncode == 0
    asked = len(odd_office.asked_about(resident.number))
    with written(odd_country, REFUSAL):
        answer = agency.exchange(resident.number, INCOME, ["/income/year"])
    assert answer.reason == "subject.not_released"
    assert len(odd_office.asked_about(resident.number)) == asked
    assert AGREEMENT in withdrawn.args
