"""Two hosts on one state: what happens at one counts at the other with its next request."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from gateway.policy.bundle import Bundle
from gateway.policy.control import activate
from gateway.rooms import opened, prepare
from gateway.setup.settings import Settings
from tests.agency import Answer
from tests.country import AGREEMENT, RESIDENTS
from tests.flow.watched import WatchedCountry, policies, watched_country
from tests.person import Someone
from tests.postgres_server import PostgresServer
from tests.redis_server import redis_server
from tests.serving import Host, check_ledger, exchanges, own, serving
from tests.traffic import Traffic, flowing

FIELDS = ["/name/family"]
ROUNDS = 8
BUSY = {"policy.unavailable", "ledger.unavailable"}
"""What a slow machine may answer while rules change; nothing is released by it."""
Pair = tuple[Host, Host]


@pytest.fixture(scope="module")
def on_servers(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[Pair]:
    """Two hosts on one PostgreSQL and one Redis, as in production."""
    place, site = tmp_path_factory.mktemp("two-hosts"), postgres.site()
    urls = {"GATEWAY_DATABASE_URL": site.writer, "GATEWAY_MIGRATOR_URL": site.migrator}
    with (
        redis_server(place / "redis") as redis,
        two_hosts(place / "demo", GATEWAY_REDIS_URL=redis.url, **urls) as both,
    ):
        yield both


@pytest.fixture(scope="module")
def on_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two hosts on one machine, whose ledger and short-lived state are in its files."""
    with two_hosts(tmp_path_factory.mktemp("two-hosts") / "demo") as both:
        yield both


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Pair:
    """Two hosts, one with two workers, which share the database and the short-lived state."""
    both: Pair = request.getfixturevalue(getattr(request, "param", "on_servers"))
    return both


ON_FILES_TOO = pytest.mark.parametrize("pair", ["on_servers", "on_files"], indirect=True)


@contextmanager
def two_hosts(state: Path, **settings: str) -> Iterator[Pair]:
    """Run a country with its own gateway and one more; settings name what they share."""
    with watched_country(state, **settings) as country, serving(country, "--workers", "2") as other:
        yield own(country), other


@pytest.fixture
def country(pair: Pair) -> WatchedCountry:
    return pair[0].country


@pytest.fixture
def at_once() -> Iterator[Callable[..., list[Answer]]]:
    """Have several requests made at the same moment."""
    with ThreadPoolExecutor(4) as pool:

        def all_at_once(*requests: Callable[[], Answer]) -> list[Answer]:
            together = threading.Barrier(len(requests))

            def one(request: Callable[[], Answer]) -> Answer:
                together.wait(120)
                return request()

            return list(pool.map(one, requests))

        yield all_at_once


def ask(host: Host, number: str, name: str = "family-benefits") -> Answer:
    return host.agency(name).exchange(number, RESIDENTS, FIELDS)


def browser(host: Host, cookies: dict[str, str]) -> Someone:
    """Return somebody's browser, led to this host by the proxy."""
    return Someone(host.at, cookies=dict(cookies))


def outcomes(pair: Pair, number: str) -> set[tuple[int, str]]:
    """Ask at both hosts, on connections enough for every worker."""
    agencies = [host.agency() for host in pair for _ in range(4)]
    answers = [agency.exchange(number, RESIDENTS, FIELDS) for agency in agencies]
    return {(one.status, one.json.get("reason", "")) for one in answers}


@ON_FILES_TOO
def test_of_one_proof_used_at_both_at_once_exactly_one_counts(pair: Pair, at_once) -> None:
    agencies = [host.agency() for host in pair]
    agencies[1].held, agencies[1].proof_key = agencies[0].token, agencies[0].proof_key
    for _ in range(ROUNDS):
        headers = agencies[0].authorization("GET", "/v1/services")
        answers = at_once(
            *(partial(one.request, "GET", "/v1/services", None, headers) for one in agencies)
        )
        assert sorted(one.status for one in answers) == [200, 401]
        assert {one.reason for one in answers if one.status == 401} == {"dpop.replayed"}


@ON_FILES_TOO
def test_of_one_assertion_used_at_both_at_once_exactly_one_counts(pair: Pair, at_once) -> None:
    agencies = [host.agency() for host in pair]
    for _ in range(ROUNDS):
        assertion = agencies[0].assertion()
        answers = at_once(*(partial(one.ask_token, client_assertion=assertion) for one in agencies))
        assert sorted(one.status for one in answers) == [200, 401]


def test_a_consent_to_one_use_is_used_once(pair: Pair, at_once) -> None:
    for _ in range(3):
        number = pair[0].country.consenting("--uses", "1").number
        answers = at_once(*(partial(ask, host, number) for host in pair))
        assert sorted(one.status for one in answers) == [200, 403]


def test_p2_withdrawal_at_one_is_final_at_the_other_with_the_next_request(pair: Pair) -> None:
    country = pair[0].country
    for here, there in (pair, pair[::-1]):
        number = country.consenting().number
        assert outcomes(pair, number) == {(200, "")}
        consent = there.agency().claims(ask(there, number))["consent"]
        person = Someone(country.gateway)
        assert person.sign_in(number).status == 200
        stopping = browser(here, person.cookies)
        form = stopping.get(f"/consents/{consent}/stop").form("/stop")
        assert stopping.post(form.action, form.members, Origin=country.gateway).status == 303
        assert ask(there, number).reason == "subject.not_released"
        assert outcomes(pair, number) == {(403, "subject.not_released")}


def test_a_disabled_client_is_refused_by_both(pair: Pair, country: WatchedCountry) -> None:
    number = country.consented().number
    agencies = [host.agency("tax") for host in pair for _ in range(4)]
    assert {one.get("/v1/services").status for one in agencies} == {200}
    told = country.run("gateway", "clients", "disable", "tax-1")
    assert told.returncode == 0, told.stderr
    assert {one.get("/v1/services").reason for one in agencies} == {"token.invalid"}
    assert outcomes(pair, number) == {(200, "")}


def test_an_emergency_stop_is_in_force_at_both(pair: Pair, country: WatchedCountry) -> None:
    number = country.consented().number
    stop = ("agreement", AGREEMENT)
    assert outcomes(pair, number) == {(200, "")}
    assert country.run("gateway", "stop", *stop, "--reason", "A drill.").returncode == 0
    try:
        assert outcomes(pair, number) == {(403, "agreement.not_in_force")}
    finally:
        assert country.run("gateway", "resume", *stop).returncode == 0
    assert outcomes(pair, number) == {(200, "")}


@ON_FILES_TOO
def test_a_session_begun_at_one_holds_at_the_other_and_ends_at_both(pair: Pair) -> None:
    country = pair[0].country
    person = Someone(country.gateway)
    assert person.sign_in(country.consented().number).status == 200
    homes = [browser(host, person.cookies).get("/home") for host in pair * 2]
    assert {page.status for page in homes} == {200}
    out = homes[1].form("/logout")
    left = browser(pair[1], person.cookies).post("/logout", out.members, Origin=country.gateway)
    assert left.status == 303
    after = [browser(host, person.cookies).get("/home") for host in pair * 2]
    assert 200 not in {page.status for page in after}


def test_policies_change_under_traffic_at_both_and_no_decision_is_of_a_mixture(
    pair: Pair, country: WatchedCountry, tmp_path: Path
) -> None:
    number = country.consented().number
    bundles = [Bundle.from_directory(Path(noted(tmp_path, place))) for place in range(3)]
    streams = [Traffic(host.agency, lambda one: one.exchange(number, RESIDENTS, FIELDS))
               for host in pair]  # fmt: skip
    before = len(country.committed())
    with flowing(streams), opened(Settings.parse(country.country.settings)) as rooms:
        for _, bundle in zip(range(8), itertools.cycle(bundles), strict=False):
            prepare(bundle, rooms.engine)
            activate(rooms.ledger, bundle)
            for stream in streams:
                stream.goes_on(2)
    assert {reason for one in streams for reason in one.refused} <= BUSY
    leaves, in_force = country.committed(), ""
    for place, leaf in enumerate(leaves):
        if leaf["type"] == "policy.activated":
            in_force = leaf["policy"]
        elif leaf["type"] == "exchange.decision" and place >= before:
            assert leaf["policy"] == in_force
    assert sum(leaf["type"] == "policy.activated" for leaf in leaves[before:]) == 8
    check_ledger(country, tmp_path / "log", [one for each in streams for one in each.released])


def noted(place: Path, number: int) -> str:
    """Return the real policies with a remark more: another revision that rules the same."""
    path = "exchange/blocks/blocks.rego"
    directory = policies(place / f"policies-{number}", {})
    with (Path(directory) / path).open("a", encoding="utf-8") as rules:
        rules.write(f"\n# {number}\n")
    return directory


def test_one_ledger_orders_what_both_write_at_once(
    pair: Pair, country: WatchedCountry, at_once, tmp_path: Path
) -> None:
    answers: list[Answer] = []
    number = country.consented().number
    for _ in range(ROUNDS):
        answers += at_once(*(partial(ask, host, number) for host in pair * 2))
    assert {one.status for one in answers} == {200}
    places = [country.agency().claims(one)["log"]["index"] for one in answers]
    assert len({*places}) == len(places)
    check_ledger(country, tmp_path / "log", exchanges(answers))


def test_what_one_client_may_ask_is_counted_over_both(pair: Pair, country: WatchedCountry) -> None:
    few = {"GATEWAY_RATE_CLIENT": "9/3600"}
    with serving(country, **few) as one, serving(country, **few) as other:
        agencies = [host.agency("child-maintenance") for host in (one, other)]
        told = [agency.get("/v1/services").status for agency in agencies * 9]
    assert told.count(200) == 9
    assert {*told} == {200, 429}
