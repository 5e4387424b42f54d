"""ID token: what must hold before a provider's word about somebody counts (OIDC Core §3.1.3.7)."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from authlib.oidc.core.util import create_half_hash

from crypto.jose import BadToken, Jws, take_apart
from identity.model import Level, Realm, SignedIn
from identity.oidc_model import ACR, Attempt, Relying, failed
from identity.oidc_provider import Provider
from kernel.canonical import Json
from kernel.clock import SECOND, Clock

MAX_TOKEN = 16 * 1024
SKEW = 30
"""Seconds by which the provider's clock may differ from ours."""
_MAX_AGE = 600
_MAX_NAME = 255
_TYPES = (None, "JWT", "jwt")


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """A token response (OIDC Core §3.1.3.3): the tokens are used here and kept nowhere."""

    id_token: str
    access_token: str | None


class IdTokens:
    """Checks the id_tokens of one provider for one client of ours."""

    def __init__(self, relying: Relying, provider: Provider, clock: Clock) -> None:
        """Keep what the token is compared with."""
        self._relying = relying
        self._provider = provider
        self._clock = clock

    def check(self, tokens: Tokens, attempt: Attempt) -> SignedIn:
        """Return who signed in, or raise `Refusal`."""
        try:
            jws = self.proven(tokens.id_token, _TYPES)
            claims = jws.claims()
            self._check_parties(claims, attempt)
            self._check_times(claims)
            _check_hash(jws, claims, tokens.access_token)
            level = _level(claims, attempt.level)
            at = self._auth_time(claims, attempt)
        except BadToken as bad:
            raise failed(f"The sign-in service's answer does not hold: {bad}.") from None
        return self._signed_in(claims, level, at)

    def proven(self, text: str, types: tuple[str | None, ...]) -> Jws:
        """Return a token that the provider signed for somebody, or raise `BadToken`."""
        jws = take_apart(text, MAX_TOKEN)
        if jws.header.get("typ") not in types:
            raise BadToken("its 'typ' is that of another kind of token")
        offered = self._provider.metadata().algorithms
        # RFC 8725 §3.1: what may be used is configured here; RS256 only where the provider has it.
        self._provider.verify(jws, _both_names(self._relying.algorithms & offered))
        return jws

    def audience(self, claims: Mapping[str, Json]) -> None:
        """Return when the token is from our provider for us and for nobody else."""
        ours = self._relying.client_id
        if claims.get("iss") != self._relying.issuer:
            raise BadToken("it is from another issuer")
        if claims.get("aud") not in (ours, [ours]) or claims.get("azp", ours) != ours:
            raise BadToken("it is for somebody else, or not for us alone")

    def _check_parties(self, claims: Mapping[str, Json], attempt: Attempt) -> None:
        self.audience(claims)
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(
            nonce.encode(), attempt.nonce.encode()
        ):
            raise BadToken("it answers another sign-in")

    def _check_times(self, claims: Mapping[str, Json]) -> None:
        now, issued, expires = self._now(), claims.get("iat"), claims.get("exp")
        not_before = claims.get("nbf", issued)
        if type(issued) is not int or type(expires) is not int or type(not_before) is not int:
            raise BadToken("its times are missing or not whole numbers of seconds")
        if max(issued, not_before) > now + SKEW or issued < now - _MAX_AGE:
            raise BadToken("it was not made now")
        if expires <= now - SKEW:
            raise BadToken("it has expired")

    def _auth_time(self, claims: Mapping[str, Json], attempt: Attempt) -> int:
        """Return when the person signed in there; 0, which is never fresh, when it is not said."""
        at = claims.get("auth_time", 0)
        if type(at) is not int or not 0 <= at <= self._now() + SKEW:
            raise BadToken("the time of the sign-in is not one")
        if attempt.max_age is not None and at < self._now() - attempt.max_age - SKEW:
            raise BadToken("the sign-in is not fresh, as was asked for")
        return at

    def _signed_in(self, claims: Mapping[str, Json], level: Level, at: int) -> SignedIn:
        relying, sub, sid = self._relying, claims.get("sub"), claims.get("sid")
        if not _named(sub) or (sid is not None and not _named(sid)):
            raise failed("The sign-in service did not say properly who signed in.")
        person = None
        if relying.realm is Realm.RESIDENT:
            value = claims.get(relying.person_claim)
            if not _named(value):
                raise failed("The sign-in service did not say which resident signed in.")
            person = relying.subject(str(value))
        elif not _has(claims.get("roles"), relying.role):
            raise failed("The sign-in service does not know you as a privacy officer.")
        session = None if sid is None else str(sid)
        return SignedIn(relying.realm, relying.issuer, str(sub), person, level, at, session)

    def _now(self) -> int:
        return self._clock.now() // SECOND


def _named(value: Json) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME


def _has(roles: Json, role: str) -> bool:
    return role == roles or (isinstance(roles, list) and role in roles)


def _both_names(algorithms: frozenset[str]) -> frozenset[str]:
    return algorithms | ({"Ed25519"} if "EdDSA" in algorithms else set())


def _level(claims: Mapping[str, Json], asked: Level) -> Level:
    level = ACR.get(str(claims.get("acr")))
    if level is None or level < asked:
        raise BadToken("the sign-in is not as strong as this page needs")
    return level


def _check_hash(jws: Jws, claims: Mapping[str, Json], access_token: str | None) -> None:
    """Return when `at_hash` is of this access token, or absent (OIDC Core §3.1.3.6)."""
    stated = claims.get("at_hash")
    if stated is None:
        return
    algorithm = "EdDSA" if jws.algorithm == "Ed25519" else jws.algorithm
    right = access_token and create_half_hash(access_token, algorithm).decode("ascii")
    if not right or not isinstance(stated, str) or not hmac.compare_digest(stated, right):
        raise BadToken("it was made beside another access token")
