"""Guard: what a token request may look like before anything in it is believed (RFC 6749 §3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from authlib.oauth2 import OAuth2Error
from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

MAX_BODY = 16 * 1024
_MAX_PARAMETERS = 16
_FORM = "application/x-www-form-urlencoded"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, repr=False)
class Form:
    """A token request that is well formed: its parameters, each once, and its DPoP headers."""

    parameters: Mapping[str, str]
    dpop: tuple[str, ...]


def refused(error: str, description: str, status: int = 400) -> OAuth2Error:
    """Return the error answer of RFC 6749 §5.2; the description never repeats what was sent."""
    return OAuth2Error(description=description, status_code=status, error=error)


def unauthenticated() -> OAuth2Error:
    """Return the one answer to every failed client authentication."""
    return refused("invalid_client", "Client authentication failed: see private_key_jwt.", 401)


def admit(request: Request, audience: str) -> Form:
    """Return the form of a token request, or raise `OAuth2Error`."""
    if request.query_string:
        raise refused("invalid_request", "Parameters belong into the body, not into the URL.")
    _check_type(request)
    parameters = _parameters(_body(request))
    _check_authentication(request, parameters)
    if not parameters.get("grant_type"):
        raise refused("invalid_request", "The parameter grant_type is missing.")
    if "authorization_details" in parameters:
        raise refused("invalid_authorization_details", "No type of detail is accepted here.")
    if parameters.get("resource", audience) != audience:
        raise refused("invalid_target", "Tokens are issued for this gateway alone.")
    return Form(parameters, tuple(request.headers.getlist("DPoP")))


def _check_type(request: Request) -> None:
    parameters = request.mimetype_params
    if request.mimetype != _FORM or parameters.get("charset", "utf-8").lower() != "utf-8":
        raise refused("invalid_request", f"The body must be {_FORM} in UTF-8.")
    if set(parameters) - {"charset"} or "Content-Encoding" in request.headers:
        raise refused("invalid_request", "The body must not be encoded in any further way.")


def _body(request: Request) -> bytes:
    request.max_content_length = MAX_BODY
    try:
        return request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise refused(
            "invalid_request", f"The body is larger than {MAX_BODY} bytes.", 413
        ) from None
    except BadRequest:
        raise refused("invalid_request", "The body did not arrive whole and in time.") from None


def _parameters(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        raise refused("invalid_request", "The body is not a form of at most 16 fields.") from None
    if len(dict(pairs)) != len(pairs):
        raise refused("invalid_request", "A parameter is there more than once.")
    # RFC 6749 §3.2: parameters without a value are treated as if they were omitted.
    return {name: value for name, value in pairs if value}


def _check_authentication(request: Request, parameters: Mapping[str, str]) -> None:
    """Exactly one client authentication, and that is private_key_jwt (RFC 6749 §2.3)."""
    asserted = "client_assertion" in parameters
    others = "Authorization" in request.headers or "client_secret" in parameters
    if asserted and others:
        raise refused("invalid_request", "There is more than one client authentication.")
    if not asserted or parameters.get("client_assertion_type") != _ASSERTION:
        raise unauthenticated()
