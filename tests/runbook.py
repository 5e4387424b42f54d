"""The commands that the runbook prints, so that a test runs them as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from gateway.demo.country import ROOT

PAGE = ROOT / "docs" / "runbook.md"


def blocks(section: str) -> list[str]:
    """Return the `sh` blocks under a heading of the runbook, in their order."""
    text = PAGE.read_text(encoding="utf-8")
    flags = re.MULTILINE | re.DOTALL
    match = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, flags)
    assert match is not None, f"the runbook has no section {section!r}"
    return re.findall(r"^```sh\n(.*?)^```$", match[1], flags)


def run(block: str, environ: dict[str, str]) -> subprocess.CompletedProcess:
    """Run a block in a shell that stops at the first command that fails; `python` is ours."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        ["/bin/sh", "-eu", "-c", block],
        cwd=ROOT,
        env={**environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
