"""Tokens: what the try-out provider signs, and how it knows a client (OIDC Core, RFC 7523)."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from authlib.oidc.core.util import create_half_hash
from joserfc.jwk import ECKey

from crypto.jose import BadToken, SigningKey, sign, take_apart, verify
from crypto.jwk import BadKey, key_set
from crypto.keyfile import KeyFile, read, write
from gateway.demo.signin.grants import Asked, Grants, Present
from gateway.demo.signin.register import CLAIM, ROLE, Client
from identity.model import Realm
from identity.oidc_http import fetch
from identity.oidc_kept import Kept
from identity.oidc_model import ACR
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.clock import SECOND, Clock, Micros

LIFE = 300
_MAX_ASSERTION = 8192
_ASSERTION_LIFE = 300
_AHEAD = 10
_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """The provider's signing key, and a secret for its pseudonyms."""

    signing: SigningKey
    secret: bytes

    @classmethod
    def open(cls, file: Path, chance: Chance, now: Micros) -> "Key":
        """Return the key of a file that only its owner may read, made where it is missing."""
        if not file.exists():
            fresh = ECKey.generate_key("P-256")
            members: dict[str, Json] = {k: str(v) for k, v in fresh.as_dict(private=True).items()}
            write(file, KeyFile(fresh.thumbprint(), "active", now, members), None, chance)
        stored = read(file, None)
        key = ECKey.import_key({name: str(value) for name, value in stored.private.items()})
        secret = hashlib.sha256(f"try-out {stored.private['d']}".encode()).digest()
        return cls(SigningKey(stored.kid, "ES256", key), secret)


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """Signs for one issuer."""

    issuer: str
    key: Key
    clock: Clock
    chance: Chance

    def jwks(self) -> Mapping[str, Json]:
        """Return the public JWKS (RFC 7517)."""
        return {"keys": [self.key.signing.public_jwk()]}

    def response(self, asked: Asked, present: Present, realm: Realm) -> Mapping[str, Json]:
        """Return the token response; the access token opens nothing."""
        access, now = self.chance.bits(32).hex(), self._now()
        acr = next(uri for uri, level in ACR.items() if level == present.level)
        person: dict[str, Json] = (
            {CLAIM: present.person} if realm is Realm.RESIDENT else {"roles": [ROLE]}
        )
        claims: dict[str, Json] = {
            **person,
            "iss": self.issuer,
            "sub": self._sub(present.person, asked.client_id),
            "aud": asked.client_id,
            "iat": now,
            "exp": now + LIFE,
            "auth_time": present.auth_time,
            "nonce": asked.nonce,
            "acr": acr,
            "sid": present.sid,
            "at_hash": create_half_hash(access, "ES256").decode(),
        }
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": LIFE,
            "id_token": sign(claims, "JWT", self.key.signing),
        }

    def logout(self, present: Present, client_id: str) -> str:
        """Return the logout token for a client (OIDC Back-Channel Logout §2.4)."""
        now = self._now()
        claims: Mapping[str, Json] = {
            "iss": self.issuer,
            "aud": client_id,
            "iat": now,
            "exp": now + LIFE,
            "jti": self.chance.identifier("lo"),
            "sub": self._sub(present.person, client_id),
            "sid": present.sid,
            "events": {_EVENT: {}},
        }
        return sign(claims, "logout+jwt", self.key.signing)

    def _sub(self, person: str, client_id: str) -> str:
        """Return the person's pseudonym at a client (OIDC Core §8.1)."""
        named = f"{client_id}\0{person}".encode()
        return hmac.new(self.key.secret, named, hashlib.sha256).hexdigest()

    def _now(self) -> int:
        return self.clock.now() // SECOND


class Assertions:
    """Knows a client by what it signed, with the keys that it publishes."""

    def __init__(self, issuer: str, jwks_uri: str, grants: Grants, clock: Clock) -> None:
        """Keep where the gateway's public keys are: all its clients have the same."""
        self._issuer = issuer
        self._grants = grants
        self._clock = clock
        self._keys = Kept(lambda: key_set(fetch(jwks_uri)), clock)

    def prove(self, text: str, client: Client) -> None:
        """Return when the client signed this unused assertion, or raise `BadToken`."""
        jws = take_apart(text, _MAX_ASSERTION)
        claims = jws.claims()
        try:
            known = self._keys.get()
            if all(key.kid != jws.kid for key in known):
                known = self._keys.get(newer=True)
        except BadKey as bad:
            raise BadToken(str(bad)) from None
        fitting = [key for key in known if key.kid == jws.kid]
        if len(fitting) != 1:
            raise BadToken("no key of the client made it")
        verify(jws, fitting[0])
        now, issued, expires = self._now(), claims.get("iat"), claims.get("exp")
        if claims.get("iss") != client.id or claims.get("sub") != client.id:
            raise BadToken("it is another client's")
        if claims.get("aud") != self._issuer:
            raise BadToken("it is for another server")
        if type(issued) is not int or type(expires) is not int or issued > now + _AHEAD:
            raise BadToken("its times cannot be read")
        if not now < expires <= issued + _ASSERTION_LIFE:
            raise BadToken("it has expired or lives too long")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not self._grants.once(jti, expires):
            raise BadToken("it was used before")

    def _now(self) -> int:
        return self._clock.now() // SECOND
