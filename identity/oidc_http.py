"""Outgoing HTTP of the sign-in: one answer at a time, whole, small, in time, from where we asked.

libcurl keeps the deadline over the whole answer, however slowly it drips; redirects, proxies and
cookies are off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pycurl

from identity.oidc_model import unreachable
from kernel.canonical import BadJson, Json, parse
from kernel.curl import strict_handle
from kernel.loopback import LOOPBACK

WITHIN = 5.0
MAX_ANSWER = 128 * 1024
_MAX_HEAD = 32 * 1024
_MAX_URL = 2048
_OK = 200
_JSON = frozenset({"application/json", "application/jwk-set+json"})


@dataclass(slots=True)
class _Answer:
    """Collects an answer, and ends the transfer at the limit."""

    body: bytearray
    head: int = 0

    def write(self, chunk: bytes) -> int:
        self.body += chunk
        return len(chunk) if len(self.body) <= MAX_ANSWER else 0

    def write_head(self, line: bytes) -> int:
        self.head += len(line)
        return len(line) if self.head <= _MAX_HEAD else 0


def trusted(url: str, *, beside: str = "") -> bool:
    """Tell whether an address is https, or http on this machine; `beside` an issuer that is
    https, only https will do."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if len(url) > _MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        return False
    if not host or parts.fragment or "@" in parts.netloc or "\\" in url:
        return False
    plain = parts.scheme == "http" and host in LOOPBACK and not beside.startswith("https:")
    return parts.scheme == "https" or plain


def fetch(url: str) -> Mapping[str, Json]:
    """Return the JSON object at an address, or raise `signin.unavailable`."""
    status, answer = _perform(url, None)
    if status != _OK:
        raise unreachable("The sign-in service does not answer as it should.")
    return answer


def post(url: str, form: str) -> tuple[int, Mapping[str, Json]]:
    """Return status and JSON object of the answer to a form, or raise `signin.unavailable`."""
    return _perform(url, form)


def _perform(url: str, form: str | None) -> tuple[int, Mapping[str, Json]]:
    collected = _Answer(bytearray())
    handle = _handle(url, collected)
    if form is not None:
        handle.setopt(pycurl.POSTFIELDS, form)
    try:
        handle.perform()
        status = handle.getinfo(pycurl.RESPONSE_CODE)
        kind = (handle.getinfo(pycurl.CONTENT_TYPE) or "").partition(";")[0].strip().lower()
    except pycurl.error:
        # Its cause would show the address with what was sent, so it goes no further.
        raise unreachable("The sign-in service cannot be reached, or is too slow.") from None
    finally:
        handle.close()
    return status, _object(bytes(collected.body), kind)


def _object(body: bytes, kind: str) -> Mapping[str, Json]:
    try:
        value = parse(body, max_bytes=MAX_ANSWER) if kind in _JSON else None
    except BadJson:
        value = None
    if not isinstance(value, Mapping):
        raise unreachable("The sign-in service does not answer as it should.")
    return value


def _handle(url: str, collected: _Answer) -> pycurl.Curl:
    handle = strict_handle()
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.TIMEOUT_MS, int(WITHIN * 1000))
    handle.setopt(pycurl.MAXFILESIZE_LARGE, MAX_ANSWER)
    handle.setopt(pycurl.HTTPHEADER, ["Accept: application/json", "Expect:"])
    handle.setopt(pycurl.WRITEFUNCTION, collected.write)
    handle.setopt(pycurl.HEADERFUNCTION, collected.write_head)
    return handle
