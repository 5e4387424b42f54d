"""A master whose replica lags, and a Sentinel: what a failover loses, it loses here for certain."""

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import redis

from tests.ports import free_port
from tests.redis_server import RedisServer

SERVICE = "causeway"
PATIENCE = 120.0


class Wire:
    """A connection to a server that carries on when told to, and swallows what came meanwhile."""

    def __init__(self, to: int) -> None:
        self._to = to
        self.swallows = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._to))
                except OSError:  # the server is gone
                    near.close()
                    continue
                for pair in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, down: bool) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(65536):
                if not (down and self.swallows):
                    target.sendall(data)


class Lagging:
    """Two servers and a Sentinel; the replica hears the master over a wire."""

    def __init__(self, directory: Path) -> None:
        careful = ("--min-replicas-to-write", "1", "--min-replicas-max-lag", "60")
        quick = ("--repl-diskless-sync-delay", "0")
        self.master = RedisServer(directory / "master", *careful, *quick).start()
        self.wire = Wire(self.master.port)
        self.replica = RedisServer(
            directory / "replica", *careful, "--replicaof", f"127.0.0.1 {self.wire.port}"
        ).start()
        self._until(lambda: self._info(self.master).get("min_slaves_good_slaves") == 1)
        self.joined = RedisServer(directory / "joined")
        self._sentinel(directory)

    @property
    def url(self) -> str:
        return f"redis+sentinel://127.0.0.1:{self.sentinel.port}/{SERVICE}/0"

    def replicated(self) -> None:
        """Return when the replica has everything."""
        self._until(
            lambda: (
                self._info(self.replica)["slave_repl_offset"]
                == self._info(self.master)["master_repl_offset"]
            )
        )

    def lag(self) -> None:
        """Let nothing more reach the replica."""
        self.wire.swallows = True

    def fail_over(self) -> None:
        """Kill the master, and return when the Sentinel has promoted the replica."""
        self.master.kill()
        with redis.Redis(port=self.sentinel.port) as sentinel:
            self._until(
                lambda: (
                    sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1]
                    == str(self.replica.port).encode()
                )
            )
        self._until(lambda: self._info(self.replica)["role"] == "master")
        # A master alone takes no writes: another server joins it.
        self.joined.options = ("--replicaof", f"127.0.0.1 {self.replica.port}")
        self.joined.start()
        self._until(lambda: self._info(self.replica).get("min_slaves_good_slaves") == 1)

    def close(self) -> None:
        self.wire.close()
        for server in (self.sentinel, self.joined, self.replica, self.master):
            server.kill()

    def _sentinel(self, directory: Path) -> None:
        place = directory / "sentinel"
        place.mkdir()
        port = free_port()
        (place / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\ndir {place}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.master.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 2000\n"
            f"sentinel failover-timeout {SERVICE} 10000\n"
        )
        self.sentinel = RedisServer.sentinel(place, port)
        with redis.Redis(port=port) as sentinel:
            # So that it does not lead the replica round the wire.
            sentinel.execute_command("SENTINEL", "DEBUG", "publish-period", "600000")
            sentinel.execute_command("SENTINEL", "DEBUG", "info-period", "100")
            # A replica may be promoted that told of itself within five of these.
            sentinel.execute_command("SENTINEL", "DEBUG", "ping-period", "1000")
            self._until(lambda: sentinel.sentinel_slaves(SERVICE))

    @staticmethod
    def _info(server: RedisServer) -> dict:
        with server.client() as client:
            return client.info("replication")

    @staticmethod
    def _until(holds) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, "what was waited for did not come"
            time.sleep(0.05)
