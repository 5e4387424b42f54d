"""`python -m tests.bench`: every benchmark; prints tables and writes `bench.json`."""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import bench_server, bench_stages


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
    results: dict[str, dict] = {}
    with TemporaryDirectory() as directory:
        place = Path(directory)
        results |= shown(bench_server.run(place, count, most))
        if not chosen.quick:
            bench_stages.COUNTS = (1_000, 10_000, 100_000)
        else:
            bench_stages.COUNTS = (1_000,)
        results |= shown(bench_stages.run(place))
    Path("bench.json").write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")


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
