"""Settings of sign-in: at which providers residents and officers sign in, and as what client."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.setup.given import PREFIX, BadSettings, Given
from kernel.loopback import on_this_machine


@dataclass(frozen=True, slots=True)
class Signin:
    """Where people sign in, and what the gateway is there."""

    issuers: Mapping[str, str]
    """The provider's issuer, for `resident` and `officer`; without one nobody signs in."""
    client_ids: Mapping[str, str]
    person_claim: str = "sub"
    officer_role: str = "privacy-officer"
    algorithms: frozenset[str] = frozenset({"ES256", "PS256", "EdDSA"})


def signin_of(given: Given) -> Signin:
    """Return what was given, or raise `BadSettings` that names the setting and its form."""
    residents = given.take("OIDC_ISSUER", "")
    issuers = {"resident": residents, "officer": given.take("OFFICER_OIDC_ISSUER", residents)}
    clients = {
        "resident": given.take("OIDC_CLIENT_ID", ""),
        "officer": given.take("OFFICER_OIDC_CLIENT_ID", ""),
    }
    for issuer in filter(None, issuers.values()):
        plain = issuer.startswith("http://") and on_this_machine(issuer)
        if not plain and not issuer.startswith("https://"):
            raise BadSettings(f"{PREFIX}OIDC_ISSUER is https, as in https://login.gov.")
    if residents and not clients["resident"]:
        raise BadSettings(f"{PREFIX}OIDC_ISSUER needs {PREFIX}OIDC_CLIENT_ID beside it.")
    if residents == issuers["officer"] != "" and clients["resident"] == clients["officer"]:
        raise BadSettings(f"{PREFIX}OFFICER_OIDC_CLIENT_ID is a client of its own.")
    served = [realm for realm in issuers if issuers[realm] and clients[realm]]
    return Signin(
        {realm: issuers[realm] for realm in served},
        {realm: clients[realm] for realm in served},
        given.take("OIDC_PERSON_CLAIM", "sub"),
        given.take("OFFICER_OIDC_ROLE", "privacy-officer"),
        _algorithms(given.take("OIDC_ALGORITHMS", "ES256 PS256 EdDSA")),
    )


def _algorithms(value: str) -> frozenset[str]:
    named = frozenset(value.split())
    if not named or not named <= {"ES256", "PS256", "EdDSA", "RS256"}:
        raise BadSettings("GATEWAY_OIDC_ALGORITHMS is one or more of ES256 PS256 EdDSA RS256.")
    return named
