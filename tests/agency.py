"""An agency's system for tests: its own tokens and proofs, any bytes to the real server."""

import base64
import hashlib
import http.client
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from joserfc import jwe, jws, jwt
from joserfc.jwk import ECKey

RENEWED = 120.0
"""Seconds after which a token is not used any more; it lives for 300."""
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        return self.json["reason"]


@dataclass
class Agency:
    """One client of the gateway; every part of a request can be replaced by a test."""

    gateway: str
    client_id: str
    signing: dict
    sealing: dict
    proof_key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    held: str | None = None
    at: str | None = None
    """Where the gateway is reached, where that is not its own name."""
    asked: tuple[str, float] = ("", 0.0)
    """The token that it asked for by itself, and when."""
    ahead: float = 0.0
    """Seconds by which this system's clock is ahead."""

    def now(self) -> int:
        return int(time.time() + self.ahead)

    def assertion(self, **claims: Any) -> str:
        now = self.now()
        made = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.gateway,
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid.uuid4()),
            **claims,
        }
        header = {"alg": "ES256", "kid": self.signing["kid"]}
        return jwt.encode(header, made, ECKey.import_key(self.signing))

    def proof(self, method: str, path: str, token: str | None = None, **claims: Any) -> str:
        made = {
            "jti": str(uuid.uuid4()),
            "htm": method,
            "htu": self.gateway + path,
            "iat": self.now(),
            **({"ath": base64url(hashlib.sha256(token.encode()).digest())} if token else {}),
            **claims,
        }
        header = {
            "alg": "ES256",
            "typ": "dpop+jwt",
            "jwk": self.proof_key.as_dict(private=False),
        }
        return jwt.encode(header, made, self.proof_key)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict | None = None
    ) -> Answer:
        """Send one request on a connection of its own."""
        to = urlsplit(self.at or self.gateway)
        connection = http.client.HTTPConnection(to.hostname, to.port, timeout=120)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, answer.read())
        finally:
            connection.close()
            self.forget_old()

    def forget_old(self) -> None:
        """Let go of a token long before it ends, between requests: no proof is made for it yet."""
        token, since = self.asked
        if self.held == token and time.monotonic() > since + RENEWED:
            self.held = None

    def ask_token(self, **parameters: str) -> Answer:
        """Ask for a token; `scope` and every other parameter can be given or replaced."""
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            **parameters,
        }
        form.setdefault("client_assertion", self.assertion())
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "DPoP": self.proof("POST", "/oauth2/token"),
        }
        return self.request("POST", "/oauth2/token", urlencode(form).encode(), headers)

    @property
    def token(self) -> str:
        token = self.held
        if token is None:
            answer = self.ask_token()
            assert answer.status == 200, answer.body
            self.held = token = str(answer.json["access_token"])
            self.asked = token, time.monotonic()
        return token

    def authorization(self, method: str, path: str) -> dict[str, str]:
        token = self.token
        return {"Authorization": f"DPoP {token}", "DPoP": self.proof(method, path, token)}

    def get(self, path: str) -> Answer:
        return self.request("GET", path, None, self.authorization("GET", path))

    def post(self, body: Any, **headers: str) -> Answer:
        """POST /v1/exchanges with any body: bytes as they are, anything else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = "/v1/exchanges"
        return self.request(
            "POST",
            path,
            raw,
            {"Content-Type": "application/json", **self.authorization("POST", path), **headers},
        )

    def ask_consent(self, number: str, fields: dict[str, list[str]], **members: Any) -> Answer:
        """POST /v1/consent-requests about a resident, under the family allowance."""
        return self.post_consent_request(
            {
                "agreement": "family-allowance",
                "subject": {"scheme": "resident-number", "value": number},
                "fields": fields,
                **members,
            }
        )

    def post_consent_request(self, body: Any, **headers: str) -> Answer:
        """POST /v1/consent-requests with any body: bytes as they are, anything else as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = "/v1/consent-requests"
        return self.request(
            "POST",
            path,
            raw,
            {"Content-Type": "application/json", **self.authorization("POST", path), **headers},
        )

    def exchange(self, number: str, service: str, fields: list[str], **members: Any) -> Answer:
        """Ask for fields of a service about a resident, under the family allowance."""
        return self.post(
            {
                "agreement": "family-allowance",
                "service": service,
                "subject": {"scheme": "resident-number", "value": number},
                "fields": fields,
                "case": "FA-2026-00042",
                "user": "clerk-4471",
                **members,
            }
        )

    def open(self, answer: Answer) -> dict:
        """Open a sealed answer with the agency's own key."""
        assert answer.status == 200, answer.body
        opened = jwe.decrypt_compact(
            answer.json["sealed"],
            ECKey.import_key(self.sealing),
            algorithms=["ECDH-ES+A256KW", "A256GCM"],
        )
        return json.loads(opened.plaintext)

    def claims(self, answer: Answer) -> dict:
        """Return a receipt's claims; its signature is checked elsewhere."""
        return json.loads(jws.extract_compact(answer.json["receipt"].encode()).payload)
