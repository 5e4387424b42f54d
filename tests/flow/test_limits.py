"""Limits: who asks too much is told so, before anything is opened, and harms nobody else."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from tests.agency import Agency, Answer
from tests.attacks.ledger_watch import committed, nothing_written, size, standing
from tests.country import RESIDENTS, RunningCountry, running

CLIENT, AGREEMENT = 20, 30
WINDOW = 6000
"""So long that nothing comes back while the tests run."""
Register = Callable[..., Agency]


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCountry]:
    """A country with small quotas."""
    settings = {
        "GATEWAY_RATE_CLIENT": f"{CLIENT}/{WINDOW}",
        "GATEWAY_RATE_AGREEMENT": f"{AGREEMENT}/{WINDOW}",
    }
    with running(tmp_path_factory.mktemp("limits") / "demo", **settings) as started:
        yield started


@pytest.fixture
def register(country: RunningCountry, tmp_path: Path) -> Register:
    """Registers one more client of an agency, with quotas that nobody has used."""

    def registered(name: str, agency: str = "family-benefits") -> Agency:
        keys = []
        for use in ("sig", "enc"):
            key = ECKey.generate_key("P-256", parameters={"use": use, "kid": f"{name}-{use}"})
            keys.append(key)
        path = tmp_path / f"{name}.jwks.json"
        public = [key.as_dict(private=False) for key in keys]
        path.write_text(json.dumps({"keys": public}))
        scopes = ("--scope", "exchange.request", "--scope", "directory.read")
        added = country.run("gateway", "clients", "add", agency, name, "--jwks", str(path), *scopes)
        assert added.returncode == 0, added.stderr
        return Agency(country.gateway, name, *(key.as_dict(private=True) for key in keys))

    return registered


def asked(agency: Agency, country: RunningCountry, agreement: str = "family-allowance") -> dict:
    return {
        "agreement": agreement,
        "service": RESIDENTS,
        "subject": {"scheme": "resident-number", "value": standing(country).number},
        "fields": ["/name/family"],
        "case": "FA-2026-00042",
        "user": "clerk-4471",
    }


def all_at_once(ask: Callable[[], Answer], many: int) -> list[Answer]:
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda _: ask(), range(many)))


def test_a_flood_of_one_client_grows_no_ledger_and_leaves_another_unharmed(
    country: RunningCountry, register: Register
) -> None:
    flood, other = register("flood-1"), register("flood-2")
    before = size(country)
    body = asked(flood, country)
    with ThreadPoolExecutor(2) as pool:
        flooding = pool.submit(all_at_once, lambda: flood.post(body), 3 * CLIENT)
        calm = [other.post(body) for _ in range(5)]
        answers = flooding.result()
    assert [answer.status for answer in calm] == [200] * 5
    assert Counter(answer.status for answer in answers) == {200: CLIENT, 429: 2 * CLIENT}
    assert {one.reason for one in answers if one.status == 429} == {"quota.exceeded"}
    assert not any("exchange" in one.json for one in answers if one.status == 429)
    entries = committed(country, before)
    assert Counter(leaf["type"] for leaf in entries) == {
        "exchange.decision": CLIENT + 5,
        "exchange.release": CLIENT + 5,
    }


def test_who_is_refused_learns_when_to_come_back(
    country: RunningCountry, register: Register
) -> None:
    agency = register("told-1")
    refused = all_at_once(lambda: agency.get("/v1/services"), CLIENT + 1)
    over = next(answer for answer in refused if answer.status == 429)
    wait = int(over.headers["retry-after"])
    assert 0 < wait <= WINDOW // CLIENT
    assert over.headers["ratelimit"] == f'"client";r=0;t={wait}'
    assert over.headers["ratelimit-policy"] == (
        f'"client";q={CLIENT};w={WINDOW}, "agreement";q={AGREEMENT};w={WINDOW}'
    )
    assert over.headers["content-type"] == "application/problem+json"
    assert f"{CLIENT} times in {WINDOW} seconds" in over.json["detail"]


def test_the_clients_of_an_agency_share_an_agreement_and_no_other_agency_does(
    country: RunningCountry, register: Register
) -> None:
    name = "no-such-agreement"
    clients = [register(f"shared-{n}") for n in range(2)]
    answers = [one.post(asked(one, country, name)) for one in clients for _ in range(CLIENT)]
    told = Counter(answer.reason for answer in answers)
    assert told == {"agreement.unknown": AGREEMENT, "quota.exceeded": 2 * CLIENT - AGREEMENT}
    over = answers[-1]
    assert over.headers["ratelimit"].startswith('"agreement";r=0;t=')
    assert f"{AGREEMENT} times" in over.json["detail"]
    assert clients[1].post(asked(clients[1], country, "another")).reason == "agreement.unknown"
    stranger = register("stranger-1", "tax")
    assert stranger.post(asked(stranger, country, name)).reason == "agreement.unknown"


def test_a_quota_is_told_after_the_scope_and_before_the_body(
    country: RunningCountry, register: Register
) -> None:
    agency = register("order-1")
    spent = [agency.get("/v1/agreements") for _ in range(CLIENT)]
    assert {answer.status for answer in spent} == {200}
    with nothing_written(country):
        assert agency.post({"nothing": "right"}).reason == "quota.exceeded"
        assert agency.post(b"no JSON").reason == "quota.exceeded"
        assert agency.get("/v1/exchanges/ex_x").reason == "quota.exceeded"
        assert agency.get("/audit/log/proof/0").reason == "quota.exceeded"
        assert agency.post(asked(agency, country), DPoP="x").reason == "dpop.invalid"
        agency.held = agency.ask_token(scope="directory.read").json["access_token"]
        assert agency.post({"nothing": "right"}).reason == "scope.insufficient"
        assert agency.post(b" " * 20_000).reason == "request.too_large"


def test_an_agreements_quota_is_told_before_what_else_is_wrong_with_the_body(
    country: RunningCountry, register: Register
) -> None:
    clients = [register(f"before-{n}") for n in range(2)]
    wrong = {"agreement": "spent", "more": 1}
    told = [one.post(wrong).reason for one in clients for _ in range(CLIENT)]
    assert Counter(told) == {
        "request.malformed": AGREEMENT,
        "quota.exceeded": 2 * CLIENT - AGREEMENT,
    }


def test_a_refused_proof_is_used_all_the_same(country: RunningCountry, register: Register) -> None:
    agency = register("proof-1")
    for _ in range(CLIENT):
        assert agency.get("/v1/services").status == 200
    headers = agency.authorization("GET", "/v1/services")
    assert agency.request("GET", "/v1/services", None, headers).reason == "quota.exceeded"
    assert agency.request("GET", "/v1/services", None, headers).reason == "dpop.replayed"
