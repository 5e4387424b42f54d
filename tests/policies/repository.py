"""The policy repository under test, small variations of it, and a real OPA to ask."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gateway.policy.bundle import Bundle
from gateway.policy.catalogue import Catalogue
from gateway.policy.engine_opa import OpaEngine
from gateway.policy.opa_command import OpaCommand, find_opa
from kernel.clock import SECOND, Micros, SystemClock
from tests.ports import free_port

POLICIES = Path(__file__).parents[2] / "policies"
NOW = Micros(1_795_305_600 * SECOND)
"""22 November 2026, midnight UTC."""

MANIFEST = '{"revision": "", "roots": ["exchange"], "rego_version": 1}'
ECHO = """package exchange

default decision := {"allow": false, "fields": [], "obligations": [], "reasons": ["policy.denied"]}

decision := input.answer if input.answer
"""
"""Rules that answer what they are asked to answer."""


def bundle() -> Bundle:
    return Bundle.from_directory(POLICIES)


def catalogue() -> Catalogue:
    return Catalogue.load(bundle().files)


def bundle_of(decision: str, **others: str) -> Bundle:
    """Return a bundle whose decision.rego is this text."""
    files = {".manifest": MANIFEST, "exchange/decision.rego": decision}
    return Bundle.from_files(files | others)


def opa_command() -> OpaCommand:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    binary = find_opa(os.environ.get("OPA", ""), cache)
    assert binary is not None, "OPA is not installed: `make test` installs it; or set OPA to it."
    return OpaCommand(binary)


@contextmanager
def opa_server(*bundles: Bundle) -> Iterator[str]:
    """Run a real OPA that serves these bundles, on loopback, and yield its address."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{free_port()}"
        arguments = [str(opa_command().binary), "run", "--server", "--addr", url.split("//")[1]]
        arguments += ["--log-level", "error", "--skip-version-check"]
        for number, served in enumerate(bundles):
            place = Path(folder, f"{number}.tar.gz")
            place.write_bytes(served.opa_tarball())
            arguments += ["--bundle", str(place)]
        with Path(folder, "log").open("wb") as log:
            server = subprocess.Popen(arguments, stdout=log, stderr=log)
        try:
            wait_for(OpaEngine(url, SystemClock()), server, Path(folder, "log"))
            yield url
        finally:
            server.kill()
            server.wait()


def wait_for(engine: OpaEngine, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(400):
        if engine.healthy():
            return
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def changed(files: Mapping[str, str], path: str, before: str, after: str) -> dict[str, str]:
    """Return the files with one passage of one of them written differently."""
    assert before in files[path], f"{before!r} does not stand in {path}"
    return {**files, path: files[path].replace(before, after, 1)}
