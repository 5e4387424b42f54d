"""Sessions: who is signed in, on the server; the browser holds a random name and nothing else.

Fifteen minutes without a page end a session, eight hours end it in any case. A session that ended
never revives. What cannot be known is refused with `state.unavailable`.
"""

import hashlib
import hmac
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import base64url
from identity.model import Level, Realm, Session, SignedIn
from kernel.canonical import canonical, parse
from kernel.chance import Chance
from kernel.names import Subject

IDLE = 15 * 60
AT_MOST = 8 * 60 * 60
PER_PERSON = 16
"""Sessions that one person may have; one more ends the oldest."""
COOKIES = {Realm.RESIDENT: "__Host-resident", Realm.OFFICER: "__Host-officer"}
_SECRET_BYTES = 32
_NONCE_BYTES = 12
_MAX_PAYLOAD = 4096


class Sessions(Protocol):
    """Keeps who is signed in; each operation is atomic over all processes."""

    def begin(self, who: SignedIn, old: str = "") -> str:
        """Start a session in place of the one of an old cookie, where there is one, and return
        the new cookie's value, which is kept nowhere."""
        ...

    def find(self, realm: Realm, cookie: str) -> Session | None:
        """Return the session of a cookie of this realm and push its idle end back, or None."""
        ...

    def end(self, realm: Realm, cookie: str) -> None:
        """End the session of the cookie, where there is one."""
        ...

    def end_all(self, issuer: str, sub: str | None, sid: str | None) -> int:
        """End what the provider's session `sid` began, or without one everything of `sub`, and
        return how many sessions that were (OIDC Back-Channel Logout §2.7)."""
        ...


class Secret:
    """What a cookie's value opens: the row's name, the seal of its payload, the forms' token."""

    def __init__(self, value: bytes) -> None:
        """Derive everything from the 256 bits that only the browser keeps."""
        self.id = _derived(value, b"id")
        self.csrf = base64url.encode(_derived(value, b"csrf"))
        self.cookie = base64url.encode(value)
        self._cipher = AESGCM(_derived(value, b"seal"))

    @classmethod
    def fresh(cls, chance: Chance) -> "Secret":
        """Return a new one."""
        return cls(chance.bits(_SECRET_BYTES))

    @classmethod
    def of(cls, cookie: str) -> "Secret | None":
        """Return the secret in a cookie's value, or None where it cannot be one of ours."""
        try:
            value = base64url.decode(cookie[: 2 * _SECRET_BYTES])
        except base64url.BadBase64:
            return None
        return cls(value) if len(value) == _SECRET_BYTES else None

    def seal(self, who: SignedIn, chance: Chance) -> bytes:
        """Return the payload under AES-256-GCM, bound to its realm."""
        nonce = chance.bits(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, _payload(who), who.realm.value.encode())

    def open(self, sealed: bytes, realm: Realm) -> SignedIn | None:
        """Return the payload, or None where it was sealed for another realm, or by another."""
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return _who(self._cipher.decrypt(nonce, ciphertext, realm.value.encode()), realm)
        except InvalidTag:
            return None


class Labels:
    """Keyed digests by which sessions of one person or one sign-in are found without naming it."""

    def __init__(self, root: bytes) -> None:
        """Derive a key of its own from a root secret."""
        self._key = _derived(root, b"index")

    def sub(self, issuer: str, sub: str) -> bytes:
        """Return the digest of a person at a provider."""
        return self._digest("sub", issuer, sub)

    def sid(self, issuer: str, sid: str | None) -> bytes | None:
        """Return the digest of a provider's session, or None where there is none."""
        return None if sid is None else self._digest("sid", issuer, sid)

    def _digest(self, *parts: str) -> bytes:
        return hmac.new(self._key, canonical(list(parts)), hashlib.sha256).digest()


def _derived(value: bytes, purpose: bytes) -> bytes:
    return hmac.new(value, b"causeway session v1 " + purpose, hashlib.sha256).digest()


def _payload(who: SignedIn) -> bytes:
    person = who.person
    return canonical(
        {
            "issuer": who.issuer,
            "sub": who.sub,
            "person": {"scheme": person.scheme, "value": person.value} if person else None,
            "level": int(who.level),
            "auth_time": who.auth_time,
            "sid": who.sid,
        }
    )


def _who(text: bytes, realm: Realm) -> SignedIn | None:
    match parse(text, max_bytes=_MAX_PAYLOAD):
        case {
            "issuer": str(issuer),
            "sub": str(sub),
            "person": person,
            "level": int(level),
            "auth_time": int(at),
            "sid": str() | None as sid,
        }:
            return SignedIn(realm, issuer, sub, _person(person), Level(level), at, sid)
    return None


def _person(value: object) -> Subject | None:
    match value:
        case {"scheme": str(scheme), "value": str(text)}:
            return Subject(scheme, text)
    return None
