"""Waits: how whoever serves a request waits for something outside while others work."""

import select
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Protocol, TypeVar

import pycurl

Made = TypeVar("Made")


class Perform(Protocol):
    """How the transfers of one source are carried out: they share connections with each other, and
    with nobody else."""

    def __call__(self, handle: pycurl.Curl, /) -> None:
        """Carry one transfer out as its handle says, or raise `pycurl.error`."""
        ...

    def close(self) -> None:
        """Close the connections that are kept beside those of handles."""
        ...


class Parked(Protocol):
    """Where one caller waits, without its thread, until somebody lets it go; shaped like a lock
    that is held from the beginning."""

    def acquire(self, *, timeout: float = -1) -> bool:
        """Return True once let go, or False after so many seconds; for the caller alone."""
        ...

    def release(self) -> None:
        """Let the caller go; for any thread."""
        ...

    def release_here(self) -> None:
        """Let the caller go before others; for the caller's own thread alone."""
        ...

    def afterwards(self, call: Callable[[], None]) -> None:
        """Have something called once, on the caller's thread, when all who can work have worked
        as far as they could; for the caller alone."""
        ...


class Waits(Protocol):
    """How the caller at hand waits."""

    def aside(self, ask: Callable[[], Made]) -> Made:
        """Return what a question that may take long brings, or raise what it raises; nobody who
        holds a lock of a thread may ask so."""
        ...

    def parked(self) -> Parked | None:
        """Return where to wait without a thread, or None where the thread is the caller's own."""
        ...

    def ready(self, descriptor: int, events: int, seconds: float) -> int:
        """Return for which of the events (those of `poll`) a descriptor is ready, as soon as it is
        for one; 0 after so many seconds."""
        ...

    def performing(self) -> Perform:
        """Return how the transfers of one source are to be carried out."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Stand around short work of a thread for all: who works by turns rests meanwhile."""
        ...


class ByThread:
    """Implements `Perform` by the caller's thread, which waits."""

    def __call__(self, handle: pycurl.Curl, /) -> None:
        """Carry the transfer out."""
        handle.perform()

    def close(self) -> None:
        """Do nothing: each handle keeps its own."""


BY_THREAD = ByThread()


class OwnThread:
    """Implements `Waits` where every caller has a thread: it simply waits."""

    def aside(self, ask: Callable[[], Made]) -> Made:
        """Return what the question brings."""
        return ask()

    def parked(self) -> None:
        """Return None."""
        return

    def ready(self, descriptor: int, events: int, seconds: float) -> int:
        """Return for which of the events a descriptor is ready, 0 after so many seconds."""
        return polled(descriptor, events, seconds)

    def performing(self) -> Perform:
        """Return libcurl's own way."""
        return BY_THREAD

    def alone(self) -> AbstractContextManager[None]:
        """Return what does nothing."""
        return nullcontext()


def polled(descriptor: int, events: int, seconds: float) -> int:
    """Return for which of the events a descriptor is ready, 0 after so many seconds; the thread
    waits."""
    poll = select.poll()
    poll.register(descriptor, events)
    told = poll.poll(seconds * 1000)
    return told[0][1] if told else 0


def held(parked: Parked | None) -> "Parked | Lock":
    """Return where a caller waits until somebody lets it go: parked, or a lock for its thread."""
    if parked is not None:
        return parked
    lock = Lock()
    lock.acquire()
    return lock
