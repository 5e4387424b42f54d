"""Outgoing HTTP: libcurl with redirects, proxies and cookies off, every answer bounded."""

from collections import deque
from collections.abc import Sequence
from socket import socket
from typing import NamedTuple

import pycurl

from adapters.peers import Peers
from kernel.curl import strict_handle
from kernel.waits import BY_THREAD, Perform

_DOWN = frozenset(
    {
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_GOT_NOTHING,
        pycurl.E_SEND_ERROR,
        pycurl.E_RECV_ERROR,
    }
)


_MAX_HEAD = 64 * 1024


class Late(Exception):
    """The whole answer was not there in time."""


class Broken(Exception):
    """There is no answer that can be used; `down` when the fault is that nobody served us."""

    def __init__(self, why: str, *, down: bool) -> None:
        """Keep the words and on which side the fault lies."""
        super().__init__(why)
        self.down = down


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    content_type: str
    body: bytes


class _Line:
    """A handle, and the answer that comes in over it, stopped at the limit."""

    def __init__(self, handle: pycurl.Curl, limit: int) -> None:
        """Take a handle, which from now on writes here."""
        self.handle = handle
        self.limit = limit
        self.empty()
        handle.setopt(pycurl.WRITEFUNCTION, self._write)
        handle.setopt(pycurl.HEADERFUNCTION, self._write_head)

    def empty(self) -> None:
        """Let go of the last answer, which may be somebody's record."""
        self.chunks: list[bytes] = []
        self.size = self.head = 0

    def answer(self) -> Answer:
        """Return what came, and let go of it."""
        answer = Answer(
            self.handle.getinfo(pycurl.RESPONSE_CODE),
            self.handle.getinfo(pycurl.CONTENT_TYPE) or "",
            b"".join(self.chunks),
        )
        self.empty()
        return answer

    def _write(self, chunk: bytes) -> int:
        self.size += len(chunk)
        if self.size > self.limit:
            return 0  # A short count makes libcurl end the transfer; an exception would print.
        self.chunks.append(chunk)
        return len(chunk)

    def _write_head(self, line: bytes) -> int:
        self.head += len(line)
        return len(line) if self.head <= _MAX_HEAD else 0


class HttpClient:
    """GETs from one host over kept-alive connections, a handle for each request under way."""

    def __init__(
        self,
        peers: Peers,
        headers: list[str],
        limit: int,
        perform: Perform = BY_THREAD,
    ) -> None:
        """Keep whom we may connect to, what we send, how many bytes may come back, and how a
        transfer is carried out."""
        self._peers = peers
        self._headers = headers
        self._limit = limit
        self._perform = perform
        self._idle: deque[_Line] = deque()

    def get(self, url: str, seconds: float, more: Sequence[str] = ()) -> Answer:
        """Return the answer, whatever its status, or raise `Late` or `Broken`; `more` are header
        lines of this request alone."""
        if seconds <= 0:
            raise Late
        line = self._take()
        handle = line.handle
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.HTTPHEADER, [*self._headers, *more])
        handle.setopt(pycurl.TIMEOUT_MS, max(1, int(seconds * 1000)))
        try:
            self._perform(handle)
        except pycurl.error as error:
            handle.close()
            raise self._meaning(error.args[0], line) from error
        answer = line.answer()
        self._idle.append(line)
        return answer

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().handle.close()
        self._perform.close()

    def _meaning(self, code: int, line: _Line) -> Late | Broken:
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return Late()
        if line.size > self._limit or code == pycurl.E_FILESIZE_EXCEEDED:
            return Broken(f"answered with more than {self._limit} bytes", down=False)
        if code in _DOWN:
            return Broken("cannot be reached or broke off", down=True)
        return Broken("did not answer with proper HTTP", down=False)

    def _take(self) -> _Line:
        """Return an idle line, the last one used first, or a new one."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._make()

    def _make(self) -> _Line:
        handle = strict_handle()
        handle.setopt(pycurl.PATH_AS_IS, 1)
        handle.setopt(pycurl.MAXFILESIZE_LARGE, self._limit)
        handle.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        return _Line(handle, self._limit)

    def _open(self, _: int, address: tuple[int, int, int, tuple[str, int]]) -> "socket | int":
        # Called with each address after resolution, so a name cannot change its mind later.
        family, kind, protocol, peer = address
        return _Lent(family, kind, protocol) if self._peers.admit(peer[0]) else pycurl.SOCKET_BAD


class _Lent(socket):
    """A socket of which libcurl takes a duplicate, so that ours may go at once."""

    def __del__(self) -> None:
        """Close our half."""
        self.close()
