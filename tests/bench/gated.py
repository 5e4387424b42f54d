"""Gated: what a user would pick instead of us, nginx with `auth_request` to OPA."""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.demo.country import ROOT
from gateway.policy.opa_command import find_opa
from tests.bench.nginx import ASKING_OPA, await_port, nginx
from tests.bench.scene import Peopled
from tests.bench.wrk import Load, load, raw
from tests.ports import free_port

CACHE = ("--set", "caching.inter_query_builtin_value_cache.named.io_jwt.max_num_entries=1000")
"""OPA remembers the tokens that it verified."""


@dataclass(frozen=True)
class Gate:
    """A running gate, and what is asked of it."""

    place: Path
    url: str
    requests: Sequence[bytes]

    def load(self, connections: int, seconds: int) -> Load:
        """Load it, over and over with the same requests: nothing here counts once."""
        return load(self.place, self.url, self.requests, connections, seconds)


@contextmanager
def opa(place: Path, key: ECKey, options: Sequence[str]) -> Iterator[int]:
    """Run OPA with the gateway's rules and the gate's, and the key of the tokens; its port."""
    binary, port = find_opa("", Path.home() / ".cache"), free_port()
    if binary is None:
        raise SystemExit("the benchmarks need opa: run tests/setup.")
    (place / "data.json").write_text(
        json.dumps({"keys": json.dumps({"keys": [key.as_dict(private=False)]})})
    )
    rules = [str(ROOT / "policies" / "exchange"), str(ROOT / "tests" / "bench" / "gate.rego")]
    server = subprocess.Popen(
        [
            *(str(binary), "run", "--server", "--addr", f"127.0.0.1:{port}"),
            *("--log-level", "error", "--skip-version-check", *options),
            *(*rules, str(place / "data.json")),
        ]
    )
    try:
        await_port(port)
        yield port
    finally:
        server.terminate()
        server.wait()


@contextmanager
def gated(place: Path, people: Peopled, source: int, options: Sequence[str] = ()) -> Iterator[Gate]:
    """Run nginx before the source, which asks OPA about token and rules, and warm it up."""
    key, port = ECKey.generate_key("P-256"), free_port()
    claims = {"scope": "exchange.request", "exp": int(time.time()) + 3600}
    token = jwt.encode({"alg": "ES256"}, claims, key)
    headers = {"Host": "gate", "Authorization": f"Bearer {token}"}
    requests = [raw("GET", f"/v1/people/{number}", headers) for number in people.numbers]
    place.mkdir()
    with opa(place, key, options) as asking:
        servers = ASKING_OPA.format(port=port, opa=asking, source=source, facts=people.facts)
        with nginx(place / "gate", port, servers):
            gate = Gate(place, f"http://127.0.0.1:{port}", requests)
            gate.load(32, 1)
            yield gate
