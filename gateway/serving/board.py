"""Board: a page of memory by which a host's main process and its workers tell each other two
things: who is alive, and how far the host is with its end."""

import mmap
import struct

_BEAT = struct.Struct("d")
_STATE = 0
_LEAVING, _ENDING = 1, 2
_FIRST = 8


class Board:
    """Made before the workers are forked off, and shared with them; times are of the machine's
    monotonic clock, which all its processes have in common."""

    def __init__(self, workers: int) -> None:
        """Make a page with room for so many workers, numbered from 1."""
        self._page = mmap.mmap(-1, _FIRST + _BEAT.size * workers)

    @property
    def leaving(self) -> bool:
        """Say whether this host is being stopped."""
        return self._page[_STATE] != 0

    @property
    def ending(self) -> bool:
        """Say whether the workers were told to end."""
        return self._page[_STATE] == _ENDING

    def leave(self) -> None:
        """Tell the workers that this host is being stopped."""
        self._page[_STATE] = _LEAVING

    def end(self) -> None:
        """Tell the workers to end; for those that a signal reaches before they can heed it."""
        self._page[_STATE] = _ENDING

    def beat(self, number: int, at: float) -> None:
        """Write down when a worker was last seen, 0 for one that just begins."""
        _BEAT.pack_into(self._page, _place(number), at)

    def seen(self, number: int) -> float:
        """Return when a worker was last seen, 0 where it only begins."""
        (at,) = _BEAT.unpack_from(self._page, _place(number))
        return float(at)


def _place(number: int) -> int:
    return _FIRST + _BEAT.size * (number - 1)
