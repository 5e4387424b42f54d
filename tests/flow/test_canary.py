"""The canary, part of P4: no number, name or value of anybody is anywhere on the gateway's disk."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.agency import Agency
from tests.contract.loopback import answer
from tests.country import ENROLMENT, INCOME, RESIDENTS
from tests.flow.canary import ENOUGH, files_under, forms, found
from tests.flow.canary_pages import TEXTS, visits
from tests.flow.office import YEAR, Question, honest, record_of, told
from tests.flow.watched import WatchedCountry, watched_country

CASE, CLERK, COUNTER = "FA-2026-7719-QJXW", "clerk-zvbhtrq-4471", "counter-kpmwyd-12"
ASKED = {
    RESIDENTS: [
        *("/name/family", "/name/given", "/address/postcode"),
        *("/children/*/birth_date", "/children/*/resident_number"),
    ],
    INCOME: [YEAR, "/income/total"],
    ENROLMENT: ["/enrolments/*/school", "/enrolments/*/since"],
}


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[WatchedCountry]:
    """A country where nothing else happened, so that all of its files are read in seconds."""
    with watched_country(tmp_path / "demo", GATEWAY_SOURCE_TAX_TIMEOUT="60") as started:
        yield started


def test_p4_sealed_for_the_asker_no_value_of_anybody_is_on_the_disk(
    quiet: WatchedCountry, tmp_path: Path
):
    people = [quiet.consented(), quiet.resident(), quiet.resident(), quiet.resident()]
    releases(quiet, people[0])
    refusals(quiet, people[1])
    faults(quiet, people[2])
    oddities(quiet, people)
    held = visits(quiet, people[3])
    quiet.leaves(tmp_path / "log")
    document = {**quiet.document, "residents": []}
    places = held | files_under(quiet.state / "gateway", quiet.state / "logs", tmp_path / "log")
    places["demo.json"] = json.dumps(document, ensure_ascii=False).encode()
    assert any(place.endswith("gateway.log") for place in places)
    assert b"family-allowance" in held["receipt"]
    assert any(place.endswith("signin.log") for place in places)
    assert any(place.endswith(".db-wal") for place in places)
    assert found(values_of(people), places) == set()


def releases(country: WatchedCountry, resident: Any) -> None:
    agency = country.agency()
    for service, fields in ASKED.items():
        answered = agency.exchange(resident.number, service, fields, case=CASE, user=CLERK)
        assert agency.open(answered)["record"]
    by_law = {"agreement": "child-maintenance", "case": CASE, "user": CLERK}
    maintenance = country.agency("child-maintenance")
    fields = ["/name/family", "/name/given", "/address/street", "/address/postcode"]
    assert maintenance.exchange(resident.number, RESIDENTS, fields, **by_law).status == 200


def refusals(country: WatchedCountry, resident: Any) -> None:
    agency, said = country.agency(), {"case": CASE, "user": CLERK}
    for fields in (["/name/family"], ["/nationality"], [f"/{resident.family}"]):
        assert agency.exchange(resident.number, RESIDENTS, fields, **said).status in {400, 403}
    for name in (resident.number, resident.family, CASE):
        agency.exchange(resident.number, INCOME, [YEAR], **{**said, "agreement": name})
        agency.exchange(resident.number, name, [YEAR], **said)
    for act in ("give", "withdraw", "give", "list", "activity"):
        assert country.consents(act, resident, "--clerk", COUNTER).returncode == 0


def faults(country: WatchedCountry, resident: Any) -> None:
    """Have the source, and the ledger, fail with the person's values in their hands."""
    record = json.dumps(record_of(resident.number), ensure_ascii=False)
    names = f"{resident.family} {resident.given} {resident.number} {record}".encode()
    agency = country.agency("child-maintenance")

    def ask() -> int:
        fields = [YEAR, "/income/total", "/employer/name"]
        by_law = {"agreement": "child-maintenance", "case": CASE, "user": CLERK}
        return agency.exchange(resident.number, INCOME, fields, **by_law).status

    for said in (
        answer(names),
        answer(names, status="500 Oh No"),
        answer(names, content_type="text/html"),
        answer(b"", status="302 Found", extra=(f"Location: /v1/people/{resident.number}",)),
        told({**record_of(resident.number), "taxpayer": "RN-0000000"}),
        told({**record_of(resident.number), "income": [record]}),
    ):
        country.office.tells(resident.number, lambda _, said=said: said)
        assert ask() in {502, 503}
    with ExitStack() as held:

        def stop_the_ledger(question: Question) -> bytes:
            held.enter_context(country.no_writing())
            return honest(question)

        country.office.tells(resident.number, stop_the_ledger)
        assert ask() == 503
    country.office.tells(resident.number, honest)
    assert ask() == 200


def oddities(country: WatchedCountry, people: Iterable[Any]) -> None:
    """Put values where none belong: in paths, queries, headers, members, tokens and proofs."""
    agency = country.agency()
    for resident in people:
        for text in (resident.number, resident.family):
            for status in odd_requests(agency, text):
                assert status in {400, 401, 403, 404, 405, 413, 415}


def odd_requests(agency: Agency, text: str) -> Iterator[int]:
    path, ascii_text = "/v1/exchanges", text.encode("ascii", "backslashreplace").decode()
    escaped = "".join(f"%{byte:02X}" for byte in text.encode())
    yield agency.get(f"{path}/{escaped}").status
    yield agency.request("GET", f"/{escaped}?subject={escaped}").status
    yield agency.request(
        "GET", f"/v1/agreements/{escaped}", None, {"User-Agent": ascii_text}
    ).status
    yield agency.request("POST", f"{path}?subject={escaped}", text.encode()).status
    yield agency.post({text: text}).status
    yield agency.post(f'{{"agreement": "{text}"'.encode()).status
    yield agency.post(b'"' + text.encode() + b'\xff"').status
    yield agency.post(json.dumps([text] * 2000, ensure_ascii=False).encode()).status
    yield agency.post({"subject": {"scheme": text, "value": text}}).status
    yield agency.post({}, **{"Idempotency-Key": ascii_text}).status
    yield agency.post({}, **{"Content-Type": f"application/{ascii_text}"}).status
    yield agency.post({}, Authorization=f"DPoP {ascii_text}").status
    yield agency.post({}, DPoP=ascii_text).status
    yield agency.ask_token(scope=text).status
    yield agency.ask_token(client_id=text).status
    yield agency.ask_token(client_assertion=agency.assertion(sub=text)).status
    yield agency.ask_token(client_assertion=agency.assertion(aud=text, jti=text)).status


def values_of(people: Iterable[Any]) -> set[str]:
    """Return what is known of people, where it is long enough to be nothing else by chance."""
    values = {CASE, CLERK, COUNTER, *TEXTS}
    for one in people:
        values |= {one.number, one.family, one.given, one.street, one.phone or ""}
        values |= {one.birth_date.isoformat(), one.taxes.account, one.taxes.employer}
        for child in one.children:
            values |= {child.number, child.given, child.birth_date.isoformat()}
        values |= {line.school for line in one.enrolments}
        record = record_of(one.number)
        values |= {str(figure) for figure in (*record["income"].values(), *record["tax"].values())}
        values |= {record["employer"]["name"], record["bank"]["account"]}
    return {value for value in values if len(value.encode()) >= ENOUGH}


@pytest.mark.parametrize("value", ["RN-1234567", "بن عينة", "Çelebi-Žít", "710000001234567"])
def test_a_planted_value_is_found_in_every_form_and_at_every_place(value: str, tmp_path: Path):
    for form in forms(value):
        for before in range(3):
            (tmp_path / "log").write_bytes(os.urandom(1000 + before) + form + os.urandom(1000))
            assert len(found([value], files_under(tmp_path))) == 1
    (tmp_path / "log").write_bytes(os.urandom(4000))
    assert found([value], files_under(tmp_path)) == set()


def test_a_value_planted_across_the_pages_of_a_database_is_found(tmp_path: Path):
    value = "RN-1234567"
    with closing(sqlite3.connect(tmp_path / "causeway.db")) as database, database:
        database.execute("CREATE TABLE t (b BLOB)")
        for before in range(4050, 4100):
            database.execute("INSERT INTO t VALUES (?)", (bytes(before) + value.encode(),))
        database.execute("DELETE FROM t WHERE rowid > 1 AND rowid < 50")
    assert found([value], files_under(tmp_path))
