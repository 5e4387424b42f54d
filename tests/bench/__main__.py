"""`python -m tests.bench`: every benchmark; prints tables and writes `bench.json`."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.bench import (
    bench_beside,
    bench_latency,
    bench_ledger,
    bench_memory,
    bench_pages,
    bench_records,
    bench_shapes,
    bench_stages,
)
from tests.bench.table import shown

Part = tuple[Callable[..., dict], tuple]


def parts(chosen: argparse.Namespace) -> dict[str, Part]:
    """Return each part by name: what it runs, and with which numbers beside its directory."""
    quick = chosen.quick
    counts = (*(one for one in bench_stages.COUNTS if one < chosen.growth), chosen.growth)
    return {
        "ledger": (bench_ledger.run, (1.0 if quick else bench_ledger.SECONDS,)),
        "beside": (bench_beside.run, (1, 1) if quick else ()),
        "shapes": (bench_shapes.run, (2, 1) if quick else ()),
        "latency": (bench_latency.run, (2,) if quick else ()),
        "records": (bench_records.run, (1,) if quick else ()),
        "stages": (bench_stages.run, ((100, 1000), 100) if quick else (counts,)),
        "pages": (bench_pages.run, (1000, 3000) if quick else ()),
        "memory": (bench_memory.run, (1000 if quick else chosen.memory,)),
    }


def arguments() -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--quick", action="store_true", help="a look, in three minutes")
    parser.add_argument("--only", default="", help="parts, with commas between")
    parser.add_argument(
        "--memory", type=int, default=100_000, help="exchanges until memory is read"
    )
    parser.add_argument(
        "--growth", type=int, default=100_000, help="consents at most; a million takes an hour"
    )
    chosen = parser.parse_args()
    known = parts(chosen)
    chosen.only = chosen.only.split(",") if chosen.only else list(known)
    if unknown := set(chosen.only) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
    return chosen


def alone(run: Callable[..., dict], numbers: tuple) -> dict[str, dict]:
    """Run a part in a process and a directory of its own, so that none is in another's way."""
    with (
        TemporaryDirectory() as directory,
        ProcessPoolExecutor(1, get_context("spawn")) as process,
    ):
        return process.submit(run, Path(directory), *numbers).result()


def main() -> None:
    """Run what is asked for; what a part found wrong keeps nobody from the others' figures."""
    chosen, took, wrong = arguments(), {}, {}
    results = shown({"This machine": yardstick()})
    for name, (run, numbers) in parts(chosen).items():
        if name in chosen.only:
            began = time.monotonic()
            try:
                results |= shown(alone(run, numbers))
            except SystemExit as error:
                wrong[name] = str(error)
            took[name] = round(time.monotonic() - began)
    results |= shown({"This took, s": {**took, "all": sum(took.values())}})
    results |= shown({"Without figures": wrong}) if wrong else {}
    Path("bench.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.write("\nAll of this is in bench.json.\n")
    raise SystemExit(1 if wrong else 0)


def yardstick() -> dict[str, float]:
    """Return what one signature costs here, so that figures of two machines can be compared."""
    key, rounds, best = Ed25519PrivateKey.generate(), 1000, float("inf")
    for _ in range(20):
        began = time.process_time()
        for _ in range(rounds):
            key.sign(bytes(300))
        best = min(best, time.process_time() - began)
    return {"Ed25519 signature, µs": round(best / rounds * 1e6, 1)}


if __name__ == "__main__":
    main()
