"""An evil provider: a sign-in service that says and signs whatever a test wants it to."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from kernel.chance import SystemChance
from tests.unit.crypto.forge import forged, jwk

CLIENT = "gateway-residents"
OFFICERS = "gateway-officers"
LOW = "http://eidas.europa.eu/LoA/low"
SUBSTANTIAL = "http://eidas.europa.eu/LoA/substantial"
HIGH = "http://eidas.europa.eu/LoA/high"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
EC, ED, RSA = ECKey.generate_key("P-256"), OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048)
STRANGER = ECKey.generate_key("P-256")


@dataclass
class Raw:
    """An answer to the last byte; `drip` seconds lie between its pieces."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    drip: float = 0.0
    sized: bool = True


@dataclass
class Evil:
    """What it says; a test changes it, `reset` makes it honest again."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    """Claims of the id_token that are changed; None takes one away."""
    header: dict[str, Any] = field(default_factory=dict)
    key: Key | None = field(default_factory=lambda: EC)
    """What signs the id_token; None leaves the signature out."""
    response: dict[str, Any] = field(default_factory=dict)
    """Members of the token response that are changed; None takes one away."""
    document: dict[str, Any] = field(default_factory=dict)
    """Members of the discovery document that are changed."""
    keys: list[dict[str, Any]] | None = None
    raw: dict[str, Raw] = field(default_factory=dict)
    """Paths that answer with just these bytes."""
    person: str = ""
    nonce: str = ""
    client: str = CLIENT
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and body of every request that came."""

    def reset(self) -> None:
        issuer = self.issuer
        self.__dict__.update(Evil(issuer).__dict__)

    def count(self, path: str) -> int:
        return sum(one == path for one, _ in self.asked)

    def metadata(self) -> dict[str, Any]:
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/end",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["ES256", "PS256", "EdDSA", "RS256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return {k: v for k, v in {**told, **self.document}.items() if v is not None}

    def jwks(self) -> dict[str, Any]:
        ours = [
            jwk(EC, kid="ec", use="sig", alg="ES256"),
            jwk(ED, kid="ed", use="sig"),
            jwk(RSA, kid="rsa", use="sig"),
            jwk(ECKey.generate_key("P-384"), kid="p384", use="sig"),
            {"kty": "oct", "k": "AAAA", "kid": "oct"},
        ]
        return {"keys": ours if self.keys is None else self.keys}

    def id_token(self) -> str:
        now = int(time.time())
        honest = {
            "iss": self.issuer,
            "sub": "sub-1",
            "aud": self.client,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": self.nonce,
            "acr": LOW,
            "sid": "sid-1",
            "resident_number": self.person,
        }
        return self.sign({**honest, **self.claims}, {"typ": "JWT"})

    def logout_token(self, **changed: Any) -> str:
        now = int(time.time())
        honest = {
            "iss": self.issuer,
            "aud": self.client,
            "iat": now,
            "exp": now + 120,
            "jti": SystemChance().identifier("lo"),
            "sub": "sub-1",
            "sid": "sid-1",
            "events": {EVENT: {}},
        }
        return self.sign({**honest, **changed}, {"typ": "logout+jwt"})

    def sign(self, claims: Mapping[str, Any], header: Mapping[str, Any]) -> str:
        head = {"alg": "ES256", "kid": "ec", **header, **self.header}
        present = {name: value for name, value in claims.items() if value is not None}
        return forged({k: v for k, v in head.items() if v is not None}, present, self.key)

    def tokens(self) -> dict[str, Any]:
        told = {"access_token": "a", "token_type": "Bearer", "id_token": self.id_token()}
        return {k: v for k, v in {**told, **self.response}.items() if v is not None}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    evil: Evil


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer("")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, body: str) -> None:
        evil, path = self.server.evil, self.path.partition("?")[0]
        evil.asked.append((path, body))
        if (raw := evil.raw.get(path)) is not None:
            self._send(raw)
            return
        honest = {
            "/.well-known/openid-configuration": evil.metadata,
            "/jwks": evil.jwks,
            "/token": evil.tokens,
        }
        if path in honest:
            self._send(Raw(body=json.dumps(honest[path]()).encode()))
        else:
            self._send(Raw(404))

    def _send(self, raw: Raw) -> None:
        self.send_response(raw.status)
        for name, value in raw.headers.items():
            self.send_header(name, value)
        if raw.sized:
            self.send_header("Content-Length", str(len(raw.body)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        try:
            self.end_headers()
            step = 1 if raw.drip else len(raw.body) or 1
            for start in range(0, len(raw.body), step):
                self.wfile.write(raw.body[start : start + step])
                time.sleep(raw.drip)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def evil_provider() -> Iterator[Evil]:
    """Run one on a free port of loopback."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.evil = Evil(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.evil
        server.shutdown()
        thread.join()
