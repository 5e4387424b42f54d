"""One writer as a process: appends until it is done or dies, and says what was acknowledged."""

import resource
import signal
import sys
import threading
from pathlib import Path

from kernel.entry import EntryType
from kernel.errors import Refusal
from tests.contract import ledger_stage as stage


def main(directory: str, name: str, threads: int, count: int, room: int) -> None:
    """Append `count` entries per thread; print `<exchange> <index>` for each acknowledged one.

    Every tenth is a withdrawal. `room` limits the size of each file, 0 does not.
    """
    site = stage.Stage(Path(directory))
    log = site.open()
    if room:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    say = threading.Lock()

    def work(thread: int) -> None:
        for n in range(count):
            word = f"{name}-{thread}-{n}"
            entry = stage.decision(f"ex_{word}", stage.person(n % 5))
            if n % 10 == 9:
                kind = EntryType.CONSENT_WITHDRAWN
                entry = stage.consent(kind, f"co_{word}", stage.person(n % 5), restricts=True)
            try:
                line = f"{word} {log.ledger.append(entry).index}\n"
            except Refusal as refusal:
                line = f"{word} {refusal.reason}\n"
            with say:
                sys.stdout.write(line)
                sys.stdout.flush()

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if room:
        log.ledger.append(stage.decision(f"ex_{name}-after"))
        sys.stdout.write("recovered\n")
    log.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
