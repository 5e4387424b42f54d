"""Server: the exchange through the real server, beside a bare pass-through in the same one."""

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

from tests.agency import Agency
from tests.bench.stage import UNLIMITED
from tests.country import AGREEMENT, INCOME, SCHEME, RunningCountry, running
from tests.ports import free_port

PATH = "/v1/exchanges"
CONNECTIONS = (1, 8, 32)
FIELDS = ["/income/year", "/income/total"]
TICKS = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Target:
    """What to load, and with which keys."""

    gateway: str
    client_id: str
    signing: dict
    sealing: dict
    number: str


def tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += tree(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU that a process tree has used."""
    total = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident_mib(pid: int) -> float:
    """Return the resident memory of the largest process of a tree, in MiB."""
    pages = [int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in tree(pid)]
    return round(max(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def load(target: Target, connections: int, count: int) -> tuple[float, list[float]]:
    """Ask so often over so many kept connections; return the seconds and each latency."""
    agency = Agency(target.gateway, target.client_id, target.signing, target.sealing)
    token = agency.token
    body = json.dumps(
        {
            "agreement": AGREEMENT,
            "service": INCOME,
            "subject": {"scheme": SCHEME, "value": target.number},
            "fields": FIELDS,
        }
    ).encode()
    proofs = [agency.proof("POST", PATH, token) for _ in range(count)]
    to = urlsplit(target.gateway)
    latencies: list[float] = []

    def run(own: list[str]) -> None:
        connection = http.client.HTTPConnection(to.hostname, to.port, timeout=30)
        for proof in own:
            headers = {
                "Content-Type": "application/json",
                "Authorization": f"DPoP {token}",
                "DPoP": proof,
            }
            began = time.perf_counter()
            connection.request("POST", PATH, body, headers)
            answer = connection.getresponse()
            answer.read()
            latencies.append(time.perf_counter() - began)
            assert answer.status == 200, answer.status

    threads = [
        threading.Thread(target=run, args=(proofs[place::connections],))
        for place in range(connections)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began, latencies


def passed(url: str, connections: int, count: int) -> tuple[float, list[float]]:
    """The same load on the pass-through."""
    to = urlsplit(url)
    latencies: list[float] = []

    def run(own: int) -> None:
        connection = http.client.HTTPConnection(to.hostname, to.port, timeout=30)
        connection.connect()
        for _ in range(own):
            began = time.perf_counter()
            connection.request("POST", "/", b"{}")
            answer = connection.getresponse()
            answer.read()
            latencies.append(time.perf_counter() - began)
            assert answer.status == 200, answer.status

    threads = [
        threading.Thread(target=run, args=(count // connections,)) for _ in range(connections)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began, latencies


def elsewhere(function, *arguments):
    """Run a load in a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def row(seconds: float, latencies: list[float], cpu: float) -> dict[str, float]:
    """Return one line of a table."""
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "per second": round(len(latencies) / seconds, 1),
        "p50 ms": round(cuts[49] * 1000, 2),
        "p99 ms": round(cuts[98] * 1000, 2),
        "gateway CPU µs": round(cpu / len(latencies) * 1e6, 1),
    }


def exchanges(country: RunningCountry, count: int) -> dict[str, dict[str, float]]:
    """Return rate, latency and CPU of the governed exchange by connections."""
    agency = country.agency()
    number = country.document["residents"][0]["value"]
    target = Target(country.gateway, agency.client_id, agency.signing, agency.sealing, number)
    pid = country.processes.pids()["gateway"]
    elsewhere(load, target, 8, 400)
    table = {}
    for connections in CONNECTIONS:
        before = cpu_seconds(pid)
        told = elsewhere(load, target, connections, count)
        table[f"{connections} connections"] = row(*told, cpu_seconds(pid) - before)
    return table


def pass_through(country: RunningCountry, count: int) -> dict[str, dict[str, float]]:
    """Return the same for a server of the same kind that fetches and hands on, and no more."""
    port = free_port()
    number = country.document["residents"][0]["value"]
    environ = {
        **country.environ,
        "BENCH_URL": f"{country.country.place.tax}/v1/people/{number}?fields=/income/total",
        "BENCH_SECRET": country.country.sources.secret.read_text().strip(),
    }
    command = ["granian", "--interface", "wsgi", "--port", str(port), "--blocking-threads", "8"]
    server = subprocess.Popen(
        [
            str(Path(sys.executable).parent / command[0]),
            *command[1:],
            "tests.bench.passthrough:app",
        ],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 1):
                    break
            except OSError:
                time.sleep(0.1)
        elsewhere(passed, url, 8, 400)
        table = {}
        for connections in CONNECTIONS:
            before = cpu_seconds(server.pid)
            told = elsewhere(passed, url, connections, count)
            table[f"{connections} connections"] = row(*told, cpu_seconds(server.pid) - before)
        return table
    finally:
        server.terminate()
        server.wait()


def memory(country: RunningCountry, most: int) -> dict[str, float]:
    """Return the gateway's resident memory as exchanges add up."""
    agency = country.agency()
    number = country.document["residents"][1]["value"]
    target = Target(country.gateway, agency.client_id, agency.signing, agency.sealing, number)
    pid = country.processes.pids()["gateway"]
    table = {"at the start": resident_mib(pid)}
    step = max(1, min(10_000, most))
    for done in range(step, most + 1, step):
        elsewhere(load, target, 32, step)
        if done in {step, most} or done % (step * 5) == 0:
            table[f"after {done:,}"] = resident_mib(pid)
    return table


def run(directory: Path, count: int, most: int) -> dict[str, dict]:
    """Return every table."""
    with running(directory / "server", **UNLIMITED) as country:
        return {
            "Governed exchange, whole server": exchanges(country, count),
            "Bare pass-through, same server": pass_through(country, count),
            "Resident memory, MiB": memory(country, most),
        }
