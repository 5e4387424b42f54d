"""Views for agency systems: the exchange, and the directory of what may be exchanged."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from flask import request
from werkzeug.wrappers import Response

from gateway.ask import Posted
from gateway.http.directory import agreement_document, service_document
from gateway.model import Agreement, Answer
from gateway.pipeline import Pipeline
from gateway.ports import Authenticate, Control, InForce, LogReader, Released
from identity.model import Caller, Credentials, Scope
from kernel.canonical import Json
from kernel.errors import Outdated, Reason, Refusal
from kernel.names import AgreementId, ExchangeId, ServiceId

MAX_INDEX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class AgencyViews:
    """What agency systems can do here, each after its own proof."""

    pipeline: Pipeline
    authenticate: Authenticate
    control: Control
    released: Released
    log: LogReader

    def exchange(self) -> Response:
        """POST /v1/exchanges: one governed exchange."""
        return reply(exchanged(self.pipeline.handle(credentials(), posted())))

    def exchange_state(self, exchange: str) -> Response:
        """GET /v1/exchanges/{id}: state and receipt of the caller's own exchange, never data."""
        caller = self.authenticate(credentials(), Scope.EXCHANGE_REQUEST)
        found = self.released.find(ExchangeId(exchange), caller.client_id)
        if found is None:
            raise Refusal(Reason.EXCHANGE_UNKNOWN, "You opened no exchange of that identifier.")
        return reply(found)

    def services(self) -> Response:
        """GET /v1/services: what can be asked for at all."""
        _, in_force = self._reading()
        return reply({"services": [service_document(one) for one in in_force.services.values()]})

    def service(self, provider: str, service: str) -> Response:
        """GET /v1/services/{provider}/{service}: one service and its fields."""
        _, in_force = self._reading()
        found = in_force.services.get(ServiceId(f"{provider}/{service}"))
        if found is None:
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is no service of that name.")
        return reply(service_document(found))

    def agreements(self) -> Response:
        """GET /v1/agreements: the caller's own."""
        caller, in_force = self._reading()
        own = [one for one in in_force.agreements.values() if one.agency == caller.agency]
        return reply({"agreements": [_told(in_force, one) for one in own]})

    def agreement(self, agreement: str) -> Response:
        """GET /v1/agreements/{id}: one of the caller's own."""
        caller, in_force = self._reading()
        found = in_force.agreements.get(AgreementId(agreement))
        if found is None or found.agency != caller.agency:
            raise Refusal(Reason.AGREEMENT_UNKNOWN, "Your agency has no agreement of that name.")
        return reply(_told(in_force, found))

    def proof(self, index: str) -> Response:
        """GET /audit/log/proof/{index}: for a party to that entry, or with `audit.entries`."""
        plain = index.isascii() and index.isdigit() and len(index) <= MAX_INDEX_DIGITS
        if not plain or index != str(int(index)):  # a path has one spelling
            raise Refusal(Reason.REQUEST_NOT_FOUND, "An entry has a number.")
        caller = self.authenticate(credentials(), None)
        header = self.log.header(int(index))
        party = header is not None and caller.agency in {
            header.get("consumer"),
            header.get("provider"),
        }
        if header is None or not (party or Scope.AUDIT_ENTRIES in caller.scopes):
            raise Refusal(Reason.REQUEST_NOT_FOUND, "There is no such entry of yours.")
        return text(self.log.proof(int(index)))

    def _reading(self) -> tuple[Caller, InForce]:
        caller = self.authenticate(credentials(), Scope.DIRECTORY_READ)
        try:
            return caller, self.control.at(caller.epoch)
        except Outdated:
            caller = self.authenticate.refresh(caller)
            return caller, self.control.at(caller.epoch)


def _told(in_force: InForce, agreement: Agreement) -> dict[str, Json]:
    return agreement_document(agreement, in_force.services, in_force.stops)


def exchanged(answer: Answer) -> dict[str, Json]:
    """Return what leaves with an exchange."""
    withheld = [
        {"field": field, "reason": Reason.FIELD_NOT_CONSENTED.value} for field in answer.withheld
    ]
    return {
        "exchange": answer.exchange,
        "sealed": answer.sealed.jwe,
        "receipt": answer.receipt.jws,
        "withheld": withheld,
    }


def credentials() -> Credentials:
    """Return what the request at hand shows for itself."""
    return Credentials(
        method=request.method,
        path=request.path,
        authorization=tuple(request.headers.getlist("Authorization")),
        dpop=tuple(request.headers.getlist("DPoP")),
    )


def posted() -> Posted:
    """Return what the request at hand brings, and what it says about it."""
    return Posted(
        body=request.get_data(cache=False),
        content_type=request.headers.get("Content-Type", ""),
        content_encoding=request.headers.get("Content-Encoding", ""),
        query=bool(request.query_string),
        idempotency_key="Idempotency-Key" in request.headers,
    )


def reply(document: Mapping[str, Json], status: int = 200) -> Response:
    """Return a JSON answer that nobody stores."""
    return Response(
        orjson.dumps(document),
        status,
        {"Cache-Control": "no-store"},
        content_type="application/json",
    )


def text(body: str, content_type: str = "text/plain; charset=utf-8") -> Response:
    """Return a plain answer that nobody stores."""
    return Response(body, 200, {"Cache-Control": "no-store"}, content_type=content_type)
