"""The `opa` command: checks, tests and evaluates a policy directory, where it is installed."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.model import Decision
from gateway.policy.bundle import Bundle
from gateway.policy.decision import read_decision, unavailable
from gateway.policy.fault import Fault
from kernel.names import Revision

SECONDS = 60


class OpaFailed(ValueError):
    """The command cannot be run or says nothing that can be read; the message says what to do."""


def find_opa(named: str, cache: Path) -> Path | None:
    """Return the binary that is named, else the one that the Makefile installed under the cache
    directory, else the one on the path, else None."""
    installed = cache / "causeway" / "bin" / "opa"
    if named:
        return Path(named)
    if installed.is_file():
        return installed
    on_path = shutil.which("opa")
    return None if on_path is None else Path(on_path)


@dataclass(frozen=True, slots=True)
class OpaCommand:
    """One installed `opa`."""

    binary: Path

    def check(self, directory: Path) -> list[Fault]:
        """Return what `opa check --strict` finds against the input's schema, and which files
        `opa fmt` would write differently."""
        schema = str(directory / "schemas" / "input.json")
        rules = str(directory / "exchange")
        checked = self.run(["check", "--strict", "--format", "json", "--schema", schema, rules])
        faults = [
            _fault(directory, error["location"], error["message"])
            for error in _json(checked.stderr or b"{}").get("errors", [])
        ]
        if checked.returncode and not faults:
            raise OpaFailed("`opa check --strict` fails without saying why")
        unformatted = self.run(["fmt", "--list", rules]).stdout.decode(errors="replace")
        faults += [
            _fault(directory, {"file": name, "row": 1}, "is not as `opa fmt --write` writes it")
            for name in unformatted.splitlines()
        ]
        return faults

    def test(self, directory: Path) -> list[Fault]:
        """Return the Rego tests (`_test.rego`) that fail."""
        results = _json(self.run(["test", "--format", "json", str(directory / "exchange")]).stdout)
        return [
            _fault(directory, result["location"], f"the test `{result['name']}` fails")
            for result in results
            if result.get("fail") or result.get("error")
        ]

    def run(
        self, arguments: Sequence[str], stdin: bytes = b""
    ) -> "subprocess.CompletedProcess[bytes]":
        """Return what the command did with these arguments, or raise `OpaFailed`."""
        try:
            return subprocess.run(  # noqa: S603 - the operator names it, and no shell reads it
                [str(self.binary), *arguments],
                input=stdin,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OpaFailed(f"{self.binary} cannot be run, or takes too long") from error


@dataclass(frozen=True, slots=True)
class OpaOnce:
    """`opa eval` as an engine of one bundle: a process each time, for checks and not to serve."""

    command: OpaCommand
    bundle: Bundle

    def decide(self, input: bytes, revision: Revision) -> Decision:
        """Return the decision, or raise `Refusal` with `policy.unavailable`."""
        if revision != self.bundle.revision:
            raise unavailable()
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder, "bundle.tar.gz")
            place.write_bytes(self.bundle.opa_tarball())
            options = ["--stdin-input", "--strict-builtin-errors", "--format", "json"]
            answer = self.command.run(
                ["eval", "--bundle", str(place), *options, "data.exchange.decision"], input
            )
        try:
            return read_decision(_json(answer.stdout)["result"][0]["expressions"][0]["value"])
        except (ValueError, LookupError, TypeError) as error:
            raise unavailable() from error


def _fault(directory: Path, location: Any, sentence: str) -> Fault:
    path = Path(location["file"])
    inside = path.relative_to(directory) if path.is_relative_to(directory) else path
    return Fault(inside.as_posix(), location["row"], sentence)


def _json(output: bytes) -> Any:
    try:
        return orjson.loads(output)
    except ValueError as error:
        raise OpaFailed("`opa` fails: run it by hand to see why") from error
