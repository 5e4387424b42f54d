"""The gateway on PostgreSQL: the same exchange, the same race, the same proofs, and no answer while
the database is away."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.country import AGREEMENT, RESIDENTS, RunningCountry, running
from tests.postgres_server import PostgresServer, postgres_server

FAMILY = "/name/family"
PASSWORD = "opensesame"
PATIENCE = 120.0
ROUNDS, ASKERS = 1, 4


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as started:
        yield started


@pytest.fixture(scope="module")
def country(
    tmp_path_factory: pytest.TempPathFactory, server: PostgresServer
) -> Iterator[RunningCountry]:
    site = server.site()
    urls = {"GATEWAY_DATABASE_URL": site.writer, "GATEWAY_MIGRATOR_URL": site.migrator}
    with running(tmp_path_factory.mktemp("on-postgres") / "demo", 200, **urls) as started:
        yield started


def test_an_exchange_and_a_consent_from_a_process_beside_it_verify_from_outside(
    country: RunningCountry, tmp_path: Path
) -> None:
    resident, agency = country.resident(), country.agency()
    assert agency.exchange(resident.number, RESIDENTS, [FAMILY]).reason == "subject.not_released"
    given = country.consents("give", resident)
    assert given.returncode == 0, given.stderr
    answer = agency.exchange(resident.number, RESIDENTS, [FAMILY])
    assert answer.status == 200
    listed = [(one["number"], one["type"]) for one in country.activity(resident)]
    kinds = ["exchange.refusal", "consent.given", "exchange.decision", "exchange.release"]
    assert listed == list(enumerate(kinds, 1))
    leaves = country.leaves(tmp_path / "log")
    ours = [leaf["type"] for leaf in leaves if leaf.get("exchange") == answer.json["exchange"]]
    assert ours == ["exchange.decision", "exchange.release"]
    path = f"/v1/exchanges/{answer.json['exchange']}"
    found = agency.request("GET", path, None, agency.authorization("GET", path))
    assert found.json["state"] == "released"
    logs = b"".join(path.read_bytes() for path in (country.state / "logs").iterdir())
    assert PASSWORD.encode() not in logs


def test_no_release_follows_a_withdrawal_by_another_writer_however_many_race_with_it(
    country: RunningCountry, tmp_path: Path
) -> None:
    told = [race(country) for _ in range(ROUNDS)]
    leaves = country.leaves(tmp_path / "log")
    for released, withdrawn in told:
        ends = [
            (index, leaf["type"], leaf.get("exchange"))
            for index, leaf in enumerate(leaves)
            if leaf.get("consent") == withdrawn["consent"]
        ]
        after = [one for one in ends if one[0] > withdrawn["index"]]
        assert leaves[withdrawn["index"]]["type"] == "consent.withdrawn"
        assert [one for one in after if one[1] == "exchange.release"] == []
        in_the_log = {name for _, kind, name in ends if kind == "exchange.release"}
        assert in_the_log == released == {use["exchange"] for use in withdrawn["uses"]}
        assert released


def race(country: RunningCountry) -> tuple[set[str], dict]:
    """Ask about one person from several threads while a command withdraws; return the exchanges
    that were released, and what the command printed."""
    resident = country.consenting()
    released: set[str] = set()
    over = threading.Event()

    def ask() -> None:
        agency, last = country.agency(), False
        while not last:
            last = over.is_set()
            answer = agency.exchange(resident.number, RESIDENTS, [FAMILY])
            assert answer.status in {200, 403}
            assert not (last and answer.status == 200)
            if answer.status == 200:
                released.add(answer.json["exchange"])

    askers = [threading.Thread(target=ask) for _ in range(ASKERS)]
    for asker in askers:
        asker.start()
    deadline = time.monotonic() + PATIENCE
    while not released:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    done = country.consents("withdraw", resident)
    over.set()
    for asker in askers:
        asker.join()
    assert done.returncode == 0, done.stderr
    withdrawn = json.loads(done.stdout)
    assert withdrawn.get("agreement", AGREEMENT) == AGREEMENT
    return released, withdrawn


def test_without_postgresql_nothing_is_answered_and_with_it_again_everything_is(
    country: RunningCountry, server: PostgresServer, tmp_path: Path
) -> None:
    resident, agency = country.consenting(), country.agency()
    assert agency.exchange(resident.number, RESIDENTS, [FAMILY]).status == 200
    server.kill()
    refused = agency.exchange(resident.number, RESIDENTS, [FAMILY])
    assert (refused.status, refused.reason) == (503, "ledger.unavailable")
    assert agency.request("GET", "/readyz").status == 503
    server.start()
    deadline = time.monotonic() + PATIENCE
    while agency.request("GET", "/readyz").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    while (answer := agency.exchange(resident.number, RESIDENTS, [FAMILY])).status != 200:
        assert answer.status == 503
        assert time.monotonic() < deadline
        time.sleep(0.2)
    leaves = country.leaves(tmp_path / "log")
    decided, released = (
        [leaf["exchange"] for leaf in leaves if leaf["type"] == f"exchange.{kind}"]
        for kind in ("decision", "release")
    )
    assert answer.json["exchange"] in released
    assert len(set(released)) == len(released)
    assert set(released) <= set(decided)
