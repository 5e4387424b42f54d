"""Attempt: what we must remember while somebody is at the provider, kept by their browser, sealed.

The cookie binds the way back to the browser that left (login CSRF, RFC 6749 §10.12); the replay
port lets it count once. The server keeps nothing for those who never come back.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import base64url
from identity.model import Level, Realm
from identity.oidc_model import Attempt, failed
from identity.replay import AHEAD, TOLERANCE, Replay
from kernel.canonical import Json, canonical, parse
from kernel.chance import Chance
from kernel.clock import SECOND, Clock

LIFE = 600
"""Seconds that somebody may stay at the provider."""
COOKIE = "__Host-signin-"
_NONCE_BYTES = 12
_NAMED = 16
_MAX_COOKIE = 4096
_EXPIRED = "The sign-in took too long, was used before, or began in another browser."


def cookie_name(state: str) -> str:
    """Return the name of the cookie of one attempt, so that two tabs do not disturb each other."""
    return f"{COOKIE}{state[:_NAMED]}"


class Attempts:
    """Seals and opens the attempts of one realm."""

    def __init__(
        self, realm: Realm, root: bytes, replay: Replay, clock: Clock, chance: Chance
    ) -> None:
        """Derive a key of its own from the root secret (HKDF, RFC 5869)."""
        purpose = b"causeway sign-in attempt v1 " + realm.value.encode()
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=purpose).derive(root))
        self._realm = realm
        self._replay = replay
        self._clock = clock
        self._chance = chance

    def begin(self, to: str, level: Level, max_age: int | None) -> Attempt:
        """Return a new attempt: 256 bits each of state, nonce and PKCE verifier (RFC 7636)."""
        state, nonce, verifier = (base64url.encode(self._chance.bits(32)) for _ in range(3))
        return Attempt(state, nonce, verifier, to, level, max_age, self._clock.now() // SECOND)

    def seal(self, attempt: Attempt) -> str:
        """Return the cookie's value."""
        content: dict[str, Json] = {
            "state": attempt.state,
            "nonce": attempt.nonce,
            "verifier": attempt.verifier,
            "to": attempt.to,
            "level": int(attempt.level),
            "max_age": attempt.max_age,
            "made_at": attempt.made_at,
        }
        nonce = self._chance.bits(_NONCE_BYTES)
        name = cookie_name(attempt.state).encode()
        return base64url.encode(nonce + self._cipher.encrypt(nonce, canonical(content), name))

    def claim(self, attempt: Attempt) -> None:
        """Return to the first who comes back in time, or raise `Refusal`: too late, or again."""
        until = attempt.made_at + LIFE
        audience = f"signin {self._realm.value}"
        if self._clock.now() // SECOND >= until or not self._replay.claim(
            audience, "state", attempt.state, attempt.made_at, until + AHEAD + TOLERANCE
        ):
            raise failed(_EXPIRED)

    def open(self, state: str, cookie: str) -> Attempt:
        """Return what the browser that left keeps for this state, or raise `Refusal`."""
        try:
            sealed = base64url.decode(cookie[:_MAX_COOKIE])
            nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            text = self._cipher.decrypt(nonce, ciphertext, cookie_name(state).encode())
        except (base64url.BadBase64, InvalidTag, ValueError):
            raise failed(_EXPIRED) from None
        match parse(text, max_bytes=_MAX_COOKIE):
            case {
                "state": str(sealed_state),
                "nonce": str(once),
                "verifier": str(verifier),
                "to": str(to),
                "level": int(level),
                "max_age": int() | None as max_age,
                "made_at": int(made_at),
            } if sealed_state == state:
                return Attempt(state, once, verifier, to, Level(level), max_age, made_at)
        raise failed(_EXPIRED)
