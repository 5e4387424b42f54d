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
    VISITOR = "anybody with a browser"
    RESIDENT = "a resident who is signed in"
    OFFICER = "a privacy officer who is signed in"


EXCHANGES = "/v1/exchanges"
PEOPLE = frozenset({Audience.VISITOR, Audience.RESIDENT, Audience.OFFICER})
"""Whom refusals are told in a page, in their language."""


class Route(NamedTuple):
    """One address."""

    method: str
    rule: str
    view: str
    audience: Audience


API = (
    Route("GET", "/.well-known/oauth-authorization-server", "server_metadata", Audience.ANYONE),
    Route("GET", "/.well-known/oauth-protected-resource", "resource_metadata", Audience.ANYONE),
    Route("GET", "/oauth2/jwks", "token_keys", Audience.ANYONE),
    Route("POST", "/oauth2/token", "token", Audience.CLIENT),
    Route("GET", "/v1/services", "services", Audience.AGENCY),
    Route("GET", "/v1/services/<provider>/<service>", "service", Audience.AGENCY),
    Route("GET", "/v1/agreements", "agreements", Audience.AGENCY),
    Route("GET", "/v1/agreements/<agreement>", "agreement", Audience.AGENCY),
    Route("POST", EXCHANGES, "exchange", Audience.AGENCY),
    Route("GET", "/v1/exchanges/<exchange>", "exchange_state", Audience.AGENCY),
    Route("POST", "/v1/consent-requests", "consent_request", Audience.AGENCY),
    Route("GET", "/v1/consent-requests/<request>", "consent_request_state", Audience.AGENCY),
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
PAGES = (
    Route("GET", "/", "start", Audience.VISITOR),
    Route("GET", "/help", "help_page", Audience.VISITOR),
    Route("GET", "/assets/<name>", "asset", Audience.VISITOR),
    Route("GET", "/settings/language", "set_language", Audience.VISITOR),
    Route("GET", "/verify", "verify_page", Audience.VISITOR),
    Route("GET", "/home", "home", Audience.RESIDENT),
    Route("GET", "/requests/<request>", "request_page", Audience.RESIDENT),
    Route("POST", "/requests/<request>", "answer_request", Audience.RESIDENT),
    Route("GET", "/requests/<request>/choose", "choose_page", Audience.RESIDENT),
    Route("POST", "/requests/<request>/choose", "choose", Audience.RESIDENT),
    Route("GET", "/requests/<request>/check/<choice>", "check_page", Audience.RESIDENT),
    Route("POST", "/requests/<request>/check/<choice>", "give", Audience.RESIDENT),
    Route("GET", "/requests/<request>/answered", "answered_page", Audience.RESIDENT),
    Route("GET", "/consents", "consents_page", Audience.RESIDENT),
    Route("GET", "/consents/<consent>", "consent_page", Audience.RESIDENT),
    Route("POST", "/consents/<consent>", "change_consent", Audience.RESIDENT),
    Route("GET", "/consents/<consent>/stop", "stop_page", Audience.RESIDENT),
    Route("POST", "/consents/<consent>/stop", "stop", Audience.RESIDENT),
    Route("GET", "/consents/<consent>/stopped", "stopped_page", Audience.RESIDENT),
    Route("GET", "/consents/<consent>/narrow", "narrow_page", Audience.RESIDENT),
    Route("POST", "/consents/<consent>/narrow", "narrow", Audience.RESIDENT),
    Route("GET", "/consents/<consent>/renew", "renew_page", Audience.RESIDENT),
    Route("POST", "/consents/<consent>/renew", "renew_chosen", Audience.RESIDENT),
    Route("GET", "/consents/<consent>/renew/check/<choice>", "renew_check", Audience.RESIDENT),
    Route("POST", "/consents/<consent>/renew/check/<choice>", "renew", Audience.RESIDENT),
    Route("GET", "/receipts/<receipt>", "receipt_page", Audience.RESIDENT),
    Route("GET", "/receipts/<receipt>/code.svg", "receipt_code", Audience.RESIDENT),
    Route("GET", "/receipts/<receipt>/receipt.jwt", "receipt_file", Audience.RESIDENT),
    Route("GET", "/settings", "settings_page", Audience.RESIDENT),
    Route("GET", "/settings/lock", "lock_page", Audience.RESIDENT),
    Route("POST", "/settings/lock", "lock", Audience.RESIDENT),
    Route("GET", "/activity", "activity", Audience.RESIDENT),
    Route("GET", "/activity/<number>", "activity_entry", Audience.RESIDENT),
    Route("GET", "/activity/<number>/evidence", "evidence_file", Audience.RESIDENT),
    Route("GET", "/activity/<number>/report", "report_page", Audience.RESIDENT),
    Route("POST", "/activity/<number>/report", "report_entry", Audience.RESIDENT),
    Route("GET", "/required-by-law", "required_by_law", Audience.RESIDENT),
    Route("GET", "/required-by-law/<agreement>/object", "objection_page", Audience.RESIDENT),
    Route("POST", "/required-by-law/<agreement>/object", "object_by_law", Audience.RESIDENT),
    Route("GET", "/cases", "own_cases", Audience.RESIDENT),
    Route("GET", "/cases/<case>", "own_case", Audience.RESIDENT),
    Route("GET", "/download", "download_page", Audience.RESIDENT),
    Route("POST", "/download", "download_all", Audience.RESIDENT),
    Route("GET", "/officer", "officer_queue", Audience.OFFICER),
    Route("GET", "/officer/cases/<case>", "officer_case", Audience.OFFICER),
    Route("POST", "/officer/cases/<case>", "officer_answer", Audience.OFFICER),
)
SIGNIN = (
    Route("GET", "/login", "login", Audience.VISITOR),
    Route("GET", "/login/callback", "login_callback", Audience.VISITOR),
    Route("GET", "/login/keys", "login_keys", Audience.ANYONE),
    Route("POST", "/logout", "logout", Audience.VISITOR),
    Route("POST", "/backchannel-logout", "backchannel_logout", Audience.ANYONE),
    Route("GET", "/officer/login", "officer_login", Audience.VISITOR),
    Route("GET", "/officer/login/callback", "officer_login_callback", Audience.VISITOR),
    Route("POST", "/officer/logout", "officer_logout", Audience.VISITOR),
    Route("POST", "/officer/backchannel-logout", "officer_backchannel_logout", Audience.ANYONE),
)
HERE = (Route("GET", "/policies/bundle/<place>", "bundle", Audience.OPERATOR),)
ROUTES = API + SIGNIN + PAGES + HERE
AUDIENCES = {route.view: route.audience for route in ROUTES}


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
