"""Routes: every address of the gateway, whom it is for, and the view behind it."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import NamedTuple

from flask import Flask
from werkzeug.wrappers import Response

View = Callable[..., Response]


class Audience(StrEnum):
    """Who may use an address."""

    ANYONE = "anyone"
    CLIENT = "a registered client, with its assertion"
    AGENCY = "an agency system, with token and proof"
    OPERATOR = "the operator, from loopback"


class Route(NamedTuple):
    """One address."""

    method: str
    rule: str
    view: str
    audience: Audience


ROUTES = (
    Route("GET", "/.well-known/oauth-authorization-server", "server_metadata", Audience.ANYONE),
    Route("GET", "/.well-known/oauth-protected-resource", "resource_metadata", Audience.ANYONE),
    Route("GET", "/oauth2/jwks", "token_keys", Audience.ANYONE),
    Route("POST", "/oauth2/token", "token", Audience.CLIENT),
    Route("GET", "/v1/services", "services", Audience.AGENCY),
    Route("GET", "/v1/services/<provider>/<service>", "service", Audience.AGENCY),
    Route("GET", "/v1/agreements", "agreements", Audience.AGENCY),
    Route("GET", "/v1/agreements/<agreement>", "agreement", Audience.AGENCY),
    Route("POST", "/v1/exchanges", "exchange", Audience.AGENCY),
    Route("GET", "/v1/exchanges/<exchange>", "exchange_state", Audience.AGENCY),
    Route("GET", "/v1/receipts/keys", "receipt_keys", Audience.ANYONE),
    Route("GET", "/audit/log/checkpoint", "checkpoint", Audience.ANYONE),
    Route("GET", "/audit/log/vkey", "vkey", Audience.ANYONE),
    Route("GET", "/audit/log/proof/<index>", "proof", Audience.AGENCY),
    Route("GET", "/errors/<reason>", "error_page", Audience.ANYONE),
    Route("GET", "/openapi.json", "openapi", Audience.ANYONE),
    Route("GET", "/docs", "docs", Audience.ANYONE),
    Route("GET", "/livez", "livez", Audience.ANYONE),
    Route("GET", "/readyz", "readyz", Audience.ANYONE),
    Route("GET", "/metrics", "metrics", Audience.OPERATOR),
)


def register(app: Flask, views: Mapping[str, View]) -> None:
    """Put every view at its address; OPTIONS and HEAD are nobody's."""
    for route in ROUTES:
        app.add_url_rule(
            route.rule,
            endpoint=route.view,
            view_func=views[route.view],
            methods=[route.method],
            provide_automatic_options=False,
        )
