"""Recent: what was used lately is kept, bounded by number and weight; threads share it."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """Forgets first what was asked for longest ago."""

    def __init__(self, most: int, most_weight: int | None = None) -> None:
        """Keep at most so many values, and of at most this weight together."""
        self.most = most
        self._most_weight = most_weight
        self._lock = Lock()
        self._held: OrderedDict[_Key, tuple[_Value, int]] = OrderedDict()
        self._weight = 0

    def get(self, key: _Key) -> _Value | None:
        """Return the value kept under the key, or None."""
        with self._lock:
            held = self._held.get(key)
            if held is None:
                return None
            self._held.move_to_end(key)
            return held[0]

    def keep(self, key: _Key, value: _Value, weight: int = 0) -> None:
        """Keep a value, in place of what was under the key."""
        with self._lock:
            _, before = self._held.pop(key, (None, 0))
            self._held[key] = (value, weight)
            self._weight += weight - before
            while len(self._held) > self.most or self._too_heavy():
                _, (_, lost) = self._held.popitem(last=False)
                self._weight -= lost

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()
            self._weight = 0

    def _too_heavy(self) -> bool:
        return self._most_weight is not None and self._weight > self._most_weight
