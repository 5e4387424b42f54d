"""Key files: one private key or secret each, readable by its owner alone, sealed under a KEK."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto import base64url
from kernel.canonical import BadJson, Json, canonical, parse
from kernel.chance import Chance
from kernel.clock import Micros
from kernel.durable import sync_directory

KEK_BYTES = 32
_NONCE_BYTES = 12
_MAX_FILE = 16 * 1024
_OTHERS = 0o077


class KeyRefused(Exception):
    """A key cannot be used; the message is one plain sentence that says which and why."""


@dataclass(frozen=True, slots=True, repr=False)
class KeyFile:
    """What one file holds; `private` is the only secret part."""

    kid: str
    state: str
    """`next`, `active` or `retired`; of one that is retired only the public half is kept."""
    created: Micros
    """When it was made or, retired, when it was."""
    private: Mapping[str, Json]


def key_encryption_key(text: str) -> bytes:
    """Return the 32 bytes of a key-encryption key written as base64url, or raise `KeyRefused`."""
    try:
        kek = base64url.decode(text.strip().rstrip("="))
    except base64url.BadBase64:
        kek = b""
    if len(kek) != KEK_BYTES or len(set(kek)) == 1:
        raise KeyRefused("The key-encryption key must be 32 random bytes, written as base64url.")
    return kek


def write(
    path: Path, key: KeyFile, kek: bytes | None, chance: Chance, name: str | None = None
) -> None:
    """Write a new file with mode 0600 and wait until the disk has it; `name` is the one that it
    will have, where that is another."""
    public: dict[str, Json] = {"kid": key.kid, "state": key.state, "created": key.created}
    secret = canonical(key.private)
    if kek is None:
        content: dict[str, Json] = {**public, "private": key.private}
    else:
        nonce = chance.bits(_NONCE_BYTES)
        sealed = nonce + AESGCM(kek).encrypt(nonce, secret, (name or path.name).encode())
        content = {**public, "sealed": base64url.encode(sealed)}
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(canonical(content))
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, key: KeyFile, kek: bytes | None, chance: Chance) -> None:
    """Write a file in place of the one with its name, whole or not at all."""
    draft = path.with_name(f".{path.stem}.{chance.bits(8).hex()}")
    try:
        write(draft, key, kek, chance, path.name)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def read(path: Path, kek: bytes | None) -> KeyFile:
    """Return what the file holds, or raise `KeyRefused`: missing, readable by others, damaged,
    or sealed under another key."""
    try:
        content = parse(_bytes(path), max_bytes=_MAX_FILE)
    except BadJson as bad:
        raise KeyRefused(f"The key file {path} is damaged: {bad}.") from None
    match content:
        case {"kid": str(kid), "state": str(state), "created": int(created), "private": private}:
            if kek is not None:
                raise KeyRefused(
                    f"The key file {path} is not encrypted although a key-encryption key is set."
                )
        case {"kid": str(kid), "state": str(state), "created": int(created), "sealed": str(text)}:
            private = _opened(path, text, kek)
        case _:
            raise KeyRefused(f"The key file {path} does not hold what a key file must hold.")
    if not isinstance(private, Mapping):
        raise KeyRefused(f"The key file {path} does not hold a key.")
    return KeyFile(kid, state, Micros(created), private)


def check_private(path: Path, status: os.stat_result) -> None:
    """Return when nobody but the owner may read or write, or raise `KeyRefused`."""
    if status.st_mode & _OTHERS:
        raise KeyRefused(
            f"{path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}): "
            "take away their access with chmod go-rwx."
        )


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # The mode of the very file that is read, not of one that had this name before.
            check_private(path, os.fstat(file.fileno()))
            return file.read(_MAX_FILE + 1)
    except FileNotFoundError:
        raise KeyRefused(f"The key file {path} is missing: restore it from a backup.") from None
    except OSError as error:
        raise KeyRefused(f"The key file {path} cannot be read: {error.strerror}.") from error


def _opened(path: Path, text: str, kek: bytes | None) -> Json:
    if kek is None:
        raise KeyRefused(
            f"The key file {path} is encrypted: set GATEWAY_KEY_ENCRYPTION_KEY to open it."
        )
    try:
        sealed = base64url.decode(text)
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        opened = AESGCM(kek).decrypt(nonce, ciphertext, path.name.encode())
        return parse(opened, max_bytes=_MAX_FILE)
    except (InvalidTag, ValueError):
        raise KeyRefused(
            f"The key file {path} does not open under this key-encryption key."
        ) from None
