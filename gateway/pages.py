"""Pages for everybody: keys, the ledger's head, health, and what each reason means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from flask import request
from werkzeug.wrappers import Response

from gateway.forwarded import Operators
from gateway.observing.metrics import Metrics
from gateway.ports import LogReader
from gateway.problems import EXPLANATIONS, Explanation
from gateway.views import reply, text
from kernel.canonical import Json
from kernel.errors import Reason, Refusal

HERE = Path(__file__).parent


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

    def error_page(self, reason: str) -> Response:
        """GET /errors/{reason}: what a reason code means and what to do about it."""
        try:
            known = Reason(reason)
        except ValueError:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is no such reason.") from None
        return text(_explain(known, EXPLANATIONS[known]), "text/html; charset=utf-8")

    def openapi(self) -> Response:
        """GET /openapi.json: the API's description (OpenAPI 3.1)."""
        document = (HERE / "openapi.json").read_text(encoding="utf-8")
        return text(document, "application/json")

    def docs(self) -> Response:
        """GET /docs: the same, to read."""
        return text((HERE / "docs.html").read_text(encoding="utf-8"), "text/html; charset=utf-8")


def _explain(reason: Reason, explanation: Explanation) -> str:
    title, meaning, remedy = map(
        escape, (explanation.title, explanation.meaning, explanation.remedy)
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<main><h1>{title}</h1><p><code>{reason.value}</code>, status {explanation.status}</p>"
        f"<h2>What it means</h2><p>{meaning}</p><h2>What to do</h2><p>{remedy}</p></main></html>\n"
    )
