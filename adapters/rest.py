"""The REST adapter: one person's record as JSON over HTTP, with the gateway's own credentials."""

from functools import lru_cache
from http import HTTPStatus
from urllib.parse import quote, urlencode, urlsplit

import orjson

from adapters.base import Faults, identifier, sooner, unknown
from adapters.model import RestRead, SourceAddress
from adapters.outgoing import Answer, Broken, HttpClient, Late
from adapters.peers import Peers, is_loopback
from adapters.record import MAX_RECORD, accept, path, pick
from kernel import trace
from kernel.canonical import Json
from kernel.clock import Deadline
from kernel.names import Pointer, Subject
from kernel.waits import BY_THREAD, Perform

_NO_ENTRY = frozenset({401, 403, 407})
_BUSY = frozenset({408, 425, 429})


class RestSource:
    """Answers by one GET per person on the one host that settings name."""

    blocks = False

    def __init__(
        self,
        address: SourceAddress,
        read: RestRead,
        subject_at: Pointer,
        perform: Perform = BY_THREAD,
    ) -> None:
        """Prepare the source; nothing is opened yet. Raises `ValueError` for a bad address."""
        base = _base(address.url)
        host = urlsplit(base).hostname or ""
        peers = Peers.of(host, address.allow)
        self._http = HttpClient(peers, _headers(address.secret), MAX_RECORD, perform)
        self._faults = Faults(address.name)
        self._timeout = address.timeout
        self._read = read
        self._subject_at = subject_at
        before, self._after = read.path.split("{subject}")
        self._before = base + before
        self._record_at = path(read.record or "")
        self._query = lru_cache(maxsize=256)(self._make_query)

    def fetch(self, subject: Subject, fields: frozenset[Pointer], deadline: Deadline) -> Json:
        """Return the record as the source sent it, once it is known to be JSON and bounded."""
        person = quote(identifier(subject), safe="")
        url = f"{self._before}{person}{self._after}{self._query(fields)}"
        try:
            left = sooner(deadline, self._timeout).left()
            answer = self._http.get(url, left, trace.onward(trace.SOURCE))
        except Late as error:
            raise self._faults.timeout() from error
        except Broken as error:
            if error.down:
                raise self._faults.unavailable(str(error)) from error
            raise self._faults.bad_answer(str(error)) from error
        self._check_status(answer.status)
        return self._record(answer, fields | {self._subject_at})

    def close(self) -> None:
        """Close the idle connections."""
        self._http.close()

    def _check_status(self, status: int) -> None:
        if status == HTTPStatus.OK:
            return
        if status in self._read.not_found:
            raise unknown()
        if status in _NO_ENTRY:
            raise self._faults.unavailable("does not accept the gateway's credentials")
        if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._faults.unavailable(f"answered with the status {status}")
        raise self._faults.bad_answer(f"answered with the status {status}")

    def _record(self, answer: Answer, wanted: frozenset[Pointer]) -> Json:
        media, _, parameters = answer.content_type.lower().partition(";")
        if media.strip() != "application/json":
            raise self._faults.bad_answer("did not answer with application/json")
        if parameters.strip() not in {"", "charset=utf-8", 'charset="utf-8"'}:
            raise self._faults.bad_answer("answered in another charset than UTF-8")
        try:
            value = accept(orjson.loads(answer.body))
            for token in self._record_at:
                value = accept(value.get(token))
        except orjson.JSONDecodeError:
            # The parser's error carries the whole text, so it is not shown as the cause.
            raise self._faults.bad_answer("did not answer with valid JSON") from None
        except ValueError as error:
            raise self._faults.bad_answer(f"gave a record that {error}") from error
        # A source that cannot be asked for less is cut here; one that was asked and sends more
        # is left as it is, so that the cut after this one notices.
        asked = self._read.fields_parameter is not None
        return value if asked else pick(value, wanted)

    def _make_query(self, fields: frozenset[Pointer]) -> str:
        if self._read.fields_parameter is None:
            return ""
        wanted = sorted(fields | {self._subject_at})
        return "?" + urlencode([(self._read.fields_parameter, pointer) for pointer in wanted])


def _base(url: str) -> str:
    """Return the configured address without a trailing slash, or raise `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the address of a REST source must be an https URL")
    if parts.username is not None or parts.query or parts.fragment or not url.isascii():
        raise ValueError("the address of a REST source must be scheme, host, port and path only")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("a REST source that is not on this machine must use https")
    return url.rstrip("/")


def _headers(secret: str | None) -> list[str]:
    headers = ["Accept: application/json", "Accept-Encoding: identity", "User-Agent: causeway"]
    if secret is None:
        return headers
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ValueError("the secret of a REST source must be printable ASCII without spaces")
    return [*headers, f"Authorization: Bearer {secret}"]
