"""Pages for everybody: keys, the ledger's head, health and figures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flask import request
from werkzeug.wrappers import Response

from gateway.http.views import reply, text
from gateway.observing.metrics import Metrics
from gateway.ports import LogReader
from gateway.setup.forwarded import Operators
from kernel.canonical import Json
from kernel.errors import Reason, Refusal


@dataclass(frozen=True, slots=True)
class PublicViews:
    """What anyone may look at."""

    receipt_jwks: Callable[[], Mapping[str, Json]]
    log: LogReader
    metrics_of: Metrics
    unready: Callable[[], list[str]]
    """Names what keeps the gateway from serving; empty when nothing does."""
    unasked: Callable[[], Mapping[str, str]] = dict
    """Names the sources that are not asked for a while, with the state of their circuit."""
    operators: Operators = field(default_factory=Operators)

    def receipt_keys(self) -> Response:
        """GET /v1/receipts/keys: the JWKS that signs receipts (RFC 7517)."""
        return reply(self.receipt_jwks())

    def checkpoint(self) -> Response:
        """GET /audit/log/checkpoint: the latest C2SP checkpoint."""
        return text(self.log.checkpoint())

    def vkey(self) -> Response:
        """GET /audit/log/vkey: the log's verifier key (C2SP signed-note)."""
        return text(self.log.vkey() + "\n")

    def livez(self) -> Response:
        """GET /livez: the process answers."""
        return text("ok\n")

    def readyz(self) -> Response:
        """GET /readyz: the process can serve, or what keeps it from that; a source that does not
        answer keeps it from nothing else."""
        missing, unasked = self.unready(), self.unasked()
        health: dict[str, Json] = {"ready": not missing, "missing": list(missing)}
        if unasked:
            health["sources"] = dict(unasked)
        return reply(health, 503 if missing else 200)

    def metrics(self) -> Response:
        """GET /metrics: for Prometheus, from this machine and where the settings say."""
        if not self.operators.include(request.environ):
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is nothing at this address.")
        return text(self.metrics_of.text(), "text/plain; version=0.0.4; charset=utf-8")
