"""Nouns of sign-in: what we are at a provider, what it says of itself, one attempt (OIDC Core)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from identity.model import Level, Realm
from kernel.errors import Reason, Refusal
from kernel.names import Subject

ACR = {
    "http://eidas.europa.eu/LoA/low": Level.LOW,
    "http://eidas.europa.eu/LoA/substantial": Level.SUBSTANTIAL,
    "http://eidas.europa.eu/LoA/high": Level.HIGH,
}
"""The values of `acr` that count, by the names of the eIDAS levels of assurance."""
ALGORITHMS = ("ES256", "PS256", "EdDSA", "RS256")
"""The algorithms that an id_token may be configured to be signed with; `none` is not one."""
RECENT = 240
"""Seconds that a sign-in at the level `high` may be old when it is asked for: what it is for wants
one of the last 300 seconds, and the way back takes some of them."""
HOME = {Realm.RESIDENT: "/home", Realm.OFFICER: "/officer"}
PREFIX = {Realm.RESIDENT: "", Realm.OFFICER: "/officer"}
_SEGMENT = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
_PATH = re.compile(rf"/(?:{_SEGMENT}(?:/{_SEGMENT})*)?(?:\?[A-Za-z0-9._~=&,:+%-]*)?")
_MAX_PATH = 512
_NOT_BACK_TO = ("/login", "/logout", "/backchannel-logout")


@dataclass(frozen=True, slots=True)
class Relying:
    """What one realm of ours is at its provider."""

    realm: Realm
    issuer: str
    client_id: str
    public_url: str
    algorithms: frozenset[str]
    person_claim: str
    """The claim that holds the person's identifier; residents only."""
    role: str
    """What the claim `roles` must hold for somebody to be an officer; officers only."""
    subject: Callable[[str], Subject]
    """Returns the person of an identifier, or raises `Refusal`: it is the deployment's scheme."""

    @property
    def redirect_uri(self) -> str:
        """Return the one address to which the provider sends people back."""
        return f"{self.public_url}{PREFIX[self.realm]}/login/callback"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a provider says of itself (OIDC Discovery §3), checked."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    names_itself: bool
    """Whether its callbacks carry `iss` (RFC 9207 §3)."""
    algorithms: frozenset[str]
    """The algorithms of its id_tokens, as far as it says."""


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """One way to the provider and back, kept by the browser alone, sealed."""

    state: str
    nonce: str
    verifier: str
    to: str
    level: Level
    max_age: int | None
    made_at: int


def own_path(text: str, realm: Realm) -> str:
    """Return the path when it leads to a page of this realm on our own host, in its one spelling,
    or raise `Refusal`: no host, no `//`, no backslash, no dots, no way back into the sign-in."""
    path = text.partition("?")[0]
    own = path.removeprefix("/officer") if realm is Realm.OFFICER else path
    within = path == "/officer" or path.startswith("/officer/")
    if (
        len(text) > _MAX_PATH
        or _PATH.fullmatch(text) is None
        or within is not (realm is Realm.OFFICER)
        or any(own == one or own.startswith(one + "/") for one in _NOT_BACK_TO)
    ):
        raise Refusal(
            Reason.REQUEST_MALFORMED,
            "The address to go back to after signing in is not a page of this site: open the page "
            "that you want again.",
        )
    return text


def level_named(text: str) -> Level:
    """Return the level of its name in small letters, or raise `Refusal`."""
    named: Mapping[str, Level] = {level.name.lower(): level for level in Level}
    if text not in named:
        raise Refusal(
            Reason.REQUEST_MALFORMED,
            "The level to sign in with is low, substantial or high: open the page that you want "
            "again.",
        )
    return named[text]


def failed(why: str) -> Refusal:
    """Return the refusal of a sign-in; `why` is a plain sentence about nobody."""
    return Refusal(Reason.SIGNIN_FAILED, f"{why} You are not signed in: please start again.")


def unreachable(why: str) -> Refusal:
    """Return the refusal when the provider cannot be used now; `why` is a plain sentence."""
    return Refusal(Reason.SIGNIN_UNAVAILABLE, f"{why} Please try again in a few minutes.")
