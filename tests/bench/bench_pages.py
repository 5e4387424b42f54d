"""Pages: what each page costs the server, and the reader, who has ten thousand entries."""

import statistics
import time
from pathlib import Path
from urllib.parse import urljoin

from gateway.demo.play import programs
from gateway.demo.processes import Processes
from tests.bench.bench_server import cpu_seconds
from tests.bench.fill import fill
from tests.bench.stage import staged
from tests.country import RunningCountry
from tests.person import Page, Someone
from tests.settled import settled
from tests.tour import walk

OWN, ALL = 10_000, 100_000
ROUNDS = 40
GOAL_MS, GOAL_BYTES = 100, 60 * 1024


def weight(browser: Someone, page: Page) -> int:
    """Return the bytes of a page with its style and its pictures."""
    assets = {urljoin(page.url, one) for one in page.parsed.assets}
    return len(page.body) + sum(len(browser.get(one).body) for one in assets)


def cost(browser: Someone, path: str, pid: int) -> dict[str, float]:
    """Return what one page takes: median elapsed and CPU of the server, and bytes."""
    for _ in range(3):
        page = browser.get(path)
    assert page.status == 200, (path, page.status)
    elapsed, before = [], cpu_seconds(pid)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        browser.get(path)
        elapsed.append(time.perf_counter() - began)
    return {
        "p50 ms": round(statistics.median(elapsed) * 1000, 1),
        "most ms": round(max(elapsed) * 1000, 1),
        "CPU ms": round((cpu_seconds(pid) - before) / ROUNDS * 1000, 1),
        "KB": round(weight(browser, page) / 1024, 1),
    }


def run(directory: Path, own: int = OWN, total: int = ALL) -> dict[str, dict]:
    """Return the table, and how long it took to fill the ledger."""
    began = time.perf_counter()
    with staged(directory / "pages") as stage:
        country, number = stage.country, stage.country.sources.people[1].number
        fill(stage, number, own, total)
    filled = {"entries": total, "of the person": own, "s": round(time.perf_counter() - began)}
    processes = Processes(country.place.state / "logs", lambda name: None)
    try:
        processes.start(programs(country))
        people = settled(RunningCountry(country, processes), country.sources.people[1])
        pid, rows = processes.pids()["gateway"], {}
        for who, browser, starts in people.visitors():
            for stop, path in sorted(walk(browser, starts).paths.items()):
                name = "?".join([stop.rule, *stop.parameters])
                if browser.get(path).header("content-type").startswith("text/html"):
                    rows.setdefault(f"{who}: {name}", cost(browser, path, pid))
    finally:
        processes.stop()
    return {"Ledger of the pages": filled, "Pages, for somebody with many entries": rows}
