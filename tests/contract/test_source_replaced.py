"""A source whose service changed is closed by the last who asks it, and no connection stays."""

import asyncio
import json
import socket
import threading
from dataclasses import replace

import uvloop

from adapters.model import SourceAddress
from gateway.load.fibres import Fibres
from gateway.load.gates import Gates
from gateway.sources import Sources
from kernel.clock import SystemClock
from kernel.waits import OwnThread
from tests.contract.loopback import answer, serving
from tests.unit.gateway import parts

PATIENCE = 120.0
MANY = 3
OLD, NEW = (
    replace(parts.SERVICE, adapter="rest", read={"path": f"/{name}/{{subject}}"})
    for name in ("old", "new")
)


class Office:
    """Keeps whoever asks at the old address waiting, and sees when their connections are closed."""

    def __init__(self) -> None:
        self.asked, self.closed = threading.Semaphore(0), threading.Semaphore(0)
        self.go_on = threading.Event()

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        self.asked.release()
        old = head.startswith(b"GET /old/")
        if old:
            self.go_on.wait(PATIENCE)
        connection.sendall(answer(json.dumps(parts.RECORD).encode()))
        if old and connection.recv(1) == b"":
            self.closed.release()


async def often(semaphore: threading.Semaphore, times: int) -> None:
    """Wait, while the loop turns, until something happened so often."""
    for _ in range(times):
        assert await asyncio.to_thread(semaphore.acquire, timeout=PATIENCE)


def test_a_source_that_was_replaced_answers_whom_it_owes_and_then_closes_its_connections() -> None:
    office, fibres, clock = Office(), Fibres(OwnThread()), SystemClock()
    gates = Gates({"population"}, 64, clock)

    async def both(url: str) -> list[object]:
        address = SourceAddress("population", url, timeout=PATIENCE)
        sources = Sources({"population": address}, clock, gates, fibres)

        def asked(service: object) -> object:
            return sources(parts.warrant(parts.FAMILY, service=service))

        async with asyncio.timeout(PATIENCE):
            waiting = [asyncio.ensure_future(fibres.run(asked, OLD)) for _ in range(MANY)]
            await often(office.asked, MANY)
            told = [await fibres.run(asked, NEW)]
            assert not any(one.done() for one in waiting)
            office.go_on.set()
            told += [await one for one in waiting]
            await often(office.closed, MANY)
            return told

    with serving(office) as server:
        told = uvloop.run(both(server.url))
    assert [record["name"]["family"] for record in told] == ["Haddad"] * (MANY + 1)
    assert gates.held() == {"population": 0}
