"""Keys: the gateway's own, made together at the first start and checked at every other."""

import errno
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from crypto import base64url
from crypto.jose import SigningKey
from crypto.keyfile import KeyFile, KeyRefused, check_private, read, write
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.clock import Clock, Micros

_SECRET_BYTES = 32
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_UNUSED = "unused"
_LATER = ("signin", "policy")
"""Keys that the first versions did not have."""
_SIGNERS = {"token": "ES256", "receipt": "EdDSA", "log": "EdDSA", **dict.fromkeys(_LATER, "ES256")}
_SECRETS = ("pseudonym", "disclosure")


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One line of `keys list`."""

    name: str
    kid: str
    state: str
    created: Micros


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
    entries: tuple[KeyEntry, ...]

    @classmethod
    def open(
        cls, directory: Path, chance: Chance, clock: Clock, kek: bytes | None = None
    ) -> "KeyRing":
        """Return the keys of the directory, made now where it is missing or empty, or raise
        `KeyRefused`. Processes that start together agree: a directory of keys appears whole."""
        if not directory.exists() or not any(directory.iterdir()):
            _make(directory, chance, clock.now(), kek)
        check_private(directory, directory.stat())
        _complete(directory, chance, clock.now(), kek)
        files = {name: read(_path(directory, name), kek) for name in (*_SIGNERS, *_SECRETS)}
        entries = tuple(KeyEntry(n, f.kid, f.state, f.created) for n, f in files.items())
        signers = {name: _signer(_path(directory, name), files[name]) for name in _SIGNERS}
        secrets = {name: _secret(_path(directory, name), files[name]) for name in _SECRETS}
        return cls(
            directory=directory,
            token=signers["token"],
            receipt=signers["receipt"],
            signin=signers["signin"],
            policy=signers["policy"],
            log=LogKey(cast("Ed25519PrivateKey", signers["log"].jose.private_key)),
            pseudonym=secrets["pseudonym"],
            disclosure=secrets["disclosure"],
            entries=entries,
        )

    def first_use(self) -> bool:
        """Return True once in the life of these keys, to the first who asks in any process: then
        nothing that they vouch for has been accepted by anybody yet."""
        try:
            (self.directory / _UNUSED).unlink()
        except FileNotFoundError:
            return False
        return True

    def token_jwks(self) -> Mapping[str, Json]:
        """Return the public JWKS of the access tokens (RFC 7517)."""
        return {"keys": [self.token.public_jwk()]}

    def signin_jwks(self) -> Mapping[str, Json]:
        """Return the public JWKS by which the sign-in provider knows us (RFC 7517)."""
        return {"keys": [self.signin.public_jwk()]}

    def receipt_jwks(self) -> Mapping[str, Json]:
        """Return the public JWKS of the receipts (RFC 7517)."""
        return {"keys": [self.receipt.public_jwk()]}


def _path(directory: Path, name: str) -> Path:
    return directory / f"{name}.json"


def _make(directory: Path, chance: Chance, now: Micros, kek: bytes | None) -> None:
    """Fill a directory beside the final one, then rename it into place: whoever is second finds
    the place taken and uses what is there."""
    draft = directory.with_name(f".{directory.name}.{chance.bits(8).hex()}")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir(mode=0o700)
        for name, private in _fresh(chance).items():
            kid = _kid(private) if name in _SIGNERS else chance.identifier("key")
            write(_path(draft, name), KeyFile(kid, "active", now, private), kek, chance)
        (draft / _UNUSED).touch(mode=0o600)
        _sync(draft)
        _put(draft, directory)
    except OSError as error:
        raise KeyRefused(
            f"The keys cannot be made in {directory}: {error.strerror}. It must be a "
            "directory of its own inside one that this process may write to."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _complete(directory: Path, chance: Chance, now: Micros, kek: bytes | None) -> None:
    """Add the keys that a directory made by an earlier version lacks. These alone may be made
    anew: nothing that they signed is kept, and whoever checks it reads the public half from us."""
    for path in (_path(directory, name) for name in _LATER):
        if not path.exists():
            _add(path, chance, now, kek)


def _add(path: Path, chance: Chance, now: Micros, kek: bytes | None) -> None:
    private = _members(_es256(chance))
    draft = path.with_name(f".{path.stem}.{chance.bits(8).hex()}")
    try:
        write(draft, KeyFile(_kid(private), "active", now, private), kek, chance, path.name)
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
        _sync(path.parent)
    except OSError as error:
        raise KeyRefused(
            f"The key file {path} is missing and cannot be made: {error.strerror}."
        ) from error


def _put(draft: Path, directory: Path) -> None:
    try:
        draft.rename(directory)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
    else:
        _sync(directory.parent)


def _fresh(chance: Chance) -> Mapping[str, Mapping[str, Json]]:
    receipt, log = (
        OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(chance.bits(32))) for _ in range(2)
    )
    signers: dict[str, ECKey | OKPKey] = {"token": _es256(chance), "receipt": receipt, "log": log}
    signers |= {name: _es256(chance) for name in _LATER}
    made = {name: _members(key) for name, key in signers.items()}
    for name in _SECRETS:
        made[name] = {"secret": base64url.encode(chance.bits(_SECRET_BYTES))}
    return made


def _es256(chance: Chance) -> ECKey:
    # FIPS 186-5 A.2.1: 64 bits more than the order has, so that the remainder is not biased.
    number = int.from_bytes(chance.bits(40)) % (_P256_ORDER - 1) + 1
    return ECKey.import_key(ec.derive_private_key(number, ec.SECP256R1()))


def _members(key: ECKey | OKPKey) -> Mapping[str, Json]:
    return {name: str(value) for name, value in key.as_dict(private=True).items()}


def _kid(private: Mapping[str, Json]) -> str:
    return _jose(private).thumbprint()


def _jose(private: Mapping[str, Json]) -> ECKey | OKPKey:
    """Return joserfc's key, its public numbers computed from the private one."""
    members: dict[str, str | list[str]] = {name: str(value) for name, value in private.items()}
    kind: type[ECKey | OKPKey] = ECKey if members.get("kty") == "EC" else OKPKey
    stored = kind.import_key(members)
    if not stored.is_private:
        raise ValueError("the private number is missing")
    computed = kind.import_key(stored.as_pem(private=True))
    if computed.as_dict(private=True) != stored.as_dict(private=True):
        raise ValueError("the public and the private numbers are of different keys")
    return computed


def _signer(path: Path, file: KeyFile) -> SigningKey:
    name = path.stem
    wanted = "P-256" if _SIGNERS[name] == "ES256" else "Ed25519"
    try:
        key = _jose(file.private)
        usable = key.curve_name == wanted and key.thumbprint() == file.kid
    except (JoseError, ValueError, TypeError, KeyError):
        usable = False
    if not usable:
        raise KeyRefused(f"The key file {path} does not hold a {wanted} key under its own kid.")
    return SigningKey(file.kid, _SIGNERS[name], key)


def _secret(path: Path, file: KeyFile) -> Secret:
    text = file.private.get("secret")
    try:
        value = base64url.decode(text) if isinstance(text, str) else b""
    except base64url.BadBase64:
        value = b""
    if len(value) != _SECRET_BYTES or len(set(value)) == 1:
        raise KeyRefused(f"The key file {path} does not hold a secret of 32 random bytes.")
    return Secret(file.kid, value)


def _sync(directory: Path) -> None:
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
