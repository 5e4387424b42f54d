"""Access tokens: five minutes, one audience, bound to one key (RFC 9068, RFC 9449 §6.1)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from crypto.jose import BadToken, Jws, SigningKey, demand_typ, sign, take_apart, verify
from crypto.jwk import PublicKey, Use, public_key
from crypto.keys import Published
from identity.model import Client, Scope
from identity.replay import AHEAD
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.clock import SECOND, Clock, Micros
from kernel.errors import Reason, Refusal
from kernel.names import AgencyId, ClientId
from kernel.recent import Recent

LIFE = 300
_TYPE = "at+jwt"
_MAX_TOKEN = 4096
_MAX_SEEN = 4096
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A verified access token: who holds it, for what, bound to which key."""

    client_id: ClientId
    agency: AgencyId
    scopes: frozenset[Scope]
    jkt: str


class _Seen(NamedTuple):
    """A token that was verified, and when it is right."""

    token: Token
    issued: int
    expires: int


class Tokens:
    """Issues and verifies the gateway's own access tokens."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        key: SigningKey,
        clock: Clock,
        chance: Chance,
        beside: Iterable[Published] = (),
    ) -> None:
        """Keep the key that signs, its public half that verifies, and those with which other
        workers sign already, or did until lately."""
        self.issuer = issuer
        self.audience = audience
        self._key = key
        published = (Published(key.public_jwk(), None), *beside)
        self._keys: Mapping[str, tuple[PublicKey, Micros | None]] = {
            one.jwk["kid"]: (public_key(one.jwk, Use.SIG), one.until) for one in published
        }
        self._clock = clock
        self._chance = chance
        self._seen: Recent[bytes, _Seen] = Recent(_MAX_SEEN)

    def issue(self, client: Client, scopes: Iterable[Scope], jkt: str) -> str:
        """Return a token for these scopes, bound to the key with this thumbprint."""
        now = self._clock.now() // SECOND
        return sign(
            {
                "iss": self.issuer,
                "sub": client.id,
                "client_id": client.id,
                "aud": self.audience,
                "iat": now,
                "exp": now + LIFE,
                "jti": self._chance.identifier("at"),
                "scope": " ".join(sorted(scopes)),
                "agency": client.agency,
                "cnf": {"jkt": jkt},
            },
            _TYPE,
            self._key,
        )

    def verify(self, text: str) -> Token:
        """Return what the token says, or raise `token.invalid` or `token.expired` (RFC 9068 §4).

        A token that was right once is known again by its digest; its times are looked at anew, and
        what may have changed since, its client, is not ours to remember.
        """
        if len(text) > _MAX_TOKEN:
            raise invalid("it is too large")
        digest = sha256(text.encode()).digest()
        if (known := self._seen.get(digest)) is not None:
            self._check_times(known.issued, known.expires)
            return known.token
        claims = self._proven(text)
        if claims.get("iss") != self.issuer or claims.get("aud") != self.audience:
            raise invalid("it is from another issuer or for another audience")
        issued, expires = claims.get("iat"), claims.get("exp")
        if type(issued) is not int or type(expires) is not int:
            raise invalid("its times are not whole numbers of seconds")
        self._check_times(issued, expires)
        token = _token(claims)
        self._seen.keep(digest, _Seen(token, issued, expires))
        return token

    def _proven(self, text: str) -> Mapping[str, Json]:
        try:
            jws = take_apart(text, _MAX_TOKEN)
            demand_typ(jws, _TYPE)
            verify(jws, self._known(jws))
            return jws.claims()
        except BadToken as bad:
            raise invalid(str(bad)) from None

    def _known(self, jws: Jws) -> PublicKey:
        key, until = self._keys.get(jws.kid or "", (None, None))
        if key is None or (until is not None and self._clock.now() > until):
            raise BadToken("its 'kid' is none of the gateway's keys")
        return key

    def _check_times(self, issued: int, expires: int) -> None:
        now = self._clock.now() // SECOND
        if issued > now + AHEAD or expires - issued > LIFE:
            raise invalid("it is dated ahead or lives too long")
        if expires <= now:
            raise Refusal(Reason.TOKEN_EXPIRED, "The access token has expired: get a new one.")


def _token(claims: Mapping[str, Json]) -> Token:
    match claims:
        case {
            "sub": str(sub),
            "client_id": str(client_id),
            "agency": str(agency),
            "scope": str(scope),
            "cnf": {"jkt": str(jkt), **others},
        } if sub == client_id and not others and _THUMBPRINT.fullmatch(jkt):
            return Token(ClientId(client_id), AgencyId(agency), _scopes(scope), jkt)
    raise invalid("a claim is missing or has the wrong type")


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(name) for name in text.split(" ")) if text else frozenset()
    except ValueError:
        raise invalid("it names a scope that does not exist") from None


def invalid(why: str) -> Refusal:
    """Return the refusal of a token."""
    return Refusal(Reason.TOKEN_INVALID, f"The access token is not accepted: {why}.")
