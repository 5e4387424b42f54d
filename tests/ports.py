"""Ports for servers that tests start: handed out so that no two of them are given the same one."""

import itertools
import os
import random
import socket

FIRST, SHARES, SHARE = 15_000, 8, 2_100
"""They lie below the range of which the system takes a caller's own port: who calls a port there
before anybody listens can be given that very port, and then meets itself."""
TOGETHER = 3


def _own() -> range:
    """Return the ports of this process: workers of one run have shares of their own, since between
    the look at a port and its server's start another could be handed the same."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    share = int(worker) % (SHARES - 1) + 1 if worker.isdecimal() else 0
    start = FIRST + SHARE * share
    return range(start, start + SHARE - TOGETHER, TOGETHER)


_PORTS = itertools.cycle(random.SystemRandom().sample(_own(), len(_own())))


def free_port() -> int:
    """Return a port P of loopback such that P, P+1 and P+2 are free now; none comes again soon."""
    for port in _PORTS:
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            try:
                for place, held in enumerate((first, second, third)):
                    held.bind(("127.0.0.1", port + place))
            except OSError:
                continue
            return port
    raise AssertionError("there are always ports")
