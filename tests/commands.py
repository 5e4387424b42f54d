"""Commands: a process that has imported all of ours, and forks one process off for each.

Importing takes ten times as long as what most commands do. Each runs as `python -m` runs it, alone,
under its own environment and with its own end; that it can be started without us is shown where a
test starts one by itself.
"""

import atexit
import gc
import json
import os
import pkgutil
import runpy
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[1]
LONGEST = 240.0
"""Seconds that a command may take."""
LATE = ("alembic.command", "client.consent", "gateway.setup.deployed", "kernel.database_postgres")
"""What a command imports only once it knows that it needs it."""
_MOST, _DESCRIPTORS = 128 * 1024, 3


def run(
    arguments: Sequence[str], environ: Mapping[str, str], *, timeout: float = LONGEST
) -> subprocess.CompletedProcess:
    """Run a module of ours with its arguments, in a process of its own under an environment; who
    preloads a library there is started from nothing."""
    if "LD_PRELOAD" in environ:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT, env=environ, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
    mine, theirs = os.pipe()
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        os.fdopen(mine, "rb") as end,
    ):
        try:
            asked = json.dumps([list(arguments), dict(environ)]).encode()
            socket.send_fds(_forge(), [asked], [out.fileno(), err.fileno(), theirs])
        finally:
            os.close(theirs)
        assert select.select([end], [], [], timeout)[0], f"{arguments} takes too long"
        status = int(end.read())
        told = [(file.seek(0), file.read().decode())[1] for file in (out, err)]
    return subprocess.CompletedProcess(arguments, status, *told)


@cache
def _forge() -> socket.socket:
    """Start the process, once for this one, and return the way to it; it ends with us."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands", str(theirs.fileno())],
            cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()],
        )  # fmt: skip
    atexit.register(process.wait)
    atexit.register(mine.close)
    return mine


def _serve(asked: socket.socket) -> None:
    """Fork one process off for each that is asked for, until nobody can ask any more."""
    for module in pkgutil.iter_modules(import_module("gateway.commands").__path__):
        import_module(f"gateway.commands.{module.name}")
    for name in LATE:
        import_module(name)
    gc.collect()
    gc.freeze()  # so that a child copies less of the memory that it shares
    while True:
        told, descriptors, _, _ = socket.recv_fds(asked, _MOST, _DESCRIPTORS)
        if not told:
            return
        if os.fork() == 0:
            asked.close()
            _wait_for(json.loads(told), descriptors)
        for one in descriptors:
            os.close(one)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue


def _wait_for(told: tuple[list[str], dict[str, str]], descriptors: list[int]) -> NoReturn:
    """Have one more process run the command, and tell how it ended."""
    out, err, end = descriptors
    if (child := os.fork()) == 0:
        os.close(end)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        arguments, environ = told
        os.environ.clear()
        os.environ.update(environ)
        sys.argv = arguments
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        sys.exit()
    _, status = os.waitpid(child, 0)
    os.write(end, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
