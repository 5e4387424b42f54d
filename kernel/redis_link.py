"""Redis link: one connection to a Redis that may be trusted with what must not be forgotten.

redis-py packs, parses and signs in; the socket is ours, since a deadline is for a whole answer
and not for each part of it. Nothing is ever sent twice: who does not know whether a claim was
made must not make another.
"""

import hashlib
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import redis
from redis.exceptions import NoScriptError

from kernel.clock import Deadline
from kernel.redis_address import Login
from kernel.waits import Waits, polled

_Made = TypeVar("_Made")
_LATE = "Redis did not answer in time"
Argument = bytes | str | int | float
Host = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script, which Redis runs whole and alone, and the digest by which it knows it."""

    text: str
    digest: str

    @classmethod
    def of(cls, text: str) -> "Script":
        """Return the script of a text."""
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Unfit(Exception):
    """A Redis that would forget, or is not the one to ask; the words say what to change."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How all connections of a store are made and waited for."""

    tls: ssl.SSLContext | None
    waits: Waits


class Link:
    """One connection, for one caller at a time."""

    def __init__(self, host: Host, login: Login, deadline: Deadline, ways: Ways) -> None:
        """Connect and sign in within the deadline, or raise `redis.RedisError` or `OSError`; the
        caller's thread waits while its name is looked up."""
        self.run = b""
        """The name that Redis gives to the time since its process started."""
        self._connection = _Connection(host, login, deadline, ways)
        self._connection.connect()

    def enter(self, database: int, *, replicated: bool) -> None:
        """Choose the database, and learn what is at the other end; raise `Unfit` where it evicts,
        is a replica, or takes writes that no replica has."""
        if database:
            self._ask("SELECT", database)
        lines = bytes(self._ask("INFO")).splitlines()
        told = dict(line.split(b":", 1) for line in lines if b":" in line)
        if told.get(b"role") != b"master":
            raise Unfit("is a replica and not the master")
        if told.get(b"maxmemory_policy") != b"noeviction":
            raise Unfit("forgets when it is full: set `maxmemory-policy noeviction`")
        lonely = b"min_slaves_good_slaves" not in told
        if lonely and (replicated or told.get(b"connected_slaves", b"0") != b"0"):
            raise Unfit("loses in a failover what no replica has: set `min-replicas-to-write 1`")
        self.run = told.get(b"run_id", b"")
        if not self.run:
            raise Unfit("does not name its run")

    def master(self, service: str) -> Host | None:
        """Return where a Sentinel says that the master is, or None where it does not know."""
        told = self._ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
        return (told[0].decode(), int(told[1])) if told else None

    def evaluate(
        self, script: Script, keys: tuple[bytes, ...], arguments: tuple[Argument, ...]
    ) -> Any:
        """Return a script's answer; sent whole where Redis does not know it yet, which is no second
        time: it has done nothing then."""
        try:
            return self._ask("EVALSHA", script.digest, len(keys), *keys, *arguments)
        except NoScriptError:
            return self._ask("EVAL", script.text, len(keys), *keys, *arguments)

    def wait(self, deadline: Deadline) -> None:
        """Set the deadline of what follows."""
        self._connection.deadline = deadline

    def quiet(self) -> bool:
        """Tell whether nothing has arrived unasked, which may be the end."""
        return self._connection.quiet()

    def close(self) -> None:
        """Let go of it."""
        self._connection.disconnect()

    def _ask(self, *command: Argument) -> Any:
        self._connection.send_command(*command)
        return self._connection.read_response()


class _Connection(redis.Connection):
    """redis-py's connection over a socket that keeps one deadline."""

    def __init__(self, host: Host, login: Login, deadline: Deadline, ways: Ways) -> None:
        super().__init__(  # type: ignore[no-untyped-call] # redis-py is typed in part
            host=host[0],
            port=host[1],
            username=login.username,
            password=login.password,
            protocol=2,
            driver_info=None,
        )
        self.deadline = deadline
        self._ways = ways
        self._wire: _TimedSocket | None = None

    def _connect(self) -> "_TimedSocket":
        plain = socket.create_connection((self.host, self.port), _left(self.deadline))
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._ways.tls is not None:
                plain.settimeout(_left(self.deadline))
                plain = self._ways.tls.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise
        plain.settimeout(0)
        self._wire = _TimedSocket(plain, self, self._ways.waits)
        return self._wire

    def quiet(self) -> bool:
        return self._wire is not None and self._wire.quiet()


class _TimedSocket:
    """As much of a socket as redis-py uses."""

    def __init__(self, plain: socket.socket, owner: _Connection, waits: Waits) -> None:
        self._plain = plain
        self._owner = owner
        self._waits = waits

    def recv(self, size: int) -> bytes:
        return self._done(lambda: self._plain.recv(size), select.POLLIN)

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._done(lambda: self._plain.send(rest), select.POLLOUT) :]  # noqa: B023 - called at once

    def _done(self, do: Callable[[], _Made], event: int) -> _Made:
        """Return what comes of it once the socket is ready, also where we are late to look; TLS may
        have to read in order to write, and to write in order to read."""
        left = _left(self._owner.deadline)
        while True:
            try:
                return do()
            except ssl.SSLWantReadError:
                wanted = select.POLLIN
            except ssl.SSLWantWriteError:
                wanted = select.POLLOUT
            except BlockingIOError:
                wanted = event
            if not self._waits.ready(self._plain.fileno(), wanted, left):
                raise TimeoutError(_LATE)
            left = self._owner.deadline.left()

    def settimeout(self, _: float | None) -> None:
        """Keep the deadline, whatever redis-py would set."""

    def shutdown(self, how: int) -> None:
        self._plain.shutdown(how)

    def close(self) -> None:
        self._plain.close()

    def quiet(self) -> bool:
        return not polled(self._plain.fileno(), select.POLLIN, 0)


def _left(deadline: Deadline) -> float:
    left = deadline.left()
    if left == 0:
        raise TimeoutError(_LATE)
    return left
