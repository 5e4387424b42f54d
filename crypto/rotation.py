"""Rotation: a key is published a day before it signs, and its public half after it did.

What the one before signed stays believed: a receipt for ever, a token for a day, in which the hosts
are restarted one after the other. Each file is replaced whole, in an order in which a rotation that
breaks off anywhere leaves a directory that opens, and can be asked for once more.
"""

from crypto.keyfile import KeyFile, read, replace
from crypto.keys import KeyRing
from crypto.making import fresh, kid_of, path_of
from kernel.chance import Chance
from kernel.clock import Micros
from kernel.durable import sync_directory


def make_next(ring: KeyRing, name: str, kek: bytes | None, chance: Chance, now: Micros) -> KeyFile:
    """Make the key that a signer is to have next, in place of one that was to be."""
    private = fresh(name, chance)
    following = KeyFile(kid_of(private), "next", now, private)
    replace(path_of(ring.directory, f"{name}.next"), following, kek, chance)
    return following


def next_of(ring: KeyRing, name: str, kek: bytes | None) -> KeyFile | None:
    """Return the key that a signer is to have next, where it has been made."""
    path = path_of(ring.directory, f"{name}.next")
    return read(path, kek) if path.exists() else None


def promote(
    ring: KeyRing, name: str, kek: bytes | None, chance: Chance, now: Micros, *, keep: bool = True
) -> None:
    """Let the next key sign from the next start on, and keep of the one before the public half,
    or nothing. Raises `KeyRefused` where there is no next one."""
    active, following = path_of(ring.directory, name), path_of(ring.directory, f"{name}.next")
    before, after = read(active, kek), read(following, kek)
    if keep:
        public = {member: value for member, value in before.private.items() if member != "d"}
        retired = KeyFile(before.kid, "retired", now, public)
        replace(path_of(ring.directory, f"{name}.{before.kid}"), retired, kek, chance)
    replace(active, KeyFile(after.kid, "active", after.created, after.private), kek, chance)
    following.unlink()
    sync_directory(ring.directory)
