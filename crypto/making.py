"""Making: new keys, and a directory of them that appears whole."""

import errno
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import ECKey, OKPKey

from crypto import base64url
from crypto.keyfile import KeyFile, KeyRefused, write
from kernel.canonical import Json
from kernel.chance import Chance
from kernel.clock import Micros
from kernel.durable import sync_directory

KeyMembers = Mapping[str, Json]
SECRET_BYTES = 32
LATER = ("signin", "policy")
"""Keys that the first versions did not have."""
SIGNERS = {"token": "ES256", "receipt": "EdDSA", "log": "EdDSA", **dict.fromkeys(LATER, "ES256")}
SECRETS = ("pseudonym", "disclosure")
UNUSED = "unused"
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def path_of(directory: Path, name: str) -> Path:
    """Return the file of a key."""
    return directory / f"{name}.json"


def make(directory: Path, chance: Chance, now: Micros, kek: bytes | None) -> None:
    """Fill a directory beside the final one, then rename it into place: whoever is second finds
    the place taken and uses what is there."""
    draft = directory.with_name(f".{directory.name}.{chance.bits(8).hex()}")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir(mode=0o700)
        for name, private in _fresh(chance).items():
            kid = kid_of(private) if name in SIGNERS else chance.identifier("key")
            write(path_of(draft, name), KeyFile(kid, "active", now, private), kek, chance)
        (draft / UNUSED).touch(mode=0o600)
        sync_directory(draft)
        _put(draft, directory)
    except OSError as error:
        raise KeyRefused(
            f"The keys cannot be made in {directory}: {error.strerror}. It must be a "
            "directory of its own inside one that this process may write to."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def complete(directory: Path, chance: Chance, now: Micros, kek: bytes | None) -> None:
    """Add the keys that a directory made by an earlier version lacks. These alone may be made
    anew: nothing that they signed is kept, and whoever checks it reads the public half from us."""
    for path in (path_of(directory, name) for name in LATER):
        if not path.exists():
            _add(path, chance, now, kek)


def _add(path: Path, chance: Chance, now: Micros, kek: bytes | None) -> None:
    private = fresh(path.stem, chance)
    draft = path.with_name(f".{path.stem}.{chance.bits(8).hex()}")
    try:
        write(draft, KeyFile(kid_of(private), "active", now, private), kek, chance, path.name)
        with suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
        sync_directory(path.parent)
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
        sync_directory(directory.parent)


def fresh(name: str, chance: Chance) -> KeyMembers:
    """Return a new private key for a signer, as JWK."""
    if SIGNERS[name] == "ES256":
        return _members(_es256(chance))
    return _members(OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(chance.bits(32))))


def _fresh(chance: Chance) -> Mapping[str, KeyMembers]:
    made = {name: fresh(name, chance) for name in SIGNERS}
    for name in SECRETS:
        made[name] = {"secret": base64url.encode(chance.bits(SECRET_BYTES))}
    return made


def _es256(chance: Chance) -> ECKey:
    # FIPS 186-5 A.2.1: 64 bits more than the order has, so that the remainder is not biased.
    number = int.from_bytes(chance.bits(40)) % (_P256_ORDER - 1) + 1
    return ECKey.import_key(ec.derive_private_key(number, ec.SECP256R1()))


def _members(key: ECKey | OKPKey) -> KeyMembers:
    return {name: str(value) for name, value in key.as_dict(private=True).items()}


def kid_of(private: KeyMembers) -> str:
    """Return the name of a key, its RFC 7638 thumbprint."""
    return private_key(private).thumbprint()


def private_key(private: KeyMembers) -> ECKey | OKPKey:
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
