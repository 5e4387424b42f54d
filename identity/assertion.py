"""Assertion: a client proves to the token endpoint who it is (RFC 7523 §3, FAPI 2.0)."""

from collections.abc import Callable, Mapping
from typing import NoReturn

from crypto.jose import BadToken, Jws, take_apart, verify
from crypto.jwk import BadKey, PublicKey, Use, key_set
from identity.model import Client
from identity.replay import AHEAD, TOLERANCE, Replay
from kernel.canonical import BadJson, Json, parse
from kernel.clock import SECOND, Clock
from kernel.names import ClientId

LIFE = 300
MAX_CLIENT_ID = 128
_MAX_ASSERTION = 8192
_MAX_JTI = 128
_MAX_JWKS = 16 * 1024
_TYPES = (None, "JWT", "client-authentication+jwt")

Find = Callable[[ClientId], Client | None]


class NotAuthenticated(Exception):
    """The assertion does not prove a client; the message says why, for our log and nobody else."""


class Assertions:
    """Checks the assertions that clients sign for one issuer."""

    def __init__(self, issuer: str, find: Find, replay: Replay, clock: Clock) -> None:
        """Keep the issuer, which is the one audience that an assertion may have."""
        self._issuer = issuer
        self._find = find
        self._replay = replay
        self._clock = clock

    def check(self, text: str, client_id: str | None) -> Client:
        """Return the client that signed this unused assertion, or raise `NotAuthenticated`;
        `client_id` is the request's, where it has one. Raises `state.unavailable` as well."""
        try:
            jws = take_apart(text, _MAX_ASSERTION)
            claims = jws.claims()
            client = self._client(claims, client_id)
            verify(jws, select(client.jwks, jws))
        except BadToken as bad:
            raise NotAuthenticated(str(bad)) from None
        if jws.header.get("typ") not in _TYPES:
            _fail("its 'typ' is that of another kind of token")
        made_at, expires = self._check_times(claims)
        self._spend(client.id, claims, made_at, expires)
        return client

    def _client(self, claims: Mapping[str, Json], client_id: str | None) -> Client:
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_CLIENT_ID:
            _fail("its 'sub' is missing or no client id")
        if claims.get("iss") != subject or client_id not in {None, subject}:
            _fail("its 'iss' and 'sub' and the request's 'client_id' are not the same")
        # One string: a list would let another server's assertion pass here (RFC 7523bis).
        if claims.get("aud") != self._issuer:
            _fail("its 'aud' is not exactly the issuer")
        client = self._find(ClientId(subject))
        if client is None or not client.active:
            _fail("no active client has this id")
        return client

    def _check_times(self, claims: Mapping[str, Json]) -> tuple[int, int]:
        now = self._clock.now() // SECOND
        made_at, expires = claims.get("iat"), claims.get("exp")
        not_before = claims.get("nbf", made_at)
        if type(made_at) is not int or type(expires) is not int or type(not_before) is not int:
            _fail("its times are missing or not whole numbers of seconds")
        if max(made_at, not_before) > now + AHEAD:
            _fail("it is dated ahead")
        if expires <= now or expires - made_at > LIFE:
            _fail("it has expired or lives too long")
        return made_at, expires

    def _spend(
        self, client_id: ClientId, claims: Mapping[str, Json], made_at: int, expires: int
    ) -> None:
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_JTI:
            _fail("its 'jti' is missing, empty or too long")
        until = expires + AHEAD + TOLERANCE
        if not self._replay.claim("assertion", client_id, jti, made_at, until):
            _fail("it was used before")


def select(jwks: str, jws: Jws) -> PublicKey:
    """Return the client's signing key that the header names; without `kid`, the only one that
    fits its `alg`. Raises `BadToken`."""
    try:
        keys = key_set(parse(jwks.encode(), max_bytes=_MAX_JWKS))
    except (BadKey, BadJson):
        raise BadToken("the client's registered keys cannot be read") from None
    fitting = [
        key
        for key in keys
        if key.use is Use.SIG
        and jws.algorithm in key.algorithms
        and ("kid" not in jws.header or key.kid == jws.kid)
    ]
    if len(fitting) != 1:
        raise BadToken("its 'kid' and 'alg' do not name one signing key of the client")
    return fitting[0]


def _fail(why: str) -> NoReturn:
    raise NotAuthenticated(why)
