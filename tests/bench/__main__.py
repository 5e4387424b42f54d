"""`python -m tests.bench`: every benchmark; prints tables and writes `bench.json`."""

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.bench import bench_beside, bench_ledger, bench_pages, bench_server, bench_stages


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--exchanges", type=int, default=3000, help="per line of a table")
    parser.add_argument(
        "--memory", type=int, default=100_000, help="exchanges until memory is read"
    )
    parser.add_argument("--quick", action="store_true", help="a look, in a minute")
    chosen = parser.parse_args()
    count, most = (600, 2000) if chosen.quick else (chosen.exchanges, chosen.memory)
    counts = bench_stages.COUNTS[:1] if chosen.quick else bench_stages.COUNTS
    results = shown({"This machine": yardstick()})
    with TemporaryDirectory() as directory:
        place = Path(directory)
        results |= shown(bench_ledger.run(place, 1.0 if chosen.quick else 4.0))
        results |= shown(bench_beside.run(place / "beside", 3 if chosen.quick else 6))
        results |= shown(bench_server.run(place, count, most))
        results |= shown(bench_stages.run(place, counts))
        results |= shown(bench_pages.run(place, *((1000, 3000) if chosen.quick else ())))
    Path("bench.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


def yardstick() -> dict[str, float]:
    """Return what one signature costs here, so that figures of two machines can be compared."""
    key, rounds, best = Ed25519PrivateKey.generate(), 1000, float("inf")
    for _ in range(20):
        began = time.process_time()
        for _ in range(rounds):
            key.sign(bytes(300))
        best = min(best, time.process_time() - began)
    return {"Ed25519 signature, µs": round(best / rounds * 1e6, 1)}


def shown(tables: dict[str, dict]) -> dict[str, dict]:
    """Print tables, and return them."""
    for title, table in tables.items():
        sys.stdout.write(f"\n{title}\n")
        for name, value in table.items():
            told = (
                "  ".join(f"{label} {figure:>9}" for label, figure in value.items())
                if isinstance(value, dict)
                else f"{value:>9}"
            )
            sys.stdout.write(f"  {name:<32}{told}\n")
        sys.stdout.flush()
    return tables


if __name__ == "__main__":
    main()
