"""Real OPA servers that load their policies over HTTP and verify them, as in production."""

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from crypto.jose import SigningKey
from crypto.keys import KeyRing
from gateway.http.bundles import opa_config
from gateway.policy.bundle import Bundle
from gateway.policy.signed import public_pem, signed_bundle
from gateway.serving.parent import die_with_parent
from kernel.chance import SystemChance
from kernel.clock import SystemClock
from tests.policies.repository import opa_command
from tests.ports import free_port

PATIENCE = 120.0


def until(condition: Callable[[], Any], what: str = "it came about") -> None:
    """Wait for something."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


class Opa:
    """One server, from a configuration; it can be killed and started again at its address."""

    def __init__(self, config: dict[str, Any], directory: Path) -> None:
        directory.mkdir(parents=True)
        self._config = directory / "opa.json"
        self._config.write_text(json.dumps(config))
        self._log = directory / "log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def start(self) -> "Opa":
        command = [str(opa_command().binary), "run", "--server", "--skip-version-check"]
        command += ["--log-level", "error", "--addr", f"127.0.0.1:{self.port}"]
        command += ["--config-file", str(self._config)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - only a system call
            )
        until(lambda: self._asked("/health") is not None, f"OPA started: {self.log}")
        return self

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def revision(self) -> str | None:
        """Return the revision that it decides under, or None where it has none or is away."""
        answer = self._asked("/v1/data/exchange/decision?provenance=true") or {}
        for loaded in answer.get("provenance", {}).get("bundles", {}).values():
            return str(loaded["revision"])
        return None

    def has(self, revision: str) -> None:
        """Wait until it decides under a revision."""
        until(lambda: self.revision() == revision, f"OPA has {revision}: {self.log}")

    def _asked(self, path: str) -> dict[str, Any] | None:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return dict(json.loads(answer.read()))
        except (urllib.error.URLError, OSError, ValueError):
            return None


@dataclass
class Shelf:
    """Stands for the gateway's address of bundles: hands out whatever a test puts there."""

    key: SigningKey
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: int = 0

    def put(self, place: str, bundle: Bundle) -> None:
        self.files[place] = self.signed(bundle)

    def signed(self, bundle: Bundle) -> bytes:
        return signed_bundle(bundle, self.key.jose.private_key, self.key.kid)

    def config(self, place: str) -> dict[str, Any]:
        return opa_config(self.url, place, self.key.kid, public_pem(self.key))

    def asked_again(self) -> None:
        """Wait until OPA looked, and had the time to load what it found then."""
        before = self.asked
        until(lambda: self.asked >= before + 2, "OPA looks again")


@contextmanager
def shelf(directory: Path) -> Iterator[Shelf]:
    """Serve bundles on a free port of loopback."""
    held = Shelf(KeyRing.open(directory / "keys", SystemChance(), SystemClock()).policy)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = held.files.get(self.path.rpartition("/")[2])
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")
            held.asked += 1

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    held.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
