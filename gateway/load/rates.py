"""Rates: how often something may be asked, as a bucket that fills again evenly."""

import re
from dataclasses import dataclass
from typing import Protocol

_LIMIT = re.compile(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,4})", re.ASCII)
_LONGEST = 86_400


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in so many seconds: all at once, or evenly for ever."""

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> "Limit":
        """Return the limit in `COUNT/SECONDS`, or raise `ValueError`."""
        found = _LIMIT.fullmatch(text)
        if found is None or int(found[2]) > _LONGEST:
            raise ValueError("is COUNT/SECONDS, as in 1000/10, within a day")
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted together, and its limit."""

    name: tuple[str, ...]
    limit: Limit


@dataclass(frozen=True, slots=True)
class Empty:
    """A bucket that has nothing left, and the seconds until it has something again."""

    bucket: Bucket
    seconds: float


class Rates(Protocol):
    """Counts over all workers that share it; each `take` is atomic."""

    def take(self, *buckets: Bucket) -> Empty | None:
        """Take one from each bucket and return None, or from none of them and return the first
        that is empty; raise `Refusal` with `state.unavailable` when nobody can know."""
        ...
