"""The gateway with its short-lived state in Redis: the same answers, and none without it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agency import Agency, Answer
from tests.browserless import Browser, sign_in
from tests.country import RESIDENTS, RunningCountry, running
from tests.redis_server import RedisServer, redis_server

PASSWORD = "canary-of-redis"
FAMILY = "/name/family"
PATIENCE = 120.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as started:
        started.protect(PASSWORD)
        yield started


@pytest.fixture
def country(tmp_path: Path, server: RedisServer) -> Iterator[RunningCountry]:
    url = f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0"
    with running(tmp_path / "demo", GATEWAY_REDIS_URL=url) as started:
        yield started


def consented(country: RunningCountry) -> str:
    return str(country.country.sources.people[1].number)


def again(agency: Agency, headers: dict[str, str]) -> Answer:
    return agency.request("GET", "/v1/services", None, headers)


def test_everything_short_lived_is_in_redis_and_names_nobody(
    country: RunningCountry, server: RedisServer
) -> None:
    agency, number = country.agency(), consented(country)
    assert agency.exchange(number, RESIDENTS, [FAMILY]).status == 200
    headers = agency.authorization("GET", "/v1/services")
    assert again(agency, headers).status == 200
    assert again(agency, headers).reason == "dpop.replayed"
    browser = Browser()
    assert sign_in(browser, country.gateway, number).status == 200
    with server.client() as client:
        kinds = {key.split(b":")[1] for key in client.keys("*")}
        held = b"".join(key + (client.dump(key) or b"") for key in client.keys("*"))
    assert kinds - {b"rate"} == {b"memory", b"used", b"session", b"sessions"}
    for canary in (number, agency.client_id, "family-allowance"):
        assert canary.encode() not in held
    ours = {path.name for path in (country.state / "gateway").iterdir()}
    assert not ours & {"short-lived", "sessions", "rates"}
    logs = b"".join(path.read_bytes() for path in (country.state / "logs").iterdir())
    assert PASSWORD.encode() not in logs
    told = country.run("gateway", "doctor")
    assert f"Redis 127.0.0.1:{server.port}" in told.stdout
    assert PASSWORD not in told.stdout + told.stderr


def test_without_redis_nobody_is_served_and_with_it_again_nothing_old_passes(
    country: RunningCountry, server: RedisServer
) -> None:
    agency, number = country.agency(), consented(country)
    headers = agency.authorization("GET", "/v1/services")
    assert again(agency, headers).status == 200
    assert agency.request("GET", "/readyz").json == {"ready": True, "missing": []}
    server.kill()
    refused = agency.exchange(number, RESIDENTS, [FAMILY])
    assert (refused.status, refused.reason) == (503, "state.unavailable")
    assert agency.ask_token().status == 503
    unready = agency.request("GET", "/readyz")
    assert unready.status == 503
    assert [one.partition(":")[0] for one in unready.json["missing"]] == ["state"]
    server.start()
    server.protect(PASSWORD)
    deadline = time.monotonic() + PATIENCE
    while (answer := agency.exchange(number, RESIDENTS, [FAMILY])).status != 200:
        assert answer.reason == "state.unavailable"
        assert again(agency, headers).reason in {"state.unavailable", "dpop.invalid"}
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert agency.request("GET", "/readyz").status == 200
    assert again(agency, headers).status != 200
