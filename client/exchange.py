"""Exchange: ask, open, check the evidence; only then is there an answer.

1. discover the gateway's endpoints      2. get a token bound to our key
3. ask, once                             4. open the seal
5. check the receipt and its proof
"""

import json
import time
from collections.abc import Callable, Mapping
from threading import Lock

from client.jose import as_object, take_apart
from client.keys import Identity, proof_key
from client.log import LogKey
from client.model import (
    Answer,
    Json,
    NotTrustworthy,
    Question,
    Refused,
    Unreachable,
    Withheld,
)
from client.proofs import Prover
from client.receipt import Expected, Trust, check_receipt, receipt_keys
from client.seal import open_seal
from client.tokens import SCOPE, Endpoints, Tokens, discover
from client.transport import Reply, Transport

TIMEOUT = 30.0
"""Seconds without a byte from the gateway."""
_PATH = "/v1/exchanges"
_DONE = frozenset({200, 201})


def _seconds() -> int:
    return time.time_ns() // 1_000_000_000


class Client:
    """An agency's system before one gateway; usable from several threads."""

    def __init__(
        self,
        gateway: str,
        identity: Identity,
        *,
        log_key: LogKey | None = None,
        timeout: float = TIMEOUT,
        now: Callable[[], int] = _seconds,
    ) -> None:
        """Keep who asks whom; `log_key` pins the log, else the gateway's word is taken for it."""
        self._transport = Transport(gateway, timeout)
        self._identity = identity
        self._now = now
        self._prover = Prover(proof_key())
        self._tokens = Tokens(self._transport, identity, self._prover, now)
        self._lock = Lock()
        self._endpoints: Endpoints | None = None
        self._trust: Trust | None = None
        self._log_key = log_key

    def exchange(self, question: Question) -> Answer:
        """Return the opened and proven answer, or raise a `ClientError`; nothing is retried."""
        endpoints = self._discovered()  # 1
        told = self.call("POST", _PATH, SCOPE, _body(question))  # 2, 3
        exchange, sealed, receipt = (
            _text(told, name) for name in ("exchange", "sealed", "receipt")
        )
        opened = open_seal(  # 4
            sealed, self._identity, endpoints.issuer, exchange, question.service
        )
        withheld = _withheld(told, question)
        claims = {
            "iss": endpoints.issuer,
            "aud": self._identity.client_id,
            "exchange": exchange,
            "agreement": question.agreement,
            "service": question.service,
        }
        released = set(question.fields) - {one.field for one in withheld}
        check_receipt(receipt, self._trusted(receipt), Expected(claims, released, sealed))  # 5
        return Answer(
            exchange, question.service, opened.as_of, opened.record, withheld, receipt, sealed
        )

    def call(self, method: str, path: str, scope: str, body: Json = None) -> Mapping[str, Json]:
        """Return what an address of the gateway's API answers to our token and a fresh proof, or
        raise `Refused` or `Unreachable`; sent once."""
        endpoints = self._discovered()
        token = self._tokens.get(endpoints, scope)
        headers = {
            "Authorization": f"DPoP {token}",
            "DPoP": self._prover.prove(method, endpoints.audience + path, self._now(), token),
        }
        if method == "POST":
            sent = json.dumps(body).encode()
            reply = self._transport.post(
                path, {"Content-Type": "application/json", **headers}, sent
            )
        else:
            reply = self._transport.get(path, headers)
        if reply.status not in _DONE:
            refused = _refusal(reply)
            if refused.reason.startswith("token."):
                self._tokens.forget()
            raise refused
        return as_object(reply.body)

    def _discovered(self) -> Endpoints:
        with self._lock:
            if self._endpoints is None:
                self._endpoints = discover(self._transport)
            return self._endpoints

    def _trusted(self, receipt: str) -> Trust:
        """Return what to check a receipt with; keys that were rotated meanwhile are fetched."""
        kid = take_apart(receipt).header.get("kid")
        with self._lock:
            if self._trust is None or kid not in self._trust.keys:
                keys = receipt_keys(self._transport.fetch("/v1/receipts/keys"))
                self._trust = Trust(keys, self._log_key or LogKey.parse(_log_key(self._transport)))
            return self._trust


def fetch_log_key(gateway: str, timeout: float = TIMEOUT) -> str:
    """Return the log's verifier key as the gateway publishes it, to be pinned."""
    return _log_key(Transport(gateway, timeout))


def _log_key(transport: Transport) -> str:
    return transport.fetch("/audit/log/vkey").decode("utf-8", "replace")


def _body(question: Question) -> dict[str, Json]:
    named = {"case": question.case, "user": question.user}
    return {
        "agreement": question.agreement,
        "service": question.service,
        "subject": {"scheme": question.subject.scheme, "value": question.subject.value},
        "fields": list(question.fields),
        **{name: value for name, value in named.items() if value is not None},
    }


def _refusal(reply: Reply) -> Refused:
    """Return the refusal of a problem document (RFC 9457), or raise `Unreachable`."""
    try:
        told = json.loads(reply.body)
        reason, detail, exchange = told["reason"], told.get("detail", ""), told.get("exchange")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Unreachable(f"The gateway answered with the status {reply.status}.") from None
    named = exchange if isinstance(exchange, str) else None
    return Refused(str(reason), str(detail), reply.status, named)


def _withheld(told: Mapping[str, Json], question: Question) -> tuple[Withheld, ...]:
    listed = told.get("withheld")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise NotTrustworthy("The answer does not list what was withheld.")
    withheld = tuple(Withheld(_text(one, "field"), _text(one, "reason")) for one in listed)
    if not {one.field for one in withheld} <= set(question.fields):
        raise NotTrustworthy("The answer withholds fields that nobody asked for.")
    return withheld


def _text(told: Mapping[str, Json], name: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not value.isascii():
        raise NotTrustworthy(f"The answer has no text '{name}'.")
    return value
