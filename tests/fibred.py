"""Calls carried out as fibres of one event loop, as exchanges are."""

import asyncio
from collections.abc import Callable

import uvloop

from gateway.load.fibres import Fibres

PATIENCE = 60.0


def carried_out(fibres: Fibres, *calls: Callable[[], object]) -> list[object]:
    """Carry calls out at once, and return what each returned."""

    async def all_of_them() -> list[object]:
        async with asyncio.timeout(PATIENCE):
            return list(await asyncio.gather(*map(fibres.run, calls)))

    return uvloop.run(all_of_them())
