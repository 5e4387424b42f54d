"""Keys: the gateway's own, made together at the first start and checked at every other."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from crypto import base64url
from crypto.jose import SigningKey
from crypto.keyfile import KeyFile, KeyRefused, check_private, read
from crypto.making import (
    SECRET_BYTES,
    SECRETS,
    SIGNERS,
    UNUSED,
    KeyMembers,
    complete,
    make,
    path_of,
    private_key,
)
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.clock import SECOND, Clock, Micros

ROTATED = ("receipt", "signin", "token")
"""Signers whose public halves are published as JWKS, so that one can follow another
(`crypto.rotation`)."""
DAY = Micros(24 * 60 * 60 * SECOND)
_AGE = 90 * DAY


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One line of `keys list`."""

    name: str
    kid: str
    state: str
    created: Micros


@dataclass(frozen=True, slots=True)
class Published:
    """A public key beside the one that signs: the one that will, or one that did."""

    jwk: Mapping[str, str]
    until: Micros | None
    """Until when a token that it signed is believed, where it has been retired."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A root secret of 32 bytes, and the id under which what it protects names it."""

    id: str
    value: bytes


@dataclass(frozen=True, slots=True, repr=False)
class LogKey:
    """The Ed25519 key that signs the log's checkpoints (C2SP signed-note)."""

    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature."""
        return self.private.sign(message)

    def public(self) -> bytes:
        """Return the 32 bytes of the public key."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """The gateway's keys and secrets, from a directory of their own."""

    directory: Path
    token: SigningKey
    receipt: SigningKey
    signin: SigningKey
    """Proves us to the provider that signs people in (RFC 7523)."""
    policy: SigningKey
    """Signs the policies that OPA loads."""
    log: LogKey
    pseudonym: Secret
    disclosure: Secret
    beside: Mapping[str, tuple[Published, ...]]
    """Of each signer in `ROTATED`."""
    entries: tuple[KeyEntry, ...]

    @classmethod
    def open(
        cls, directory: Path, chance: Chance, clock: Clock, kek: bytes | None = None
    ) -> "KeyRing":
        """Return the keys of the directory, made now where it is missing or empty, or raise
        `KeyRefused`. Processes that start together agree: a directory of keys appears whole."""
        if not directory.exists() or not any(directory.iterdir()):
            make(directory, chance, clock.now(), kek)
        check_private(directory, directory.stat())
        complete(directory, chance, clock.now(), kek)
        files = {name: read(path_of(directory, name), kek) for name in (*SIGNERS, *SECRETS)}
        others = {name: dict(_beside(directory, name, files[name].kid, kek)) for name in ROTATED}
        listed = [*files.items(), *((n, f) for n, paths in others.items() for f in paths.values())]
        entries = tuple(KeyEntry(n, f.kid, f.state, f.created) for n, f in listed)
        signers = {
            name: _checked(path_of(directory, name), files[name], private_key) for name in SIGNERS
        }
        secrets = {name: _secret(path_of(directory, name), files[name]) for name in SECRETS}
        return cls(
            directory=directory,
            token=signers["token"],
            receipt=signers["receipt"],
            signin=signers["signin"],
            policy=signers["policy"],
            log=LogKey(cast("Ed25519PrivateKey", signers["log"].jose.private_key)),
            pseudonym=secrets["pseudonym"],
            disclosure=secrets["disclosure"],
            beside={
                name: tuple(_published(path, file) for path, file in paths.items())
                for name, paths in others.items()
            },
            entries=entries,
        )

    def first_use(self) -> bool:
        """Return True once in the life of these keys, to the first who asks in any process: then
        nothing that they vouch for has been accepted by anybody yet."""
        try:
            (self.directory / UNUSED).unlink()
        except FileNotFoundError:
            return False
        return True

    def due(self, now: Micros) -> list[KeyEntry]:
        """Return the keys that were made to sign for 90 days and are older."""
        active = (one for one in self.entries if one.name in ROTATED and one.state == "active")
        return [one for one in active if now > one.created + _AGE]

    def token_jwks(self) -> Mapping[str, Json]:
        """Return the public JWKS of the access tokens (RFC 7517), the one that signs first."""
        return self._jwks("token", self.token)

    def signin_jwks(self) -> Mapping[str, Json]:
        """Return the public JWKS by which the sign-in provider knows us, likewise."""
        return self._jwks("signin", self.signin)

    def receipt_jwks(self) -> Mapping[str, Json]:
        """Return the public JWKS of the receipts, likewise."""
        return self._jwks("receipt", self.receipt)

    def _jwks(self, name: str, active: SigningKey) -> Mapping[str, Json]:
        return {"keys": [active.public_jwk(), *(one.jwk for one in self.beside[name])]}


def _beside(
    directory: Path, name: str, active: str, kek: bytes | None
) -> Iterator[tuple[Path, KeyFile]]:
    """Yield the next key and those before; a rotation that broke off may have left the one that
    signs among them."""
    for path in sorted(directory.glob(f"{name}.*.json")):
        file = read(path, kek)
        if file.kid != active:
            yield path, file


def _published(path: Path, file: KeyFile) -> Published:
    retired = file.state == "retired"
    key = _checked(path, file, _public if retired else private_key)
    return Published(key.public_jwk(), Micros(file.created + DAY) if retired else None)


def _public(members: KeyMembers) -> ECKey | OKPKey:
    kind: type[ECKey | OKPKey] = ECKey if members.get("kty") == "EC" else OKPKey
    return kind.import_key({name: str(value) for name, value in members.items() if name != "d"})


def _checked(
    path: Path, file: KeyFile, key_of: Callable[[KeyMembers], ECKey | OKPKey]
) -> SigningKey:
    algorithm = SIGNERS[path.name.partition(".")[0]]
    wanted = "P-256" if algorithm == "ES256" else "Ed25519"
    try:
        key = key_of(file.private)
        usable = key.curve_name == wanted and key.thumbprint() == file.kid
    except (JoseError, ValueError, TypeError, KeyError):
        usable = False
    if not usable:
        raise KeyRefused(f"The key file {path} does not hold a {wanted} key under its own kid.")
    return SigningKey(file.kid, algorithm, key)


def _secret(path: Path, file: KeyFile) -> Secret:
    text = file.private.get("secret")
    try:
        value = base64url.decode(text) if isinstance(text, str) else b""
    except base64url.BadBase64:
        value = b""
    if len(value) != SECRET_BYTES or len(set(value)) == 1:
        raise KeyRefused(f"The key file {path} does not hold a secret of 32 random bytes.")
    return Secret(file.kid, value)
