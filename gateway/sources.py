"""Sources: the adapter that each service's agency is asked through, built once and kept."""

import threading
from collections.abc import Mapping

from adapters.model import SourceAddress
from adapters.registry import build
from gateway.gates import Gates
from gateway.model import Service, Warrant
from gateway.others import concerned
from gateway.ports import Source
from kernel.canonical import Json
from kernel.clock import Clock, Deadline
from kernel.errors import Reason, Refusal
from kernel.names import ServiceId
from kernel.waits import Waits


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
        self._built: dict[ServiceId, tuple[Service, Source]] = {}

    def __call__(self, warrant: Warrant) -> Json:
        """Return the record, or raise `Refusal` for the source's reason."""
        service = warrant.service
        address = self._addresses.get(service.source)
        if address is None:
            raise Refusal(Reason.SOURCE_UNAVAILABLE, f"Source {service.source} is not set up.")
        deadline = Deadline.within(address.timeout, self._clock)
        source = self._source(service, address)
        fields = warrant.permit.fields
        named = concerned(service, fields).values()
        wanted = fields.union(named)

        def ask() -> Json:
            with self._gates.passing(service.source):
                return source.fetch(warrant.ask.subject, wanted, deadline)

        return self._waits.aside(ask) if source.blocks else ask()

    def _source(self, service: Service, address: SourceAddress) -> Source:
        held = self._built.get(service.id)
        if held is not None and held[0] is service:
            return held[1]
        with self._lock:
            held = self._built.get(service.id)
            if held is None or held[0] != service:
                perform = self._waits.performing()
                source = build(service.adapter, service.read, service.subject_at, address, perform)
                held = (service, source)
            else:
                held = (service, held[1])
            self._built[service.id] = held
            return held[1]
