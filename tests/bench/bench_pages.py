"""Pages: what each page costs the server, and the reader, who has ten thousand entries."""

import statistics
import time
from pathlib import Path

from gateway.demo.play import programs
from gateway.demo.processes import Processes
from tests.bench.fill import fill
from tests.bench.process import cpu_seconds
from tests.bench.stage import staged
from tests.country import RunningCountry
from tests.person import Someone
from tests.settled import settled
from tests.tour import different, walk

OWN, ALL = 10_000, 100_000
ROUNDS = 30
GOAL_MS, GOAL_KB = 100, 60


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
        "KB": round(browser.weight(page) / 1024, 1),
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
        tours = [(who, walk(browser, starts)) for who, browser, starts in people.visitors()]
        for who, stop, path in different(tours):
            name = "?".join([stop.rule, *stop.parameters])
            rows.setdefault(f"{name} ({who})", cost(people.browser(who), path, pid))
    finally:
        processes.stop()
    beyond = [name for name, row in rows.items() if row["p50 ms"] > GOAL_MS or row["KB"] > GOAL_KB]
    goal = {"goal": f"{GOAL_MS} ms, {GOAL_KB} KB", "pages": len(rows), "beyond it": len(beyond)}
    return {
        "Ledger of the pages": filled,
        "Pages, for somebody with many entries": {"All pages": goal, **rows},
    }
