"""Back-channel logout: the provider tells us that somebody's session ended there (§2.6)."""

from collections.abc import Mapping
from dataclasses import dataclass

from crypto.jose import BadToken
from identity.oidc_model import Relying
from identity.oidc_token import SKEW, IdTokens
from identity.replay import AHEAD, TOLERANCE, Replay
from identity.sessions import Sessions
from kernel.canonical import Json
from kernel.clock import SECOND, Clock

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TYPES = (None, "JWT", "jwt", "logout+jwt")
_LIFE = 600
_MAX_NAME = 255


@dataclass(frozen=True, slots=True, repr=False)
class BackChannel:
    """Takes the logout tokens of one realm's provider."""

    relying: Relying
    tokens: IdTokens
    replay: Replay
    sessions: Sessions
    clock: Clock

    def end(self, text: str) -> int:
        """End the sessions that an unused logout token names and return how many those were, which
        may be none; raise `BadToken`, or `Refusal` when the keys or the stores are not there."""
        claims = self.tokens.proven(text, _TYPES).claims()
        self.tokens.audience(claims)
        issued, expires = self._times(claims)
        events = claims.get("events")
        if not isinstance(events, Mapping) or not isinstance(events.get(_EVENT), Mapping):
            raise BadToken("it does not tell of a logout")
        if "nonce" in claims:
            raise BadToken("it is an id_token")  # §2.4: nonce must not be there
        sub, sid = _name(claims, "sub"), _name(claims, "sid")
        if sub is None and sid is None:
            raise BadToken("it names neither a person nor a session")
        self._spend(claims, issued, expires)
        return self.sessions.end_all(self.relying.issuer, sub, sid)

    def _times(self, claims: Mapping[str, Json]) -> tuple[int, int]:
        now = self.clock.now() // SECOND
        issued = claims.get("iat")
        if type(issued) is not int or not now - _LIFE <= issued <= now + SKEW:
            raise BadToken("it was not made now")
        expires = claims.get("exp", issued + _LIFE)
        if type(expires) is not int or expires <= now - SKEW:
            raise BadToken("it has expired")
        return issued, min(expires, issued + _LIFE)

    def _spend(self, claims: Mapping[str, Json], issued: int, expires: int) -> None:
        jti = _name(claims, "jti")
        until = expires + SKEW + AHEAD + TOLERANCE
        audience = f"logout {self.relying.realm.value}"
        if jti is None or not self.replay.claim(audience, self.relying.issuer, jti, issued, until):
            raise BadToken("its 'jti' is missing or was used before")


def _name(claims: Mapping[str, Json], name: str) -> str | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
        raise BadToken(f"its '{name}' is not a name")
    return value
