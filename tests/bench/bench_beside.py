"""Beside: the governed exchange and what a user would pick instead, under one load generator."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.ask import parse_ask
from gateway.demo.country import ROOT, Country
from gateway.demo.play import programs
from gateway.demo.processes import Processes
from gateway.policy.opa_command import find_opa
from identity.model import Scope
from tests.agency import Agency
from tests.bench.bench_server import FIELDS, PATH, cpu_seconds
from tests.bench.nginx import ASKING_OPA, SOURCE, await_port, nginx
from tests.bench.stage import UNLIMITED, number_of, staged
from tests.bench.wrk import Load, load, raw
from tests.country import AGREEMENT, INCOME, SCHEME, RunningCountry
from tests.flow.office import record_of
from tests.ports import free_port
from tests.postgres_server import postgres_server
from tests.redis_server import redis_server

PEOPLE = 500
CONNECTIONS = (1, 8, 32, 64)
CORES = len(os.sched_getaffinity(0))
SPARE = 3.0
"""How many more requests are made than the warm-up lets expect; a proof serves once."""
CACHE = "caching.inter_query_builtin_value_cache.named.io_jwt.max_num_entries=1000"


def row(told: Load, cpu: float | None = None) -> dict[str, float]:
    """Return one line of a table."""
    if told.lost or told.refused:
        raise SystemExit(f"{told.refused} of {told.answers} were refused, {told.lost} lost")
    line = {
        "per second": round(told.rate, 1),
        "p50 ms": round(told.p50, 2),
        "p99 ms": round(told.p99, 2),
    }
    return line if cpu is None else {**line, "CPU µs": round(cpu / told.answers * 1e6, 1)}


def asked(agency: Agency, numbers: list[str], count: int) -> list[bytes]:
    """Return so many exchanges, each with a proof of its own, over many people."""
    token = replace(agency, held=None).token
    made = []
    for place in range(count):
        body = {
            "agreement": AGREEMENT,
            "service": INCOME,
            "subject": {"scheme": SCHEME, "value": numbers[place % len(numbers)]},
            "fields": FIELDS,
        }
        headers = {
            "Host": agency.gateway.partition("://")[2],
            "Content-Type": "application/json",
            "Authorization": f"DPoP {token}",
            "DPoP": agency.proof("POST", PATH, token),
        }
        made.append(raw("POST", PATH, headers, json.dumps(body).encode()))
    return made


def governed(
    place: Path, country: RunningCountry, numbers: list[str], connections: int, seconds: int
) -> dict[str, float]:
    """Return rate, latency and CPU of the governed exchange."""
    agency = country.agency()
    warm = load(place, country.gateway, asked(agency, numbers, 3000), connections, 2)
    count = int(max(warm.rate, 100) * seconds * SPARE)
    made, pid = asked(agency, numbers, count), country.processes.pids()["gateway"]
    before = cpu_seconds(pid)
    told = load(place, country.gateway, made, connections, seconds)
    return row(told, cpu_seconds(pid) - before)


@contextmanager
def country_with(
    country: Country, source: str, workers: int = 1, **settings: str
) -> Iterator[RunningCountry]:
    """Run the country's gateway with so many workers, and its tax office elsewhere."""
    more = {"GATEWAY_SOURCE_TAX_URL": source, **UNLIMITED, **settings}
    country = replace(country, settings={**country.settings, **more})
    processes = Processes(country.place.state / "logs", lambda name: None)
    try:
        (gateway,) = [one for one in programs(country) if one.name == "gateway"]
        arguments = [*gateway.arguments, "--workers", str(workers)]
        processes.start([replace(gateway, arguments=arguments)])
        yield RunningCountry(country, processes)
    finally:
        processes.stop()


@contextmanager
def passing(source: str) -> Iterator[str]:
    """Run a server of the gateway's own kind that fetches and hands on, and no more."""
    port = free_port()
    granian = str(Path(sys.executable).parent / "granian")
    options = ["--interface", "wsgi", "--port", str(port), "--blocking-threads", "8"]
    server = subprocess.Popen(
        [granian, *options, "tests.bench.passthrough:app"],
        cwd=ROOT,
        env={"BENCH_URL": source, "BENCH_SECRET": "none"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def opa(place: Path, key: ECKey, *options: str) -> Iterator[int]:
    """Run OPA with the gateway's rules and the gate's, and the key of the tokens; its port."""
    binary, port = find_opa("", Path.home() / ".cache"), free_port()
    if binary is None:
        raise SystemExit("the benchmarks need opa: run tests/setup.")
    (place / "data.json").write_text(
        json.dumps({"keys": json.dumps({"keys": [key.as_dict(private=False)]})})
    )
    rules = [str(ROOT / "policies" / "exchange"), str(ROOT / "tests" / "bench" / "gate.rego")]
    server = subprocess.Popen(
        [
            *(str(binary), "run", "--server", "--addr", f"127.0.0.1:{port}"),
            *("--log-level", "error", "--skip-version-check", *options),
            *(*rules, str(place / "data.json")),
        ]
    )
    try:
        await_port(port)
        yield port
    finally:
        server.terminate()
        server.wait()


def gated(
    place: Path, source: int, facts: str, numbers: list[str], options: tuple[str, ...]
) -> dict[str, float]:
    """Return the rate of nginx with `auth_request` to OPA, which checks token and rules."""
    key, port = ECKey.generate_key("P-256"), free_port()
    claims = {"scope": "exchange.request", "exp": int(time.time()) + 3600}
    token = jwt.encode({"alg": "ES256"}, claims, key)
    headers = {"Host": "gate", "Authorization": f"Bearer {token}"}
    requests = [raw("GET", f"/v1/people/{number}", headers) for number in numbers]
    place.mkdir()
    with opa(place, key, *options) as asking:
        servers = ASKING_OPA.format(port=port, opa=asking, source=source, facts=facts)
        with nginx(place / "gate", port, servers):
            load(place, f"http://127.0.0.1:{port}", requests, 32, 1)
            return row(load(place, f"http://127.0.0.1:{port}", requests, 32, 5))


def peopled(place: Path, **settings: str) -> tuple[Country, list[str], str]:
    """Return a country with many consents, who gave them, and one question to the policies."""
    place.mkdir(parents=True, exist_ok=True)
    with staged(place / "state", **settings) as stage:
        numbers = [number_of(one) for one in range(1, PEOPLE + 1)]
        for number in numbers:
            stage.consent(number)
        caller = stage.pipeline.authenticate(stage.credentials(), Scope.EXCHANGE_REQUEST)
        posted = stage.posted(numbers[0], INCOME, FIELDS)
        docket = stage.pipeline.journal.open(caller, parse_ask(posted))
        stage.pipeline._permit(docket)
        return stage.country, numbers, bytes(docket.input).decode()


@contextmanager
def at_source(place: Path, numbers: list[str]) -> Iterator[int]:
    """Run a tax office that costs nearly nothing; its port."""
    people = place / "source" / "v1" / "people"
    people.mkdir(parents=True)
    for number in numbers:
        (people / number).write_text(json.dumps(record_of(number)))
    port = free_port()
    with nginx(place / "office", port, SOURCE.format(port=port, root=place / "source")):
        yield port


def with_servers(place: Path, numbers: list[str], source: str, seconds: int) -> dict[str, dict]:
    """Return what the exchange does over PostgreSQL and Redis on the same cores."""
    table: dict[str, dict] = {}
    with postgres_server() as postgres, redis_server(place / "redis") as redis:
        site = postgres.site()
        country, _, _ = peopled(
            place / "servers",
            GATEWAY_DATABASE_URL=site.writer,
            GATEWAY_MIGRATOR_URL=site.migrator,
            GATEWAY_REDIS_URL=redis.url,
        )
        with country_with(country, source, CORES) as running:
            name = f"PostgreSQL and Redis, {CORES} workers, 64"
            table[name] = governed(place, running, numbers, 64, seconds)
    return table


def run(place: Path, seconds: int = 6) -> dict[str, dict]:
    """Return every table; each line under the same load generator, source and machine."""
    country, numbers, facts = peopled(place)
    table: dict[str, dict] = {}
    with ExitStack() as stack:
        port = stack.enter_context(at_source(place, numbers))
        source = f"http://127.0.0.1:{port}"
        for name, options in (("", ()), (", tokens remembered", ("--set", CACHE))):
            table[f"nginx and OPA, 32{name}"] = gated(
                place / f"opa{len(options)}", port, facts, numbers, options
            )
        with passing(f"{source}/v1/people/{numbers[0]}") as url:
            requests = [raw("POST", "/", {"Host": "x"}, b"{}")]
            table["bare pass-through, 32"] = row(load(place, url, requests, 32, seconds))
        for workers in (1, CORES):
            with country_with(country, source, workers) as running:
                for connections in CONNECTIONS:
                    name = f"governed exchange, {workers} workers, {connections}"
                    told = governed(place, running, numbers, connections, seconds)
                    table[name] = told
        table |= with_servers(place, numbers, source, seconds)
    beside = table["nginx and OPA, 32"]["per second"]
    ours = table[f"governed exchange, {CORES} workers, 32"]["per second"]
    return {
        "Governed exchange and what stands beside it": table,
        "Ratio": {"exchanges : nginx and OPA": round(ours / beside, 3)},
    }
