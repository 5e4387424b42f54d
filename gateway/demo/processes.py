"""Processes: the gateway and each source on their own; one that dies is started again."""

import http.client
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from gateway.serving.parent import die_with_parent

LOOK_EVERY = 0.25
STOP_WITHIN = 10.0
START_WITHIN = 120.0
ROOT = Path(__file__).parents[2]


class NotStarted(Exception):
    """A process did not come up; the text names it and its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process: what to run, with which settings, and the address that tells when it serves."""

    name: str
    arguments: Sequence[str]
    environ: Mapping[str, str]
    ready: str


class Processes:
    """Starts programs, watches them, and stops them by their process ids."""

    def __init__(self, logs: Path, told: Callable[[str], None]) -> None:
        """Take the directory for their output, and whom to tell of a restart."""
        self._logs = logs
        self._told = told
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Program, subprocess.Popen[bytes]]] = {}
        self._ending = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self, programs: Sequence[Program]) -> None:
        """Start the programs and return when each one serves, or raise `NotStarted`."""
        for program in programs:
            self._running[program.name] = (program, self._spawn(program))
        for program in programs:
            self._await(program)
        self._watcher.start()

    @staticmethod
    def claim(*ports: int) -> None:
        """Raise `NotStarted` where somebody else listens on a port already."""
        for port in ports:
            with socket.socket() as taken:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    taken.bind(("127.0.0.1", port))
                except OSError:
                    raise NotStarted(
                        f"Port {port} is taken; name another first port with --port."
                    ) from None

    def pids(self) -> dict[str, int]:
        """Return the process ids by name."""
        with self._lock:
            return {name: process.pid for name, (_, process) in self._running.items()}

    def stop(self) -> None:
        """Stop everything and wait for it."""
        self._ending.set()
        with self._lock:
            for _, process in self._running.values():
                process.terminate()
            for _, process in self._running.values():
                try:
                    process.wait(STOP_WITHIN)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        with (self._logs / f"{program.name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *program.arguments],
                cwd=ROOT,
                env=dict(program.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - only a system call
            )

    def _await(self, program: Program) -> None:
        until = time.monotonic() + START_WITHIN
        while not _answers(program.ready):
            ended = self._running[program.name][1].poll() is not None
            if ended or time.monotonic() > until:
                log = self._logs / f"{program.name}.log"
                raise NotStarted(f"The process {program.name!r} did not start; see {log}.")
            time.sleep(0.05)

    def _watch(self) -> None:
        while not self._ending.wait(LOOK_EVERY):
            for name in list(self._running):
                with self._lock:
                    program, process = self._running[name]
                    if self._ending.is_set() or process.poll() is None:
                        continue
                    self._running[name] = (program, self._spawn(program))
                self._told(name)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - a loopback address
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False
