"""Ledger: durable entries per second, by how many callers wait, as threads or as fibres."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import uvloop

from audit.ledger import Ledger
from audit.model import Limits
from gateway.app import _settle_garbage_collection
from gateway.load.fibres import Fibres
from kernel.database_postgres import PostgresDatabase
from kernel.effect import Effect, Key, Moment, Rows, Write
from kernel.entry import Concerned, Entry, EntryType
from kernel.waits import OwnThread
from tests.both import Sites, on_postgres
from tests.contract import ledger_stage as stage
from tests.postgres_server import postgres_server

CALLERS = (1, 16, 64)
MOST = CALLERS[-1]
SECONDS = 4.0
PEOPLE = 1000
INPUT = {"asked": ["/name/family", "/address/postcode"] * 4, "agreement": {"terms": "x" * 300}}
INPUT_OF_A_KIBIBYTE = {"facts": "x" * 700}
Make = Callable[[int, Concerned], tuple[Entry, Effect | None]]
Row = dict[str, float]
Callers = Callable[[int, Callable[[int], None]], None]
"""Lets so many callers run at once, each with its number."""
HEADER = dict(stage.exchange("release", "ex_0"))


def release(n: int, person: Concerned) -> tuple[Entry, Effect | None]:
    """Return a release and its effect, as large as the gateway's: three rows read, two written."""
    name = f"ex_{n:026d}"
    use = Key("consent_use", (name,))
    count = Key("consent_count", (f"co_{n % PEOPLE}", "population/residents"))
    block = Key("block", (person.ref,))

    def apply(rows: Rows, moment: Moment) -> list[Write]:
        row = rows[count]
        uses = 0 if row is None or rows[block] is not None else int(str(row["uses"]))
        used = {"consent": count.values[0], "agency": "family-benefits", "at": moment.time}
        used |= {"exchange": name, "service": "population/residents", "index": moment.index}
        counted = {"consent": count.values[0], "service": count.values[1], "term": 1}
        return [Write(use, used), Write(count, counted | {"uses": uses + 1})]

    header = HEADER | {"exchange": name, "consent": f"co_{n % PEOPLE}"}
    disclosures = {
        "actor": {"client": "family-benefits-1", "user": "clerk-4471"},
        "request": {"case": "FA-2026-00042", "fields": INPUT["asked"]},
        "input": INPUT,
        "response": {"fields": INPUT["asked"], "sealed_sha256": "x" * 43},
    }
    entry = Entry(EntryType.EXCHANGE_RELEASE, header, disclosures, (person,), epoch=0)
    return entry, Effect((use, count, block), apply)


def plain(n: int, person: Concerned) -> tuple[Entry, Effect | None]:
    """Return an entry about one person with one disclosure of a kibibyte, and no effect."""
    header = {"exchange": f"ex_{n:026d}", "consumer": "family-benefits", "decision": "deny"}
    disclosures = {"input": INPUT_OF_A_KIBIBYTE}
    return Entry(EntryType.EXCHANGE_REFUSAL, header, disclosures, (person,), epoch=0), None


def as_threads(callers: int, run: Callable[[int], None]) -> None:
    """Let so many threads run, each with its number."""
    threads = [threading.Thread(target=run, args=(n,)) for n in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def as_fibres(fibres: Fibres) -> Callers:
    """Return what lets so many fibres of one thread run, as exchanges do where they are served."""

    async def all_of_them(callers: int, run: Callable[[int], None]) -> None:
        await asyncio.gather(*[fibres.run(run, n) for n in range(callers)])

    return lambda callers, run: uvloop.run(all_of_them(callers, run))


def measure(
    ledger: Ledger,
    callers: int,
    seconds: float,
    make: Make = release,
    calling: Callers = as_threads,
) -> Row:
    """Append from so many callers in a closed loop, and return rate, CPU and latencies."""
    people = [stage.person(n) for n in range(PEOPLE)]
    latencies: list[float] = []
    first, stop = ledger.size, time.perf_counter() + seconds

    def run(caller: int) -> None:
        n = first + caller
        while (start := time.perf_counter()) < stop:
            ledger.append(*make(n, people[n % PEOPLE]))
            latencies.append(time.perf_counter() - start)
            n += callers

    batches: list[int] = []
    ledger.watch(lambda turn: batches.append(len(turn.entries)))
    cpu, wall = time.process_time(), time.perf_counter()
    calling(callers, run)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    latencies.sort()
    count = len(latencies)
    return {
        "per second": round(count / wall),
        "p50 ms": round(latencies[count // 2] * 1e3, 2),
        "p99 ms": round(latencies[count * 99 // 100] * 1e3, 2),
        "CPU µs": round(cpu / count * 1e6),
        "entries a batch": round(fmean(batches), 1),
        "size": ledger.size,
    }


def table(home: Path, seconds: float) -> dict[str, Row]:
    """Return the rows of a log that lives there, with its round trips where it makes some."""
    fibres = Fibres(OwnThread())
    kinds = {
        "fibres": ((MOST,), as_fibres(fibres), Limits(waits=fibres)),
        "threads": (CALLERS, as_threads, Limits()),
    }
    rows: dict[str, Row] = {}
    for kind, (numbers, calling, limits) in kinds.items():
        with stage.Stage(home, limits=limits).open() as log:
            for make in (plain, release):
                for callers in numbers:
                    before, trips = log.ledger.size, trips_of(log)
                    row = measure(log.ledger, callers, seconds, make, calling)
                    if made := trips_of(log) - trips:
                        row["trips an entry"] = round(made / (row["size"] - before), 2)
                    rows[f"{make.__name__}, {callers} {kind}"] = row
    return rows


def trips_of(log: stage.Opened) -> int:
    """Return the round trips to a server so far; a file makes none."""
    return log.database.trips if isinstance(log.database, PostgresDatabase) else 0


def run(directory: Path, seconds: float = SECONDS) -> dict[str, dict]:
    """Return the tables, on a file and on a PostgreSQL on the same cores; what was made at the
    start is collected no more, as where it is served."""
    _settle_garbage_collection()
    homes = [directory / name for name in ("file", "server")]
    for home in homes:
        home.mkdir()
    with postgres_server() as server, on_postgres(Sites(server), homes[1]):
        return {
            "Ledger, durable entries": table(homes[0], seconds),
            "Ledger on PostgreSQL, durable entries": table(homes[1], seconds),
        }
