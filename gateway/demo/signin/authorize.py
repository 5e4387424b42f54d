"""Authorize: which requests the try-out provider takes (OIDC Core §3.1.2.1, RFC 7636, RFC 9700)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from gateway.demo.signin.grants import Asked
from gateway.demo.signin.register import Client
from identity.model import Level
from identity.oidc_model import ACR

MAX_QUERY = 8192
_MAX_FIELDS = 32
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class NotOurs(ValueError):
    """The request names no client, or an address that is not the client's: nobody is sent on."""


class Wrong(ValueError):
    """The request is the client's and not in order; `error` is RFC 6749's word for it."""

    def __init__(self, error: str, asked: Asked) -> None:
        """Keep the word, and where to tell it."""
        super().__init__(error)
        self.error = error
        self.asked = asked


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request that is in order."""

    asked: Asked
    client: Client
    at_least: Level


def once(text: str) -> Mapping[str, str]:
    """Return the parameters, each once, or raise `NotOurs`."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise NotOurs("The address cannot be read.") from None
    if len(text) > MAX_QUERY or len(dict(pairs)) != len(pairs):
        raise NotOurs("The address is too long or names something twice.")
    return dict(pairs)


def check(query: str, clients: Mapping[str, Client]) -> Request:
    """Return the request in a query, or raise `NotOurs` or `Wrong`."""
    given = once(query)
    client = clients.get(given.get("client_id", ""))
    redirect_uri = given.get("redirect_uri", "")
    # Letter by letter (RFC 9700 §4.1.3).
    if client is None or redirect_uri not in client.redirect_uris:
        raise NotOurs("The site that sent you is not known here.")
    asked = Asked(
        client.id,
        redirect_uri,
        given.get("state", ""),
        given.get("nonce", ""),
        given.get("code_challenge", ""),
    )
    if given.get("response_type") != "code":
        raise Wrong("unsupported_response_type", asked)
    if "openid" not in given.get("scope", "").split(" "):
        raise Wrong("invalid_scope", asked)
    pkce = given.get("code_challenge_method") == "S256" and _CHALLENGE.fullmatch(asked.challenge)
    if not pkce or not asked.state or not asked.nonce or {"request", "request_uri"} & given.keys():
        raise Wrong("invalid_request", asked)
    if given.get("prompt") == "none":
        raise Wrong("login_required", asked)
    named = [ACR[one] for one in given.get("acr_values", "").split(" ") if one in ACR]
    return Request(asked, client, min(named, default=Level.LOW))
