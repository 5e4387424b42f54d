"""Sources: the adapter that each service's agency is asked through, built once and kept until the
service changes; then the last who asks it closes it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.model import SourceAddress
from adapters.registry import build
from gateway.load.gates import Gates
from gateway.model import Service, Warrant
from gateway.others import concerned
from gateway.ports import Source
from kernel.canonical import Json
from kernel.clock import Clock, Deadline
from kernel.errors import Reason, Refusal
from kernel.names import ServiceId
from kernel.waits import Waits


@dataclass(slots=True, eq=False)
class _Kept:
    """A source that was built for a service, and how many ask it now."""

    service: Service
    source: Source
    asking: int = 0
    replaced: bool = False


class Sources:
    """Asks the source that a warrant names, within its deadline."""

    def __init__(
        self,
        addresses: Mapping[str, SourceAddress],
        clock: Clock,
        gates: Gates,
        waits: Waits,
    ) -> None:
        """Take the addresses from the settings, by the name that the catalogue uses, the gates
        before them, and how to wait for a source."""
        self._addresses = addresses
        self._clock = clock
        self._gates = gates
        self._waits = waits
        self._lock = threading.Lock()
        self._built: dict[ServiceId, _Kept] = {}

    def __call__(self, warrant: Warrant) -> Json:
        """Return the record, or raise `Refusal` for the source's reason."""
        service = warrant.service
        address = self._addresses.get(service.source)
        if address is None:
            raise Refusal(Reason.SOURCE_UNAVAILABLE, f"Source {service.source} is not set up.")
        deadline = Deadline.within(address.timeout, self._clock)
        fields = warrant.permit.fields
        named = concerned(service, fields).values()
        wanted = fields.union(named)
        kept = self._asked(service, address)

        def ask() -> Json:
            with self._gates.passing(service.source):
                return kept.source.fetch(warrant.ask.subject, wanted, deadline)

        try:
            return self._waits.aside(ask) if kept.source.blocks else ask()
        finally:
            self._left(kept)

    def _asked(self, service: Service, address: SourceAddress) -> _Kept:
        """Return the source of a service, which one more asks now."""
        idle = None
        with self._lock:
            kept = self._built.get(service.id)
            if kept is None or (kept.service is not service and kept.service != service):
                before, kept = kept, _Kept(service, self._made(service, address))
                self._built[service.id] = kept
                if before is not None:
                    before.replaced = True
                    idle = None if before.asking else before
            kept.service = service
            kept.asking += 1
        if idle is not None:
            self._close(idle.source)
        return kept

    def _left(self, kept: _Kept) -> None:
        """Let the last who asks a source that was replaced close it."""
        with self._lock:
            kept.asking -= 1
            last = kept.replaced and not kept.asking
        if last:
            self._close(kept.source)

    def _made(self, service: Service, address: SourceAddress) -> Source:
        perform = self._waits.performing()
        return build(service.adapter, service.read, service.subject_at, address, perform)

    def _close(self, source: Source) -> None:
        if source.blocks:
            self._waits.aside(source.close)
        else:
            source.close()
