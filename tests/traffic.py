"""Traffic for tests: agency systems that ask again and again, and remember how it went."""

import http.client
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.agency import Agency, Answer
from tests.serving import until


@dataclass
class Traffic:
    """What reached whom: each answer, and how many requests got none."""

    make: Callable[[], Agency]
    ask: Callable[[Agency], Answer]
    answers: list[Answer] = field(default_factory=list)
    broken: int = 0

    @property
    def released(self) -> list[str]:
        """Return the exchanges whose data arrived."""
        return [one.json["exchange"] for one in list(self.answers) if one.status == 200]

    @property
    def refused(self) -> list[str]:
        """Return the reasons of what was refused."""
        return [one.json.get("reason", "-") for one in list(self.answers) if one.status != 200]

    def goes_on(self, more: int = 5) -> None:
        """Wait until so many more answers with data arrived."""
        before = len(self.released)
        until(lambda: len(self.released) >= before + more, "nobody is served any more")

    def _run(self, ended: threading.Event) -> None:
        agency = self.make()
        while not ended.is_set():
            try:
                self.answers.append(self.ask(agency))
            except AssertionError:  # no token was to be had
                self.broken += 1
                ended.wait(0.05)
            except (OSError, http.client.HTTPException):
                self.broken += 1


@contextmanager
def flowing(streams: Sequence[Traffic], each: int = 2) -> Iterator[None]:
    """Let traffic flow, in so many threads for each stream."""
    ended = threading.Event()
    threads = [
        threading.Thread(target=stream._run, args=(ended,))
        for stream in streams
        for _ in range(each)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
