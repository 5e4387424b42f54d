"""`python -m tests.bench.flame`: where the CPU of one worker goes under load, as docs/flame.svg.

py-spy looks at the running worker from outside, two hundred times a second, and sees each thread
that has the processor, fibres included. Left out are stacks that changed while it read them, and
the server's own threads, which run no Python. Unless root runs it, the kernel must let it look
(`sysctl kernel.yama.ptrace_scope=0`).
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.demo.country import ROOT
from tests.bench.flame_picture import drawn
from tests.bench.governed import Loading
from tests.bench.process import tree
from tests.bench.scene import Ways, at_source, peopled, served

CONNECTIONS = 32
RATE = 200
"""Looks a second."""
PORTION = 20
"""Seconds for which requests are made at a time."""
LINE = re.compile(r":\d+\)$")
ROOTS = (
    ("_spawn_asgi_worker", "the server's loop, and what it calls"),
    ("Ledger._keep_up", "the ledger's thread"),
    ("Thread.run", "other threads"),
    ("Intake._answer", "exchanges, as fibres on the loop's thread"),
)
"""Up to which frame a stack is left away, and what stands in its place."""


def stacks(raw: str) -> tuple[Counter[tuple[str, ...]], Counter[str]]:
    """Return how often each stack was seen, callers first, and how often what is left out."""
    seen: Counter[tuple[str, ...]] = Counter()
    without: Counter[str] = Counter()
    for line in raw.splitlines():
        told, _, count = line.rpartition(" ")
        if stack := rooted([LINE.sub(")", frame) for frame in told.split(";")]):
            seen[stack] += int(count)
        else:
            without["torn" if told else "of threads without Python"] += int(count)
    return seen, without


def rooted(frames: Sequence[str]) -> tuple[str, ...]:
    """Return a stack from the first frame that says something; nothing where it is torn."""
    for mark, name in ROOTS:
        for place, frame in enumerate(frames):
            if mark in frame:
                return (name, *frames[place + 1 :])
    return ()


def looked_at(place: Path, seconds: int) -> str:
    """Return what py-spy saw of one worker under full load."""
    people = peopled(place)
    with (
        at_source(place, people.numbers) as source,
        served(people, source, Ways(workers=1)) as country,
    ):
        loading = Loading.of(place, country, people)
        _, worker = tree(loading.pid)
        loading.load(CONNECTIONS, 3)
        seen = place / "stacks"
        looking = subprocess.Popen(
            [
                *(spy(), "record", "--pid", str(worker), "--duration", str(seconds)),
                *("--rate", str(RATE), "--nonblocking", "--function"),
                *("--format", "raw", "--output", str(seen)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while looking.poll() is None:
            loading.load(CONNECTIONS, min(PORTION, seconds + 2))
        if looking.returncode:
            raise SystemExit("py-spy could not look at the worker: is it allowed to?")
        return seen.read_text()


def spy() -> str:
    """Return the command of py-spy."""
    here = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if here is None:
        raise SystemExit("the picture needs py-spy, which `make flame` installs.")
    return here


def shares(seen: Counter[tuple[str, ...]]) -> Iterable[str]:
    """Yield a line for each root, and for the functions that work most themselves."""
    total = seen.total()
    roots: Counter[str] = Counter()
    own: Counter[str] = Counter()
    for stack, count in seen.items():
        roots[stack[0]] += count
        own[stack[-1]] += count
    for name, count in [*roots.most_common(), *own.most_common(12)]:
        yield f"{count / total:6.1%}  {name}"


def main() -> None:
    """Look, draw, and say what was seen most."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.flame")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "flame.svg")
    chosen = parser.parse_args()
    with TemporaryDirectory() as directory:
        seen, without = stacks(looked_at(Path(directory), chosen.seconds))
    title = f"One worker under full load, {CONNECTIONS} connections: {seen.total():,} looks"
    chosen.to.write_text(drawn(seen, title), encoding="utf-8")
    lines = "\n".join(shares(seen))
    left = ", ".join(f"{count} {what}" for what, count in without.items())
    sys.stdout.write(f"{lines}\n{seen.total()} looks; left out: {left or 'none'}.\n{chosen.to}\n")


if __name__ == "__main__":
    main()
