"""Verifier, the sources: an export in a directory, or the same files behind a URL.

Part of `audit.verify`, which stands alone: nothing here comes from the code that writes the log.
"""

import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Protocol

from audit.verify_tree import Defect

_SECONDS = 20


class Source(Protocol):
    """Where the files of a log come from (C2SP tlog-tiles)."""

    def read(self, name: str, most: int) -> bytes | None:
        """Return a file of at most so many bytes, None where there is none, or raise `Defect`."""
        ...


class Directory:
    """An export on disk."""

    def __init__(self, path: Path) -> None:
        """Read below this directory."""
        self._path = path

    def read(self, name: str, most: int) -> bytes | None:
        """Return the file, or None where there is none."""
        try:
            with (self._path / name).open("rb") as file:
                data = file.read(most + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Defect(f"{name} cannot be read: {error.strerror}") from error
        return _capped(name, data, most)


class Site:
    """The same files behind an HTTP or HTTPS URL, however they are hosted."""

    def __init__(self, url: str) -> None:
        """Read below this URL; redirects are not followed."""
        if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
            raise Defect("the URL must begin with http:// or https://")
        self._url = url.rstrip("/")
        self._opener = urllib.request.build_opener(_NoRedirect())

    def read(self, name: str, most: int) -> bytes | None:
        """Return the resource, or None where there is none."""
        try:
            with self._opener.open(f"{self._url}/{name}", timeout=_SECONDS) as answer:
                data: bytes = answer.read(most + 1)
        except urllib.error.HTTPError as error:
            with error:
                if error.code in {404, 410}:
                    return None
                raise Defect(f"{name} was answered with status {error.code}") from None
        except (OSError, HTTPException) as error:
            raise Defect(f"{name} cannot be fetched: {error}") from error
        return _capped(name, data, most)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow nothing: the answer stays an error of its own status."""


def _capped(name: str, data: bytes, most: int) -> bytes:
    if len(data) > most:
        raise Defect(f"{name} is larger than {most} bytes")
    return data
