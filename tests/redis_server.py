"""A real redis-server on a free port of loopback, with a directory and, where asked, a clock."""

import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from kernel.clock import SECOND, Micros
from tests.ports import free_port
from tests.stepping import clock_library
from tests.unit.identity.parts import START


class RedisServer:
    """A redis-server that can be started, stopped, killed and started again, and its files."""

    def __init__(self, directory: Path, *options: str, seconds: int | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self._password: str | None = None
        self._environ: dict[str, str] = {}
        self._now = directory / "now"
        if seconds is not None:
            self.set_clock(seconds)
            preload = str(clock_library(directory))
            self._environ = {"LD_PRELOAD": preload, "CLOCK_AT": str(self._now)}

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def set_clock(self, seconds: int) -> None:
        """Set the server's wall clock."""
        mode = "r+b" if self._now.exists() else "wb"
        with self._now.open(mode) as file:
            file.write(struct.pack("q", seconds))

    def start(self, *more: str) -> "RedisServer":
        """Start it, and return when it answers."""
        self._password = None
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        where = ["--dir", str(self.directory), "--rdbcompression", "no"]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *where, *self.options, *more],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.answers()
        return self

    @classmethod
    def sentinel(cls, directory: Path, port: int) -> "RedisServer":
        """Run a Sentinel from its file, which it rewrites."""
        server = cls(directory)
        server.port = port
        with (directory / "log").open("ab") as log:
            server.process = subprocess.Popen(
                ["redis-server", str(directory / "sentinel.conf"), "--sentinel"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        server.answers()
        return server

    def answers(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + 120
        while True:
            assert self.process is not None
            assert self.process.poll() is None, (self.directory / "log").read_text()
            try:
                with self.client() as client:
                    client.ping()
            except redis.RedisError:
                assert time.monotonic() < deadline, "redis-server did not answer within 120 s"
                time.sleep(0.02)
            else:
                return

    def client(self, **options: object) -> redis.Redis:
        """Return a plain client, which sees everything."""
        return redis.Redis(port=self.port, password=self._password, **options)

    def protect(self, password: str) -> None:
        """Want a password from everybody from now on, until it is started again."""
        with self.client() as client:
            client.config_set("requirepass", password)
        self._password = password

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it at once, nothing saved."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(120)
            self.process = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let it hang: it is there, and does nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it, and start it again on what its file holds."""
        self.kill()
        self.start()

    def save(self) -> None:
        """Write what it holds to its file."""
        with self.client() as client:
            client.save()


class SharedClock:
    """A clock that stands where it is put, of a host and of its Redis at once; what leaps is the
    host's wall clock alone."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._seconds: float = START
        self.leapt: float = 0

    @property
    def seconds(self) -> float:
        return self._seconds

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        self._seconds = seconds
        self._server.set_clock(int(seconds))

    def now(self) -> Micros:
        return Micros(int((self._seconds + self.leapt) * SECOND))

    def monotonic(self) -> float:
        return self._seconds


@contextmanager
def redis_server(
    directory: Path, *options: str, seconds: int | None = None
) -> Iterator[RedisServer]:
    """Run a server, and end it by its process id."""
    server = RedisServer(directory, *options, seconds=seconds)
    try:
        yield server.start()
    finally:
        server.kill()
