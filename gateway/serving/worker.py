"""Worker: one of the processes that serve, as the rest of the gateway knows it."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Worker:
    """Which process of which host this is, whether it is being stopped, and what to do at its
    end, the last thing first."""

    host: str = "-"
    number: int = 1
    leaving: Callable[[], bool] = lambda: False
    at_end: ExitStack = field(default_factory=ExitStack)
