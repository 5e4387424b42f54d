"""Archive: a ZIP that is sent while it is made, so that no more of it than a piece is in memory.

Its last files are a manifest of hashes and the same manifest signed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from kernel.canonical import Json, canonical

_PIECE = 64 * 1024
_OWNER_ONLY = 0o100600 << 16
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""ZIP knows no earlier time; the true one is in the manifest."""

Sign = Callable[[Mapping[str, Json]], str]
"""Signs the manifest: a compact JWS."""


class Part(NamedTuple):
    """One file of the archive, made piece by piece."""

    name: str
    pieces: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the archive says of itself, and who signs it."""

    about: Mapping[str, Json]
    sign: Sign


class _Sink:
    """What `zipfile` writes to: a stream that cannot be sought, and is emptied again and again."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        """Take a piece."""
        self._pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: what was written is taken away as it comes."""

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return data


def archive(parts: Iterable[Part], manifest: Manifest) -> Iterator[bytes]:
    """Yield the bytes of the archive; each part is read once, when its turn comes."""
    sink = _Sink()
    hashes: dict[str, Json] = {}
    with ZipFile(sink, "w") as file:
        for part in parts:
            digest = sha256()
            with file.open(_info(part.name), "w") as member:
                for piece in part.pieces:
                    digest.update(piece)
                    member.write(piece)
                    if sink.size >= _PIECE:
                        yield sink.take()
            hashes[part.name] = digest.hexdigest()
        told = {**manifest.about, "sha256": hashes}
        file.writestr(_info("manifest.json"), canonical(told) + b"\n")
        file.writestr(_info("manifest.jwt"), manifest.sign(told) + "\n")
    yield sink.take()


def _info(name: str) -> ZipInfo:
    info = ZipInfo(name, _EARLIEST)
    info.compress_type = ZIP_DEFLATED
    info.external_attr = _OWNER_ONLY
    return info
