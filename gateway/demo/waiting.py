"""Waiting: the story stands still until you clicked, or pressed Enter to let it go on by itself."""

import select
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

LOOK_EVERY = 1.5


@dataclass(frozen=True, slots=True)
class Clicks:
    """Waits for you, where somebody can press a key; elsewhere nobody is waited for."""

    keyboard: TextIO
    say: Callable[[str], None]

    def until(self, happened: Callable[[], bool]) -> bool:
        """Return True once it happened by your click, False when the story is to go on alone."""
        if not self.keyboard.isatty():
            self.say("   No keyboard is here to wait for, so the story goes on by itself.")
            return False
        self.say("   Or press Enter, and the story goes on by itself.")
        while not happened():
            if self._pressed():
                return False
        return True

    def _pressed(self) -> bool:
        ready, _, _ = select.select([self.keyboard], [], [], LOOK_EVERY)
        if ready:
            self.keyboard.readline()
        return bool(ready)
