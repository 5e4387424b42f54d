"""A gateway's stand-in on loopback: it answers one exchange well, or with one piece changed."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwe
from joserfc.jwk import ECKey, OKPKey

from audit.checkpoint import Signer, tlog_proof
from audit.merkle import Growth, inclusion
from audit.model import Tree
from client import Identity, Question, Subject
from client.jose import SigningKey, encode, sign

CLIENT_ID = "family-benefits-1"
EXCHANGE = "ex_abc"
REQUEST = "rq_" + "a" * 26
QUESTION = Question(
    "family-allowance",
    "population/residents",
    Subject("resident-number", "RN-1234566"),
    ("/name/family", "/children/*/birth_date", "/phone"),
    "FA-2026-00042",
)
RECORD = {"name": {"family": "Şen"}, "children": [{"birth_date": "2026-08-21"}]}
NOW = 1_790_000_000
Change = Callable[[Any], Any]


class Standin:
    """What the stand-in holds, what it saw, and what it changes."""

    def __init__(self) -> None:
        self.url = ""
        self.seal_key = ECKey.generate_key("P-256", {"kid": "seal-1", "use": "enc"})
        self.client_key = ECKey.generate_key("P-256", {"kid": "sig-1", "use": "sig"})
        self.receipt_key = SigningKey(
            "EdDSA", "receipt-1", OKPKey.generate_key("Ed25519", {"kid": "receipt-1"})
        )
        self.log = Signer("gateway.example/audit/log", Ed25519PrivateKey.generate())
        self.changes: dict[str, Change] = {}
        self.seen: list[tuple[str, dict[str, str], bytes]] = []

    def identity(self) -> Identity:
        return Identity.of(
            CLIENT_ID, self.client_key.as_dict(private=True), self.seal_key.as_dict(private=True)
        )

    def piece(self, name: str, value: Any) -> Any:
        return self.changes.get(name, lambda same: same)(value)

    def answer(self, path: str) -> tuple[int, Any]:
        pieces: dict[str, Callable[[], tuple[int, Any]]] = {
            "/.well-known/oauth-authorization-server": lambda: (200, self.server()),
            "/.well-known/oauth-protected-resource": lambda: (
                200,
                self.piece("resource", {"resource": self.url}),
            ),
            "/oauth2/token": self.token,
            "/v1/receipts/keys": lambda: (200, self.keys()),
            "/audit/log/vkey": lambda: (200, self.piece("vkey", self.log.vkey + "\n")),
            "/v1/exchanges": lambda: self.piece("reply", (200, self.exchange())),
            "/v1/consent-requests": lambda: self.piece("asked", (201, self.consent_request())),
            f"/v1/consent-requests/{REQUEST}": lambda: self.piece(
                "state", (200, {"request": REQUEST, "state": "answered"})
            ),
        }
        return pieces.get(path, lambda: (404, {}))()

    def consent_request(self) -> Any:
        url, expires = f"{self.url}/requests/{REQUEST}", "2026-12-22T16:23:30.858311Z"
        return {"request": REQUEST, "url": url, "state": "open", "expires": expires}

    def server(self) -> Any:
        document = {"issuer": self.url, "token_endpoint": f"{self.url}/oauth2/token"}
        return self.piece("server", document)

    def token(self) -> Any:
        token = {"access_token": "a.b.c", "token_type": "DPoP", "expires_in": 300}
        return self.piece("token", (200, token))

    def keys(self) -> Any:
        return self.piece("keys", {"keys": [self.receipt_key.jose.as_dict(private=False)]})

    def exchange(self) -> Any:
        sealed = self.sealed()
        answer = {
            "exchange": EXCHANGE,
            "sealed": sealed,
            "receipt": self.receipt(sealed),
            "withheld": [{"field": "/phone", "reason": "field.not_consented"}],
        }
        return self.piece("answer", answer)

    def sealed(self) -> str:
        plaintext = {
            "exchange": EXCHANGE,
            "service": QUESTION.service,
            "as_of": "2026-09-01T00:00:00Z",
            "record": RECORD,
        }
        header = {
            "alg": "ECDH-ES+A256KW",
            "enc": "A256GCM",
            "typ": "causeway-extract+jwe",
            "cty": "application/json",
            "kid": "seal-1",
            "apu": encode(self.url.encode()),
            "apv": encode(f"{CLIENT_ID}|{EXCHANGE}".encode()),
        }
        text = self.piece("plaintext", json.dumps(plaintext).encode())
        head = self.piece("seal", header)
        registry = jwe.JWERegistry(
            algorithms=["ECDH-ES+A256KW", "ECDH-ES", "A256GCM", "A128GCM", "DEF"],
            strict_check_header=False,
        )
        key = ECKey.import_key({**self.seal_key.as_dict(private=False)})
        return str(jwe.encrypt_compact(head, text, key, registry=registry))

    def receipt(self, sealed: str) -> str:
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": NOW,
            "exchange": EXCHANGE,
            "agreement": QUESTION.agreement,
            "service": QUESTION.service,
            "fields": ["/children/*/birth_date", "/name/family"],
            "sealed_sha256": encode(sha256(sealed.encode()).digest()),
            "log": self.piece("log", self.logged()),
        }
        header = {"typ": "causeway-receipt+jwt", "kid": "receipt-1"}
        return sign(self.piece("receipt", header), self.piece("claims", claims), self.receipt_key)

    def logged(self, index: int = 11, size: int = 21) -> dict[str, Any]:
        tree = Growth(0, [])
        tree.extend(sha256(bytes([n])).digest() for n in range(size))
        path = inclusion(index, size, tree.subtree)
        note = self.piece("note", self.log.sign(Tree(size, tree.subtree(0, size))))
        return {
            "origin": self.log.name,
            "index": index,
            "leaf": encode(sha256(bytes([index])).digest()),
            "proof": self.piece("proof", tlog_proof(index, path, note)),
        }


@contextmanager
def standing_in() -> Iterator[Standin]:
    """Serve a stand-in on a free port."""
    standin = Standin()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            standin.seen.append((self.path, dict(self.headers), body))
            status, content = standin.answer(self.path)
            text = content if isinstance(content, str) else json.dumps(content)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        standin.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield standin
        finally:
            server.shutdown()
            thread.join()
