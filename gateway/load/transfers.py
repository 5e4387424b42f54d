"""Transfers: what fibres fetch over HTTP, carried out by libcurl on their own event loop.

libcurl tells which sockets it waits for and until when (its multi interface), and the loop tells it
what came of that. A thread for each answer that is waited for cost more than the answer.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import pycurl

from kernel.waits import Parked, Perform

_READ: Final = frozenset({pycurl.POLL_IN, pycurl.POLL_INOUT})
_WRITE: Final = frozenset({pycurl.POLL_OUT, pycurl.POLL_INOUT})


class Transfers:
    """Implements `kernel.waits.Perform` for fibres, and leaves other callers to their threads."""

    def __init__(self, parked: Callable[[], Parked | None], threads: Perform) -> None:
        """Take where the caller at hand waits, and what callers with threads do; the first
        transfer finds the loop."""
        self._parked = parked
        self._threads = threads
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._remind)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.Handle | None = None
        self._waiting: dict[pycurl.Curl, Parked] = {}
        self._ended: dict[pycurl.Curl, tuple[int, str]] = {}

    def __call__(self, handle: pycurl.Curl, /) -> None:
        """Carry a transfer out while its caller is parked, or raise `pycurl.error`."""
        parked = self._parked()
        if parked is None:
            self._threads(handle)
            return
        self._loop = asyncio.get_running_loop()
        self._multi.add_handle(handle)
        self._waiting[handle] = parked
        try:
            parked.acquire()
        finally:
            self._multi.remove_handle(handle)
            self._waiting.pop(handle, None)
            code, words = self._ended.pop(handle, (pycurl.E_ABORTED_BY_CALLBACK, ""))
        if code != pycurl.E_OK:
            raise pycurl.error(code, words)

    def close(self) -> None:
        """Close the connections that are kept; for the loop's thread, and once nobody waits."""
        self._remind(-1)
        self._multi.close()
        self._threads.close()

    def _watch(self, what: int, socket: int, *_: object) -> None:
        """Have the loop watch a socket as libcurl asks for it."""
        if self._loop is None or self._loop.is_closed():
            return
        if what in _READ:
            self._loop.add_reader(socket, partial(self._go_on, socket, pycurl.CSELECT_IN))
        else:
            self._loop.remove_reader(socket)
        if what in _WRITE:
            self._loop.add_writer(socket, partial(self._go_on, socket, pycurl.CSELECT_OUT))
        else:
            self._loop.remove_writer(socket)

    def _remind(self, millis: int) -> None:
        """Have the loop call libcurl after so many milliseconds; never, where that is negative."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is not None and millis >= 0:
            due = partial(self._go_on, pycurl.SOCKET_TIMEOUT, 0)
            self._timer = self._loop.call_later(millis / 1000, due)

    def _go_on(self, socket: int, what: int) -> None:
        self._multi.socket_action(socket, what)
        more = True
        while more:
            more, whole, broken = self._multi.info_read()
            ended = [(handle, pycurl.E_OK, "") for handle in whole]
            for handle, code, words in [*ended, *broken]:
                self._ended[handle] = (code, words)
                if (parked := self._waiting.pop(handle, None)) is not None:
                    parked.release_here()
